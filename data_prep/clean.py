"""Normalising a line: three small rules, applied together with plain spacing until nothing changes any more."""

import html
import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache, partial

_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_SUBWORD_SPACE = "\u2581"  # SentencePiece writes a space this way


def normalise(line: str) -> str:
    """Bring a line to one Unicode form; applying it twice changes nothing more.

    Entities that end in a semicolon are unescaped (also doubly escaped ones), C1 controls are read as the Windows-1252
    punctuation they stand for, other control characters become spaces, zero-width and other format characters go,
    composition is NFC, U+2581 becomes ``_``, and any run of white space one plain space.
    """
    return line if _is_normal(line) else normalise_with_rules(line)[0]


def normalise_with_rules(line: str) -> tuple[str, tuple[str, ...]]:
    """Normalise a line and name the rules of :data:`RULES` that changed it; a change of white space has no name."""
    if _is_normal(line):
        return line, ()
    fired = set()
    before = None
    while line != before:
        before = line = " ".join(line.split())
        for name, rule in RULES.items():
            changed = rule(line)
            if changed != line:
                fired.add(name)
                line = changed
    return line, tuple(name for name in RULES if name in fired)


def _is_normal(line: str) -> bool:
    """Say, fast, that no rule applies: most lines of a corpus. False only means that the rules have to look."""
    return (
        line.isprintable()  # no white space but plain spaces, no control, no format character
        and "&" not in line
        and "  " not in line
        and line == line.strip()
        and _SUBWORD_SPACE not in line
        and unicodedata.is_normalized("NFC", line)
    )


def _unescape(line: str) -> str:
    return _ENTITY.sub(lambda match: html.unescape(match[0]), line)


def _plain_characters(line: str) -> str:
    return line if line.isascii() and line.isprintable() else "".join(map(_plain, line))


@lru_cache(maxsize=10_000)
def _plain(char: str) -> str:
    match unicodedata.category(char):
        case "Cf":
            return ""
        case "Cc":
            return _from_windows_1252(char)
    return "_" if char == _SUBWORD_SPACE else char


def _from_windows_1252(control: str) -> str:
    """Undo a Windows-1252 text that was once read as Latin-1: U+0093 is a quotation mark there."""
    if control < "\x80" or control == "\x85":  # NEL ends a line in Unicode: a space, like the other line ends
        return " "
    return control.encode("latin-1").decode("cp1252", errors="replace").replace("\ufffd", " ")


RULES: dict[str, Callable[[str], str]] = {
    "entities": _unescape,
    "characters": _plain_characters,
    "nfc": partial(unicodedata.normalize, "NFC"),
}
"""The rules by name, in the order in which they are applied."""

"""Normalising a line, and the filters that drop a training pair for a named reason."""

import hashlib
import html
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator

from data_prep.config import CleanOptions

Filter = Callable[[str, str], str | None]
"""Takes source and target, returns ``None`` to keep the pair or the reason to drop it."""

_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_SUBWORD_SPACE = "\u2581"  # SentencePiece writes a space this way


def normalise(line: str) -> str:
    """Bring a line to one Unicode form; applying it twice changes nothing more.

    Entities that end in a semicolon are unescaped (also doubly escaped ones), C1 controls are read as the Windows-1252
    punctuation they stand for, other control characters become spaces, zero-width and other format characters go,
    composition is NFC, U+2581 becomes ``_``, and any run of white space one plain space.
    """
    while (cleaned := _normalise_once(line)) != line:
        line = cleaned
    return line


def _normalise_once(line: str) -> str:
    line = _ENTITY.sub(lambda match: html.unescape(match[0]), line)
    if not (line.isascii() and line.isprintable()):
        line = unicodedata.normalize("NFC", "".join(map(_plain, line)))
    return " ".join(line.split())


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


def empty() -> Filter:
    """Drop pairs with an empty side."""
    return lambda src, tgt: None if src and tgt else "empty"


def too_long(max_words: int) -> Filter:
    """Drop pairs with more than ``max_words`` words on a side."""
    return lambda src, tgt: "too_long" if max(len(src.split()), len(tgt.split())) > max_words else None


def ratio(max_ratio: float) -> Filter:
    """Drop pairs whose longer side has more than ``max_ratio`` times the words of the shorter one."""

    def check(src: str, tgt: str) -> str | None:
        short, long = sorted((len(src.split()), len(tgt.split())))
        return "ratio" if long > max_ratio * short else None

    return check


def in_test_set(sources: Collection[str], targets: Collection[str]) -> Filter:
    """Drop pairs with a side that is, word for word, a segment of a test set."""
    return lambda src, tgt: "in_test_set" if src in sources or tgt in targets else None


def duplicate() -> Filter:
    """Drop pairs seen before; both sides must be equal. Remembers what it has seen (16 bytes a pair)."""
    seen: set[bytes] = set()

    def check(src: str, tgt: str) -> str | None:
        digest = hashlib.blake2b(f"{src}\n{tgt}".encode(), digest_size=16).digest()
        if digest in seen:
            return "duplicate"
        seen.add(digest)
        return None

    return check


def build_filters(options: CleanOptions, sources: Collection[str], targets: Collection[str]) -> dict[str, Filter]:
    """Make the filters of one language pair, by reason, in the order in which they are asked.

    Args:
        options: the ``clean`` part of the configuration.
        sources: normalised test segments in the source language, of every test set.
        targets: the same in the target language.
    """
    filters = {"empty": empty(), "too_long": too_long(options.max_words), "ratio": ratio(options.max_ratio)}
    if options.drop_test_overlap:
        filters["in_test_set"] = in_test_set(sources, targets)
    if options.deduplicate:
        filters["duplicate"] = duplicate()
    return filters


def filter_pairs(
    pairs: Iterable[tuple[str, str]], filters: dict[str, Filter], dropped: Counter[str]
) -> Iterator[tuple[str, str]]:
    """Yield the pairs that every filter keeps, in order; count the others in ``dropped`` under their first reason."""
    for src, tgt in pairs:
        reason = next((found for check in filters.values() if (found := check(src, tgt))), None)
        if reason:
            dropped[reason] += 1
        else:
            yield src, tgt

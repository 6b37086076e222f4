"""Normalisation: every rule, and the same result as the plain way of applying them on any input."""

import html
import re
import sys
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data_prep.clean import RULES, normalise, normalise_with_rules

ANY_TEXT = (
    st.text(st.characters())  # all of Unicode, lone surrogates too
    | st.text("&#;amplt0123x\u037e\u0301\u200b e\u2028")
    | st.lists(
        st.sampled_from(
            ["&", "amp;", "&amp;", "&#160;", "\u00a0", " ", "\t", "\u200b", "e", "\u0301", "\x93", "\u2581"]
        )
    ).map("".join)
)


def slow_normalise(line):
    """The rules in order, character by character, white space last, until nothing changes; no shortcut anywhere."""
    while (cleaned := slow_pass(line)) != line:
        line = cleaned
    return line


def slow_pass(line):
    line = re.sub(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);", lambda match: html.unescape(match[0]), line)
    line = unicodedata.normalize("NFC", "".join(map(slow_character, line)))
    return " ".join(line.split())


def slow_character(char):
    category = unicodedata.category(char)
    if category == "Cf":
        return ""
    if category == "Cc" and "\x80" <= char <= "\x9f" and char != "\x85":
        return char.encode("latin-1").decode("cp1252", errors="replace").replace("\ufffd", " ")
    if category == "Cc":
        return " "
    return "_" if char == "\u2581" else char


@pytest.mark.parametrize(
    ("line", "expected", "rules"),
    [
        ("e\u0301te\u0301", "été", ("nfc",)),
        ("It&apos;s &quot;R&amp;amp;D&quot; &#91; 1 &#x5d;", 'It\'s "R&D" [ 1 ]', ("entities",)),
        ("a?x=1&param=2&copy=3 AT&T; &nosuch;", "a?x=1&param=2&copy=3 AT&T; &nosuch;", ()),
        ("zero\u200bwidth\u00ad\ufeff", "zerowidth", ("characters",)),
        ("\ttab\u00a0no-break\u2009thin  ", "tab no-break thin", ()),
        ("thin\x07bell", "thin bell", ("characters",)),
        ("&#10;line&#13;feed&#8232;here", "line feed here", ("entities", "characters")),
        ("\x93quoted\x94 \x96 l\x92eau \x81", "“quoted” – l’eau", ("characters",)),
        ("\u2581under", "_under", ("characters",)),
        ("&am\u200bp;e\u0301", "&é", ("entities", "characters", "nfc")),
        ("", "", ()),
    ],
)
def test_normalise(line, expected, rules):
    assert normalise(line) == expected
    assert normalise_with_rules(line) == (expected, rules)


@given(ANY_TEXT)
@example("&amp\u037e")  # composition makes the semicolon of an entity
@example("a \u200b \u0301")
def test_normalise_is_what_the_slow_way_gives(line):
    assert normalise(line) == slow_normalise(line)
    assert normalise_with_rules(line)[0] == slow_normalise(line)


def test_every_code_point():
    nobodys = []  # private and not assigned: a million of them, all alike, so they are tried in one line
    for char in map(chr, range(sys.maxunicode + 1)):
        if unicodedata.category(char) in ("Co", "Cn"):
            nobodys.append(char)
        elif normalise(f"a{char}") != slow_normalise(f"a{char}"):
            pytest.fail(f"U+{ord(char):04X}: {normalise(f'a{char}')!r}, expected {slow_normalise(f'a{char}')!r}")
    line = "".join(nobodys)
    assert normalise(line) == slow_normalise(line) == line


@given(ANY_TEXT)
def test_normalise_is_idempotent_and_leaves_plain_spaces_only(line):
    once = normalise(line)
    assert normalise_with_rules(once) == (once, ())
    assert once == " ".join(once.split())


@given(ANY_TEXT)
def test_a_change_beyond_white_space_is_named(line):
    cleaned, rules = normalise_with_rules(line)
    assert list(rules) == [name for name in RULES if name in rules]
    assert rules or cleaned == " ".join(line.split())

"""Normalisation and the filters."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep import clean
from data_prep.config import CleanOptions


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("e\u0301te\u0301", "été"),
        ("It&apos;s &quot;R&amp;amp;D&quot; &#91; 1 &#x5d;", 'It\'s "R&D" [ 1 ]'),
        ("a?x=1&param=2&copy=3 AT&T; &nosuch;", "a?x=1&param=2&copy=3 AT&T; &nosuch;"),
        ("zero\u200bwidth\u00ad\ufeff", "zerowidth"),
        ("\ttab\u00a0no-break\u2009thin\x07bell  ", "tab no-break thin bell"),
        ("&#10;line&#13;feed&#8232;here", "line feed here"),
        ("\x93quoted\x94 \x96 l\x92eau \x81", "“quoted” – l’eau"),
        ("\u2581under", "_under"),
        ("", ""),
    ],
)
def test_normalise(line, expected):
    assert clean.normalise(line) == expected


@given(st.text() | st.text("&#;amplt0123x\u037e\u0301\u200b e\u2028"))
def test_normalise_is_idempotent_and_leaves_plain_spaces_only(line):
    once = clean.normalise(line)
    assert clean.normalise(once) == once
    assert once == " ".join(once.split())


@pytest.mark.parametrize(
    ("check", "pair", "reason"),
    [
        (clean.empty(), ("a", ""), "empty"),
        (clean.empty(), ("", "a"), "empty"),
        (clean.empty(), ("a", "b"), None),
        (clean.too_long(3), ("a b c", "a b c d"), "too_long"),
        (clean.too_long(4), ("a b c", "a b c d"), None),
        (clean.ratio(2.0), ("a", "a b c"), "ratio"),
        (clean.ratio(2.0), ("a b c", "a"), "ratio"),
        (clean.ratio(2.0), ("a", "a b"), None),
        (clean.in_test_set({"s"}, {"t"}), ("s", "x"), "in_test_set"),
        (clean.in_test_set({"s"}, {"t"}), ("x", "t"), "in_test_set"),
        (clean.in_test_set({"s"}, {"t"}), ("t", "s"), None),
    ],
)
def test_filters(check, pair, reason):
    assert check(*pair) == reason


def test_duplicates_need_both_sides_equal():
    check = clean.duplicate()
    pairs = [("a", "b"), ("a", "c"), ("a", "b"), ("a b", ""), ("a", "b")]
    assert [check(*pair) for pair in pairs] == [None, None, "duplicate", None, "duplicate"]


def test_first_reason_counts_and_order_stays():
    filters = clean.build_filters(CleanOptions(max_words=2, max_ratio=1.0), {"held out"}, set())
    assert list(filters) == ["empty", "too_long", "ratio", "in_test_set", "duplicate"]
    dropped = Counter[str]()
    pairs = [("b", "b"), ("", "a b c"), ("held out", "x"), ("a", "a"), ("b", "b"), ("held out", "x y")]
    assert list(clean.filter_pairs(pairs, filters, dropped)) == [("b", "b"), ("a", "a")]
    assert dropped == {"empty": 1, "ratio": 1, "duplicate": 1, "in_test_set": 1}


def test_filters_can_be_switched_off():
    options = CleanOptions(deduplicate=False, drop_test_overlap=False)
    assert list(clean.build_filters(options, set(), set())) == ["empty", "too_long", "ratio"]

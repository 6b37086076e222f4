"""The filters one by one, the hidden test segments they know, and how an experiment file names them."""

import pickle
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_prep import filters
from data_prep.clean import normalise
from data_prep.filters import DEFAULT, FILTERS, Duplicate, Identical, Language, Length, Ratio, Script, TestOverlap
from data_prep.held_out import Context, HeldOut, fold

CONTEXT = Context.make(
    ("en", "de"),
    (
        ["Yes .", "Where were we yesterday?", "Is this the end or the beginning of it?"],
        ["Ja!", "Übermäßig große Größe"],
    ),
)

# filter, pairs it keeps, pairs it drops
CASES = [
    (filters.Empty(), [("a", "b")], [("", "b"), ("a", ""), ("", "")]),
    (Length(max_words=3), [("a", "b b b")], [("a", "b b b b"), ("a a a a", "b"), ("", "b")]),
    (Length(min_words=2), [("a a", "b b")], [("a", "b b"), ("a a", "b")]),
    (Length(min_chars=3, max_chars=4), [("aaa", "bbbb")], [("aa", "bbb"), ("aaa", "bbbbb")]),
    (Length(min_words=0, max_words=0, min_chars=0), [("a " * 500, "")], []),
    (Ratio(2.0), [("a", "b b"), ("a a", "b"), ("", "")], [("a", "b b b"), ("a a a", "b"), ("a", "")]),
    (Ratio(2.5), [("a a", "b b b b b")], [("a a", "b b b b b b")]),
    (Ratio(9, max_chars=2), [("aaa", "bbbbbb")], [("aaa", "bbbbbbb"), ("aaaaaaa", "bbb")]),
    (Identical(), [("a", "b"), ("Berlin", "berlin"), ("Berlin", "Berlin.")], [("Berlin", "Berlin")]),
    (Identical(fold=True), [("a", "b"), ("...", "!")], [("Berlin", "- berlin -"), ("...", "...")]),
    (Script(), [("good", "gut"), ("1 + 1", "..."), ("Ελ good", "gut")], [("Ελλάς good", "gut"), ("good", "добро")]),
    (Script(min_share=1), [("good", "größer")], [("good ж", "gut")]),
    (
        TestOverlap(),
        [
            ("yes", "x"),
            ("Ja!", "Yes ."),
            ("x", "Where were we yesterday?"),
            ("Is this the end or the start of it?", "x"),
        ],
        [
            ("Yes .", "x"),
            ("x", "Ja!"),
            ("where were we, YESTERDAY", "x"),
            ("is this the end - or the beginning of it", "x"),
            ("x", "übermässig große GRÖSSE!"),
        ],
    ),
    (TestOverlap(fold=False), [("Where were we yesterday", "x")], [("Where were we yesterday?", "x")]),
    (TestOverlap(min_chars=3), [("x", "ja")], [("yes", "x")]),
    (TestOverlap(min_chars=21), [("where were we, yesterday", "x")], [("Where were we yesterday?", "x")]),
    (Duplicate(), [("a", "b"), ("a", "b")], []),
]


@pytest.mark.parametrize(("filter_", "kept", "dropped"), CASES)
def test_what_a_filter_drops(filter_, kept, dropped):
    drops = filter_.build(CONTEXT)
    assert [pair for pair in kept if drops(*pair)] == []
    assert [pair for pair in dropped if not drops(*pair)] == []


def test_every_filter_is_tried_above_or_with_the_languages():
    assert {type(case[0]) for case in CASES} | {Language} == set(FILTERS.values())


def test_every_filter_says_in_one_line_what_it_does():
    for kind in FILTERS.values():
        line = kind.__doc__.splitlines()[0]
        assert line.startswith("Drop pairs") and line.endswith(".")


def test_only_duplicates_depend_on_other_pairs():
    assert [kind.name for kind in FILTERS.values() if not kind.per_pair] == ["duplicate"]


@given(st.lists(st.text("aAß .-äé1ΣσςIİ\u0307", max_size=60)), st.text("aAß .-äé1ΣσςIİ\u0307", max_size=60))
def test_the_quick_look_at_the_start_of_a_segment_changes_nothing(tests, segment):
    held_out = HeldOut.make(tests)
    for line in (segment, *tests, *(test.upper() for test in tests), *(f"{test} {segment}" for test in tests)):
        expected = len(fold(line)) >= 3 and fold(line) in set(map(fold, tests))
        assert held_out.holds_folded(line, 3) == expected


@given(st.text(), st.integers(0, 40))
def test_the_start_of_a_text_folds_as_the_text_starts(text, length):
    assert fold(text).startswith(fold(text[:length]))


@given(st.text("ab \u00a0\u2009\t"))
def test_words_are_what_white_space_divides(text):
    words = len(text.split())
    side = normalise(text)
    for limit in (1, 2, 3):
        drops = Length(min_words=0, min_chars=0, max_words=limit).build(CONTEXT)
        assert drops(side, "") == (words > limit)


def test_default_filters():
    assert [check.name for check in DEFAULT] == ["empty", "length", "ratio", "test_overlap", "duplicate"]
    assert (DEFAULT[1].max_words, DEFAULT[1].max_chars, DEFAULT[2].max, DEFAULT[3].fold) == (100, 0, 3.0, True)


def test_filters_and_context_travel_to_other_processes():
    assert pickle.loads(pickle.dumps((DEFAULT, CONTEXT))) == (DEFAULT, CONTEXT)


def test_parse():
    specs = [
        "empty",
        {"length": {"max_words": 80}},
        {"ratio": {"max": 2, "max_chars": 2.5}},
        {"script": None},
        {"language": {"candidates": ["en", "de"]}},
        "duplicate",
    ]
    expected = (
        filters.Empty(),
        Length(max_words=80),
        Ratio(2, 2.5),
        Script(),
        Language(candidates=("en", "de")),
        Duplicate(),
    )
    assert filters.parse(specs) == expected
    assert filters.parse([]) == ()


@pytest.mark.parametrize("wanted", [DEFAULT, tuple(kind() for kind in FILTERS.values())])
def test_parse_reads_what_spec_gives(wanted):
    assert filters.parse([check.spec() for check in wanted]) == wanted


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["empti"], "data.clean[0]: unknown filter 'empti'; known filters: empty, length, ratio, identical"),
        (["empty", "empty"], "data.clean[1]: the filter 'empty' is given twice"),
        (["duplicate", "empty"], "data.clean: the filter 'duplicate' must come last, after 'empty'"),
        ([3], "data.clean[0]: expected a name such as empty or {length: {max_words: 80}}, got 3"),
        ([{"empty": None, "length": None}], "data.clean[0]: expected a name such as empty"),
        ([{"length": 80}], "data.clean[0].length: expected a mapping, got 80"),
        (
            [{"length": {"max_word": 8}}],
            "data.clean[0].length: unknown field 'max_word'; known fields: min_words, max_words, min_chars, max_chars",
        ),
        ([{"empty": {"max": 8}}], "data.clean[0].empty: unknown field 'max'; this filter has no fields"),
        ([{"length": {"max_words": 2.5}}], "data.clean[0].length.max_words: expected int, got 2.5"),
        ([{"length": {"max_words": True}}], "data.clean[0].length.max_words: expected int, got True"),
        ([{"length": {"max_words": -1}}], "data.clean[0].length.max_words: expected at least 0, got -1"),
        (
            [{"length": {"min_chars": 5, "max_chars": 4}}],
            "data.clean[0].length.max_chars: expected 0 (no limit) or at least min_chars = 5, got 4",
        ),
        ([{"ratio": {"max": 0.5}}], "data.clean[0].ratio.max: expected at least 1, got 0.5"),
        ([{"ratio": {"max": float("nan")}}], "data.clean[0].ratio.max: expected at least 1, got nan"),
        ([{"ratio": {"max_chars": 0.5}}], "data.clean[0].ratio.max_chars: expected at least 1, got 0.5"),
        ([{"ratio": {"max": "3"}}], "data.clean[0].ratio.max: expected float, got '3'"),
        ([{"identical": {"fold": 1}}], "data.clean[0].identical.fold: expected bool, got 1"),
        ([{"script": {"min_share": 0}}], "data.clean[0].script.min_share: expected more than 0 and at most 1, got 0"),
        ([{"language": {"candidates": "en"}}], "data.clean[0].language.candidates: expected a list of words, got 'en'"),
        ([{"test_overlap": {"min_chars": 0}}], "data.clean[0].test_overlap.min_chars: expected at least 1, got 0"),
    ],
)
def test_parse_refuses(specs, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        filters.parse(specs)

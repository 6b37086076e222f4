"""Counting what cleaning did: examples, sums of parts, JSON, the report."""

import json

from hypothesis import given
from hypothesis import strategies as st

from data_prep.filters import DEFAULT
from data_prep.tally import Tally

EVENTS = st.lists(
    st.tuples(st.sampled_from(["drop", "change"]), st.sampled_from(["empty", "ratio"]), st.text(max_size=3), st.text())
)


def tally_of(events):
    tally = Tally()
    for kind, name, one, other in events:
        getattr(tally, kind)(name, one, other)
    return tally


@given(EVENTS, EVENTS, EVENTS)
def test_parts_add_up_to_the_whole(first, second, third):
    parts = [tally_of(events) for events in (first, second, third)]
    assert sum(parts, Tally()) == tally_of(first + second + third)
    assert parts == [tally_of(events) for events in (first, second, third)]  # adding leaves them alone


@given(EVENTS)
def test_json_round_trip(events):
    tally = tally_of(events)
    assert Tally.from_json(json.loads(json.dumps(tally.to_json()))) == tally


def test_the_first_ten_examples_are_kept_and_cut():
    tally = tally_of([("drop", "ratio", str(number), "x" * 300) for number in range(12)])
    found = tally.dropped["ratio"]
    assert found.count == 12
    assert found.examples == [(str(number), "x" * 200) for number in range(10)]


def test_report():
    tally = tally_of([("drop", "ratio", "a", "b b b b"), ("change", "nfc", "e\u0301", "é"), ("drop", "empty", "", "b")])
    report = tally.report(DEFAULT, {"duplicate": (7, [("a", "b")])})
    assert list(report["dropped"].items()) == [
        ("empty", 1),
        ("length", 0),
        ("ratio", 1),
        ("test_overlap", 0),
        ("duplicate", 7),
    ]
    assert report["dropped_examples"] == {"empty": [("", "b")], "ratio": [("a", "b b b b")], "duplicate": [("a", "b")]}
    assert report["changed"] == {"entities": 0, "characters": 0, "nfc": 1}
    assert report["changed_examples"] == {"nfc": [("e\u0301", "é")]}


def test_report_names_only_the_filters_that_were_asked():
    report = Tally().report(DEFAULT[:-1], {"duplicate": (0, [])})
    assert "duplicate" not in report["dropped"]

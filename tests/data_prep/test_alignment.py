"""Whatever characters a text holds, each format gives back as many pairs as were written, each with its two sides."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.formats import PairSource, read_pairs
from tests.data_prep.parallel_samples import WRITERS

NASTY = "\0\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029\u200b\ufeff\u00a0\u2009&<>\"'"
WORDS = st.text(st.one_of(st.sampled_from(NASTY), st.characters(codec="utf-8")), max_size=12)
TEXTS = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=9)
BREAKS = "\0\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def _numbered(texts):
    """Put a number before and after both sides of a pair; a tab is the end of a column in some formats."""
    return [
        tuple(f"n{number} {side.replace(chr(9), ' ')} n{number}" for side in sides)
        for number, sides in enumerate(texts)
    ]


@settings(max_examples=40, deadline=None)
@given(texts=TEXTS)
@pytest.mark.parametrize("form", WRITERS)
def test_no_character_shifts_a_pair(tmp_path_factory, form, texts):
    pairs = _numbered(texts)
    source = WRITERS[form](tmp_path_factory.mktemp("pairs"), pairs)
    read = list(read_pairs(source, "en", "de"))
    assert len(read) == len(pairs)
    for number, pair in enumerate(read):
        for segment in pair:
            assert segment.split()[0] == segment.split()[-1] == f"n{number}"
            assert not set(segment) & set(BREAKS)
            assert len(segment.splitlines()) == 1


@pytest.mark.parametrize("form", WRITERS)
def test_all_but_the_direction_stays_when_the_files_are_turned(tmp_path, form):
    pairs = [("n0 one", "n0 eins"), ("", "n1 leer"), ("n2 two & < three", "n2 „zwei“\u00a0!")]
    source = WRITERS[form](tmp_path, pairs)
    turned = PairSource(source.files[::-1])
    assert list(read_pairs(source, "en", "de")) == list(read_pairs(turned, "en", "de")) == pairs
    assert list(read_pairs(turned, "de", "en")) == [pair[::-1] for pair in pairs]


@pytest.mark.parametrize("form", ["plain", "tsv", "train_tags"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_byte_order_mark_and_a_missing_final_newline_are_no_text(tmp_path, form, end, mark):
    pairs = [("one", "eins"), ("two", "zwei"), ("three", "drei")]
    source = WRITERS[form](tmp_path, pairs)
    for file in map(Path, source.files):
        text = file.read_text(encoding="utf-8").removesuffix("\n")
        file.write_text(mark + text, encoding="utf-8", newline=end)
    assert list(read_pairs(source, "en", "de")) == pairs

"""Reading fairseq's index header, and what a failing fairseq-preprocess says."""

import struct

import pytest

from data_prep import binarize


def write_index(path, segments):
    path.write_bytes(struct.pack("<9sQBQ", b"MMIDIDX\x00\x00", 1, 8, segments) + b"rest")


def test_segments_are_counted_on_both_sides(tmp_path):
    write_index(tmp_path / "train.en-de.en.idx", 5)
    write_index(tmp_path / "train.en-de.de.idx", 4)
    assert binarize.count_segments(tmp_path / "train.en-de.en.idx") == 5
    with pytest.raises(RuntimeError, match=r"train\.en-de\.de: the text has 5 lines, the binarised data 4"):
        binarize.check_segments(tmp_path, "train", "en-de", 5)


def test_missing_and_foreign_index(tmp_path):
    with pytest.raises(RuntimeError, match=r"a\.idx: fairseq-preprocess did not write it"):
        binarize.count_segments(tmp_path / "a.idx")
    for content in (b"", b"TNTIDX\x00\x00" + b"\x00" * 40):
        (tmp_path / "a.idx").write_bytes(content)
        with pytest.raises(RuntimeError, match=r"a\.idx: not an index of fairseq's mmap format"):
            binarize.count_segments(tmp_path / "a.idx")


def test_failure_shows_the_output(tmp_path, monkeypatch):
    monkeypatch.setattr(binarize.sys, "executable", "/bin/false")
    with pytest.raises(RuntimeError, match=r"fairseq-preprocess failed for en-de with exit status 1"):
        binarize.preprocess(tmp_path, "en-de", "dict.txt", tests=[], encoded="encoded", workers=1)

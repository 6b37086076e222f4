"""Binarised text is what fairseq-preprocess writes, byte by byte, and is read back."""

import subprocess
import sys

import numpy as np
import pytest

from data_prep import indexed, subword
from data_prep.config import SubwordOptions

LINES = [f"the {thing} number {number} is hère" for number in range(30) for thing in ("house", "tree", "")] + ["", "漢"]


def test_same_bytes_as_fairseq(tmp_path, monkeypatch):
    subword.train_model(LINES[:-1], SubwordOptions(vocab_size=70), seed=1, prefix=tmp_path / "spm")
    encoder = subword.Encoder(tmp_path / "spm.model")
    monkeypatch.setattr(indexed, "_BLOCK", 7)
    assert indexed.write(tmp_path / "ours", map(encoder.encode, (LINES[:50], [], LINES[50:]))) == len(LINES)
    (tmp_path / "dict").write_text("".join(subword.dictionary_lines(encoder.model)), encoding="utf-8")
    encoded = "".join(f"{' '.join(encoder.model.encode(line, out_type=str))}\n" for line in LINES)
    (tmp_path / "train").write_text(encoded, encoding="utf-8")
    options = ["--only-source", "--trainpref", "train", "--srcdict", "dict", "--destdir", "theirs"]
    subprocess.run([sys.executable, "-m", "fairseq_cli.preprocess", *options], cwd=tmp_path, check=True)
    for kind in ("bin", "idx"):
        assert (tmp_path / f"ours.{kind}").read_bytes() == (tmp_path / "theirs" / f"train.{kind}").read_bytes()
    assert not (tmp_path / "ours.sizes").exists()


@pytest.mark.parametrize(("symbols", "dtype"), [(65_499, np.uint16), (65_500, np.int32)])
def test_round_trip(tmp_path, symbols, dtype):
    assert indexed.token_type(symbols) == dtype
    segments = [[4, 5, 2], [2], [symbols - 1, 2]]
    parts = [(np.array(tokens, dtype), np.array([len(tokens)], np.int32)) for tokens in segments]
    assert indexed.write(tmp_path / "x", parts) == 3
    text = indexed.read(tmp_path / "x")
    assert [text[number].tolist() for number in range(len(text))] == segments


def test_nothing_at_all(tmp_path):
    assert indexed.write(tmp_path / "x", []) == 0
    assert len(indexed.read(tmp_path / "x")) == 0


def test_damaged_files_are_named(tmp_path):
    parts = [(np.array([4, 2], np.uint16), np.array([2], np.int32))]
    indexed.write(tmp_path / "x", parts)
    with pytest.raises(ValueError, match=r"y\.idx: no such file"):
        indexed.read(tmp_path / "y")
    (tmp_path / "x.bin").write_bytes(b"abc")
    with pytest.raises(ValueError, match=r"x\.bin: 3 bytes; its index says 2 tokens of 2 bytes"):
        indexed.read(tmp_path / "x")
    index = (tmp_path / "x.idx").read_bytes()
    (tmp_path / "x.idx").write_bytes(index + b"x")
    with pytest.raises(ValueError, match=r"x\.idx: 39 bytes; 1 segments take 38"):
        indexed.read(tmp_path / "x")
    (tmp_path / "x.idx").write_bytes(index[:17] + b"\x07" + index[18:])
    with pytest.raises(ValueError, match=r"x\.idx: element type 7; expected one of \[4, 8\]"):
        indexed.read(tmp_path / "x")
    (tmp_path / "x.idx").write_bytes(b"TNTIDX")
    with pytest.raises(ValueError, match=r"x\.idx: not an index of fairseq's mmap format, it starts with b'TNTIDX'"):
        indexed.read(tmp_path / "x")

"""``extract`` writes both files or none, and never over an input."""

import argparse
import gzip

import pytest

from data_prep.commands import extract
from tests.data_prep.parallel_samples import WRITERS

PAIRS = [("one  two\u2028three", "eins"), ("", "leer"), ("last", "zuletzt")]


def _run(*arguments):
    parser = argparse.ArgumentParser()
    extract.add_arguments(parser)
    return extract.run(parser.parse_args([*map(str, arguments), "--src", "en", "--tgt", "de"]), "command")


@pytest.mark.parametrize("form", WRITERS)
def test_two_aligned_files(tmp_path, capsys, form):
    source = WRITERS[form](tmp_path, PAIRS)
    assert _run(*source.files, "--out", tmp_path / "new" / "folder" / "dev.2010") == 0
    written = sorted((tmp_path / "new" / "folder").iterdir())
    assert [path.name for path in written] == ["dev.2010.de", "dev.2010.en"]
    assert [path.read_bytes() for path in written] == [b"eins\nleer\nzuletzt\n", b"one two three\n\nlast\n"]
    assert capsys.readouterr().out.startswith("3 segments: ")


def test_options_of_the_formats(tmp_path):
    (tmp_path / "scored.gz").write_bytes(gzip.compress(b"0.9\tone\teins\n"))
    _run(tmp_path / "scored.gz", "--format", "tsv", "--columns", "2,3", "--out", tmp_path / "out")
    assert (tmp_path / "out.en").read_text() == "one\n"
    assert (tmp_path / "out.de").read_text() == "eins\n"


@pytest.mark.parametrize("columns", ["2", "1,2,3", "1,"])
def test_columns_that_are_not_two(tmp_path, columns):
    with pytest.raises(ValueError, match="--columns: expected two names or numbers"):
        _run("x.tsv", "--columns", columns, "--out", tmp_path / "out")


def test_an_input_is_not_overwritten(tmp_path):
    source = WRITERS["plain"](tmp_path, PAIRS)
    before = [open(file, "rb").read() for file in source.files]  # noqa: SIM115
    with pytest.raises(ValueError, match=r"train\.en: would be overwritten, but it is an input"):
        _run(*source.files, "--out", tmp_path / "train")
    assert [open(file, "rb").read() for file in source.files] == before  # noqa: SIM115


def test_a_failure_leaves_what_was_there(tmp_path):
    (tmp_path / "a.en").write_text("one\ntwo\n")
    (tmp_path / "a.de").write_text("eins\n")
    (tmp_path / "out.en").write_text("old\n")
    with pytest.raises(ValueError, match="misaligned files"):
        _run(tmp_path / "a.en", tmp_path / "a.de", "--out", tmp_path / "out")
    assert (tmp_path / "out.en").read_text() == "old\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.de", "a.en", "out.en"]


def test_nothing_to_write(tmp_path):
    (tmp_path / "a.en").write_text("")
    (tmp_path / "a.de").write_text("")
    with pytest.raises(ValueError, match=r"a\.en, .*a\.de: no segments"):
        _run(tmp_path / "a.en", tmp_path / "a.de", "--out", tmp_path / "out")

"""Files appear in full or not at all."""

import pytest
from files import write_json, write_text, written_whole


def test_a_file_keeps_its_content_when_writing_fails(tmp_path):
    path = tmp_path / "text"
    write_text(path, "old\n")
    with pytest.raises(KeyError), written_whole(path) as temporary:
        temporary.write_text("ne")
        raise KeyError
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_folders_are_made(tmp_path):
    write_json(tmp_path / "a" / "b" / "c.json", {"é": 1})
    assert (tmp_path / "a" / "b" / "c.json").read_text(encoding="utf-8") == '{\n "é": 1\n}\n'


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(ValueError, match="cannot be written, it is a folder; name a file"):
        write_text(tmp_path, "")
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"file/out: cannot be written \(File exists: .*/file\)"):
        write_text(tmp_path / "file" / "out", "")

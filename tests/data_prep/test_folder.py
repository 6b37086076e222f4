"""An output folder is complete or absent, and a killed run is gone on with."""

import os
import subprocess
import sys

import pytest

from data_prep.folder import building, written_whole


def test_appears_complete_and_replaces_the_old(tmp_path):
    out = tmp_path / "deep" / "out"
    for content in ("one", "two"):
        with building(out, content) as place:
            (place.result / content).touch()
            assert not (out / content).exists()
        assert [path.name for path in out.iterdir()] == [content]
    assert list(out.parent.iterdir()) == [out]


def test_wrong_input_leaves_everything_as_it_was(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(ValueError, match="bad"), building(out, "a"):
        raise ValueError("bad")
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(ValueError, match="bad"), building(out, "a") as place:
        (place.result / "new").touch()
        raise ValueError("bad")
    assert [path.name for path in out.iterdir()] == ["old"]


def test_a_full_disk_keeps_what_was_done(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(OSError, match="full"), building(out, "a") as place:
        (place.work / "step").touch()
        raise OSError("full")
    assert [path.name for path in tmp_path.iterdir()] == ["out.tmp"]
    with building(out, "a") as place:
        assert (place.work / "step").exists()
        (place.result / "half").touch()
        place.empty_result()
        assert list(place.result.iterdir()) == []
    assert list(tmp_path.iterdir()) == [out]


def test_work_for_something_else_is_not_used(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(OSError, match="full"), building(out, "a") as place:
        (place.work / "step").touch()
        raise OSError("full")
    with building(out, "b") as place:
        assert list(place.work.iterdir()) == []


KILLED = """
import os, pathlib
from data_prep.folder import building

with building(pathlib.Path("out"), "a") as place:
    (place.work / "step").touch()
    rename = os.rename
    def killing(source, target):
        if STEP in str(source) + ">" + str(target):
            os._exit(9)
        rename(source, target)
    os.rename = killing
"""


@pytest.mark.parametrize("step", ["out>out.tmp/old", "out.tmp/result>out"])
def test_a_swap_that_was_cut_short_is_undone(tmp_path, step):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    code = KILLED.replace("STEP", repr(step))
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment).returncode == 9
    with pytest.raises(ValueError, match="bad"), building(out, "a") as place:
        assert (place.work / "step").exists()
        assert [path.name for path in out.iterdir()] == ["old"]
        raise ValueError("bad")
    assert [path.name for path in out.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_live_run_is_not_disturbed(tmp_path):
    out = tmp_path / "out"
    with (
        building(out, "a"),
        pytest.raises(ValueError, match=rf"out: process {os.getpid()} is building it in .*out\.tmp; wait"),
        building(out, "a"),
    ):
        pass
    assert out.is_dir()


def test_written_whole(tmp_path):
    with written_whole(tmp_path / "a") as path:
        path.write_text("new")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "new"
    with pytest.raises(OSError, match="full"), written_whole(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError("full")
    assert (tmp_path / "a").read_text() == "new"

"""An output folder is complete or absent, and a killed run is gone on with."""

import errno
import os
import subprocess
import sys
from contextlib import contextmanager

import pytest

from data_prep import folder
from data_prep.folder import claimed, written_whole


@contextmanager
def building(out, identity):
    """Claim and build a folder, as ``prepare`` does."""
    with claimed(out) as place, folder.building(place, identity):
        yield place


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
    told = "out.tmp: the disk is full; make room and run the same command again, it goes on"
    with pytest.raises(OSError, match=told), building(out, "a") as place:
        (place.work / "step").touch()
        raise OSError(errno.ENOSPC, "No space left on device")
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
HERE = os.getcwd() + "/"
from data_prep.folder import building, claimed

with claimed(pathlib.Path("out")) as place, building(place, "a"):
    (place.work / "step").touch()
    rename = os.rename
    def killing(source, target):
        if STEP in str(source).replace(HERE, "") + ">" + str(target).replace(HERE, ""):
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


def test_a_removal_that_was_cut_short_leaves_nothing_to_go_on_with(tmp_path, monkeypatch):
    out = tmp_path / "out"
    with pytest.raises(OSError, match="stop"), building(out, "a") as place:
        for name in ("finished", "000000.json"):
            (place.work / name).touch()
        raise OSError("stop")
    with monkeypatch.context() as patched:
        patched.setattr(folder.shutil, "rmtree", lambda path, **_: (path / "000000.json").unlink(missing_ok=True))
        place.remove()
    assert (place.work / "finished").exists()
    with building(out, "a") as place:
        assert list(place.work.iterdir()) == []


def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "big").mkdir()
    (tmp_path / "out").symlink_to(tmp_path / "big")
    with building(tmp_path / "out", "a") as place:
        (place.result / "new").touch()
    assert (tmp_path / "out").is_symlink() and (tmp_path / "big" / "new").exists()


def test_a_mount_point_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(os.path, "ismount", lambda path: True)
    with pytest.raises(ValueError, match="out: is where a disk is mounted and cannot be replaced"):
        building(tmp_path / "out", "a").__enter__()


def test_many_at_once(tmp_path):
    """Every run builds, or says who does; none trips over another that is just cleaning up."""
    code = f"""
import pathlib, sys
sys.path.insert(0, {os.getcwd()!r})
from data_prep.folder import building, claimed
done = refused = 0
for number in range(300):
    try:
        with claimed(pathlib.Path("out")) as place, building(place, "a"):
            (place.result / "x").touch()
        done += 1
    except ValueError as error:
        assert "is building it" in str(error), error
        refused += 1
print(done, refused)
"""
    runs = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], said
    assert sum(int(out.split()[0]) for out, _ in said) > 30


def test_written_whole(tmp_path):
    with written_whole(tmp_path / "a") as path:
        path.write_text("new")
        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_text() == "new"
    with pytest.raises(OSError, match="full"), written_whole(tmp_path / "a") as path:
        path.write_text("half")
        raise OSError("full")
    assert (tmp_path / "a").read_text() == "new"

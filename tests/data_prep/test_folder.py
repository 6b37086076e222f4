"""An output folder is complete or absent."""

import os
import subprocess
import sys

import pytest

from data_prep.folder import building


def test_appears_complete_and_replaces_the_old(tmp_path):
    out = tmp_path / "deep" / "out"
    for content in ("one", "two"):
        with building(out) as folder:
            (folder / content).touch()
            assert not (out / content).exists()
        assert [path.name for path in out.iterdir()] == [content]
    assert list(out.parent.iterdir()) == [out]


def test_an_error_leaves_everything_as_it_was(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(KeyError), building(out):
        raise KeyError
    assert list(tmp_path.iterdir()) == []
    out.mkdir()
    (out / "old").touch()
    with pytest.raises(KeyError), building(out) as folder:
        (folder / "new").touch()
        raise KeyError
    assert [path.name for path in out.iterdir()] == ["old"]


def test_what_a_killed_run_left_is_removed(tmp_path):
    out = tmp_path / "out"
    code = "import os, pathlib\nfrom data_prep.folder import building\nwith building(pathlib.Path('out')): os._exit(9)"
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment).returncode == 9
    left = list(tmp_path.iterdir())
    assert len(left) == 1 and left[0].name.startswith("out.tmp-")
    with building(out):
        assert not left[0].exists()
    assert list(tmp_path.iterdir()) == [out]


KILLED_WHILE_SWAPPING = """
import os, pathlib
from data_prep.folder import building

with building(pathlib.Path("out")) as folder:
    rename = os.rename
    os.rename = lambda source, target: os._exit(9) if source == folder else rename(source, target)
"""


def test_a_swap_that_was_cut_short_is_undone(tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "old").touch()
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    killed = subprocess.run([sys.executable, "-c", KILLED_WHILE_SWAPPING], cwd=tmp_path, env=environment)
    assert killed.returncode == 9
    assert not out.exists() and len(list(tmp_path.iterdir())) == 2
    with pytest.raises(KeyError), building(out):
        raise KeyError
    assert [path.name for path in out.iterdir()] == ["old"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_live_run_is_not_disturbed(tmp_path):
    out = tmp_path / "out"
    with (
        building(out),
        pytest.raises(ValueError, match=r"out: another process is building it in .*out\.tmp-\d+; wait"),
        building(out),
    ):
        pass
    assert out.is_dir()

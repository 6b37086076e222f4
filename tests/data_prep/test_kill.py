"""A preparation that is killed at any moment and run again ends with the same bytes as one that was left alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from data_prep import training_text
from data_prep.__main__ import main
from data_prep.text import read_lines

PAIRS = 230
RUN = """
import sys
from data_prep import training_text
from data_prep.__main__ import main

if __name__ == "__main__":
    training_text.CHUNK = 40
    sys.exit(main(["prepare", "--config", "experiment.yaml", "--quiet"]))
"""


@pytest.fixture
def experiment(tmp_path):
    """Two language pairs of several chunks, with repeats, held-out text and shards."""
    for lang in ("en", "de", "fr"):
        lines = [f"{lang} sentence {number % 190} of the\u00a0text &amp; more\n" for number in range(PAIRS)]
        (tmp_path / f"train.{lang}").write_text("".join(lines), encoding="utf-8")
        (tmp_path / f"test.{lang}").write_text(f"a {lang} test\n")
    pairs = {
        f"en-{lang}": {
            "train": [
                {"src": "train.en", "tgt": f"train.{lang}"},
                {"src": "test.en", "tgt": f"test.{lang}", "name": "x"},
            ],
            "valid": {"every": 10},
            "tests": {"talk": {"src": "test.en", "tgt": f"test.{lang}"}},
        }
        for lang in ("de", "fr")
    }
    clean = ["empty", "length", "duplicate"]
    data = {"out": "out", "pairs": pairs, "subword": {"vocab_size": 60}, "shards": 2, "workers": 2, "clean": clean}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump({"name": "x", "data": data}))
    (tmp_path / "run.py").write_text(RUN)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file but the figures of speed, which differ from run to run."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != "throughput.json"]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def start(folder: Path) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    return subprocess.Popen([sys.executable, "run.py"], cwd=folder, env=environment, start_new_session=True)


@pytest.fixture
def undisturbed(experiment):
    """The files of a run that was left alone."""
    assert start(experiment).wait(120) == 0
    expected = contents(experiment / "out")
    assert {"shard0/train.en-de.de.bin", "shard1/valid.en-fr.fr.idx", "tests/talk/en-de.src"} <= expected.keys()
    for path in sorted((experiment / "out").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (experiment / "out").rmdir()
    return expected


def test_killed_by_the_clock(experiment, undisturbed):
    kills, delay = 0, 0.8
    while True:
        run = start(experiment)
        try:
            run.wait(delay)
            break
        except subprocess.TimeoutExpired:
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            kills += 1
            delay += 0.8
    assert run.returncode == 0
    assert kills >= 2
    assert contents(experiment / "out") == undisturbed
    assert sorted(path.name for path in experiment.iterdir() if path.is_dir()) == ["out"]


def test_killed_after_every_rename(experiment, undisturbed, monkeypatch):
    """What a step leaves appears by a rename; a run that dies right after it must go on with the next."""
    monkeypatch.chdir(experiment)
    monkeypatch.setattr(training_text, "CHUNK", 40)
    runs = 0
    while True:
        runs += 1
        assert runs < 200
        child = os.fork()
        if child == 0:
            _die_after_a_rename()
            os._exit(main(["prepare", "--config", "experiment.yaml", "--workers", "1", "--quiet"]))
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != 9:
            break
    assert os.waitstatus_to_exitcode(status) == 0
    assert runs > 20
    assert contents(experiment / "out").keys() == undisturbed.keys()
    assert not (experiment / "out.tmp").exists()
    signed = "signature.json"  # has another command line
    assert {**contents(experiment / "out"), signed: b""} == {**undisturbed, signed: b""}


def _die_after_a_rename():
    for name in ("rename", "replace"):
        original = getattr(os, name)

        def renaming(source, target, original=original):
            original(source, target)
            os._exit(9)

        setattr(os, name, renaming)


def test_two_at_once(experiment):
    """The second of two runs refuses and names the first, or finds its work done."""
    runs = [
        subprocess.Popen(
            [sys.executable, "run.py"],
            cwd=experiment,
            env={**os.environ, "PYTHONPATH": os.getcwd()},
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    said = [run.communicate(timeout=120)[1] for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    if 1 in codes:
        winner = runs[codes.index(0)].pid
        assert f"out: process {winner} is building it in " in said[codes.index(1)]
    assert len(list(read_lines(experiment / "out" / "tests" / "talk" / "en-de.src"))) == 1


def test_text_for_language_models(tmp_path, monkeypatch):
    """A kill while fairseq binarises leaves what the next run is not disturbed by."""
    for split in ("train", "valid", "test"):
        (tmp_path / split).write_text(f"{split} a b\n" * 9)
    text = {split: split for split in ("train", "valid", "test")}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump({"name": "x", "data": {"out": "out", "text": text}}))
    monkeypatch.chdir(tmp_path)
    child = os.fork()
    if child == 0:
        run = subprocess.run

        def dying(*args, **options):
            run(*args, **options)
            os._exit(9)

        subprocess.run = dying
        os._exit(main(["prepare", "--config", "x.yaml", "--quiet"]))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert not Path("out").exists() and Path("out.tmp").exists()
    assert main(["prepare", "--config", "x.yaml", "--quiet"]) == 0
    assert {"train.bin", "dict.txt", "signature.json"} <= {path.name for path in Path("out").iterdir()}
    assert not Path("out.tmp").exists()

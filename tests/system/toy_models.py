"""Prepared toy data and trained toy models, for tests that need the real ones."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tensorboardX.proto import event_pb2

from data_prep import experiment_file
from data_prep.prepare import prepare as prepare_data
from tests.system.toy_experiment import write_experiment

ROOT = Path(__file__).resolve().parents[2]


@contextlib.contextmanager
def folder(path: Path) -> Iterator[None]:
    """Work in a folder: the paths of an experiment are relative to where the workflow is run."""
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


def prepare(root: Path, **changes: object) -> Path:
    """Write and prepare a toy experiment; returns its YAML file."""
    path = write_experiment(root, **changes)  # type: ignore[arg-type]
    with folder(root):
        prepare_data(experiment_file.load(Path(path.name)))
    return path


def train(root: Path, family: str, setting: str) -> subprocess.Popen[str]:
    """Start to train a cell, as the workflow does."""
    command = [
        sys.executable, str(ROOT / "scripts" / "train.py"), "--config", "toy.yaml",
        "--family", family, "--setting", setting, "--seed", "1",
    ]  # fmt: skip
    return subprocess.Popen(
        command, cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )


def tensorboard(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars that were logged into a folder: name -> updates and values.

    A record is its length (8 bytes), a checksum (4), the event, a checksum (4).
    """
    found: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.*")):
        content = path.read_bytes()
        while content:
            (length,) = struct.unpack("<Q", content[:8])
            event = event_pb2.Event.FromString(content[12 : 12 + length])
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
            content = content[16 + length :]
    return found


def snakemake(
    folder: Path, *arguments: str, experiment: str | None = "toy.yaml", snakefile: str = "Snakefile"
) -> tuple[int, str]:
    """Run the workflow as the README does; returns the status and all output."""
    command = [
        sys.executable, "-m", "snakemake", "-s", str(ROOT / "scripts" / snakefile), "--cores", "2", *arguments,
        *(["--config", f"experiment={experiment}"] if experiment else []),
    ]  # fmt: skip
    environment = dict(os.environ, XDG_CACHE_HOME=str(folder / "cache"), PYTHONPATH=str(ROOT))
    result = subprocess.run(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    return result.returncode, result.stdout

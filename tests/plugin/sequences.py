"""Small data sets of the synthetic tasks, and training on them, for the plugin's tests."""

from __future__ import annotations

from pathlib import Path

from data_prep import __main__ as data_prep
from tests.plugin import toy

TASK_OPTIONS = ("--task", "sequence_prediction", "--criterion", "sequence_prediction")


def write(folder: Path, task: str, *options: str, train: int = 60, valid: int = 20, test: int = 20) -> Path:
    """``python -m data_prep synthetic``; returns the folder."""
    sizes = ("--train", str(train), "--valid", str(valid), "--test", str(test))
    assert data_prep.main(["synthetic", task, "--out", str(folder), *sizes, *options]) == 0
    return folder


def train(data: Path, save_dir: Path, arch: str, *options: str) -> Path:
    """Train in batches of 16 sequences; returns the last checkpoint."""
    return toy.train(data, save_dir, *TASK_OPTIONS, "--arch", arch, "--batch-size", "16", *options)

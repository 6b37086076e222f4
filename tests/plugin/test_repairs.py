"""The list of repairs: applied once, each only where it is needed."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
from fairseq.data import data_utils

from fairseq_plugins import repairs
from fairseq_plugins.repairs import quiet_import
from tests.plugin import toy


def fake_repair(name: str, *, needed: bool) -> SimpleNamespace:
    return SimpleNamespace(__name__=name, needed=lambda: needed, apply=mock.Mock())


def test_each_repair_is_applied_once_and_only_where_it_is_needed():
    faulty, sound = fake_repair("faulty", needed=True), fake_repair("sound", needed=False)
    with mock.patch.object(repairs, "REPAIRS", (faulty, sound)), mock.patch.object(repairs, "_applied", set()):
        repairs.apply()
        repairs.apply()
    faulty.apply.assert_called_once_with()
    sound.apply.assert_not_called()


def test_a_second_call_changes_nothing():
    before = data_utils.batch_by_size
    repairs.apply()
    assert data_utils.batch_by_size is before


@pytest.mark.parametrize(
    "repair", (quiet_import, *repairs.REPAIRS), ids=lambda repair: repair.__name__.rpartition(".")[2]
)
def test_a_repair_says_what_it_repairs(repair):
    assert "Fault:" in repair.__doc__
    assert "It shows" in repair.__doc__
    assert "fairseq." in repair.__doc__


# Logging


def run(*argv: str | Path) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of its own, where nothing has set up logging."""
    root = Path(toy.USER_DIR).parent
    return subprocess.run([sys.executable, *argv], cwd=root, capture_output=True, text=True, check=True)


def test_the_root_logger_is_given_back():
    root = logging.getLogger()
    before = root.level, list(root.handlers)
    with quiet_import.root_logger_kept():
        root.setLevel(logging.DEBUG)
        root.addHandler(logging.NullHandler())
    assert (root.level, root.handlers) == before


def test_the_plugin_says_nothing_when_it_is_imported():
    finished = run("-m", "fairseq_plugins")
    assert (finished.stdout, finished.stderr) == (toy.USER_DIR + "\n", "")


def test_training_still_logs_after_the_plugin_was_imported(tmp_path):
    data = toy.binarise(tmp_path, train=8, valid=2, test=2)
    command = "import fairseq_plugins; from fairseq_cli.train import cli_main; cli_main()"
    finished = run("-c", command, data, "--save-dir", tmp_path / "model", *toy.TRAIN_OPTIONS, *toy.LSTM_OPTIONS)
    assert "| INFO | fairseq_cli.train | num. shared model params" in finished.stdout
    assert "DEBUG" not in finished.stdout + finished.stderr

"""Two processes on the CPU train the parameters that one process with ``--update-freq 2`` trains.

The command that is tested, given twice with ``--distributed-rank 0`` and ``--distributed-rank 1``:

    fairseq-train DATA ... --cpu --ddp-backend legacy_ddp --distributed-backend gloo --distributed-world-size 2
        --distributed-no-spawn --distributed-init-method tcp://localhost:29500 --distributed-rank 0

or once, by torchrun:

    torchrun --nproc-per-node 2 -m fairseq_cli.train DATA ... --cpu --ddp-backend legacy_ddp --distributed-backend gloo

Dropout is off: the two processes start each update with the same random numbers, one process goes on with the next.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.plugin import sequences, toy

SINGLE = ("--task", "translation", "-s", "en", "-t", "de", "--arch", "rims_seq2seq_tiny")
MULTITASK = (
    "--task", "multitask_translation", "--lang-pairs", "en-de,en-fr", "--arch", "multilingual_rims_seq2seq_tiny",
    "--best-checkpoint-metric", "en-fr_loss",
)  # fmt: skip
# 11 batches: an odd number, so that the second process has none for the last update of an epoch. Two epochs.
OPTIONS = ("--batch-size", "10", "--max-update", "12", "--no-epoch-checkpoints", "--dropout", "0")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """In validation the first process begins with a batch of both pairs, the second with one of the longer set."""
    root = tmp_path_factory.mktemp("data_parallel")
    return toy.binarise(root, train={"en-de": 70, "en-fr": 105}, valid={"en-de": 10, "en-fr": 45}, test=3)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return listener.getsockname()[1]


def train_two_processes(data: Path, save_dir: Path, *argv: str) -> Path:
    """Train as documented above; returns the last checkpoint."""
    command = [
        sys.executable, "-m", "fairseq_cli.train", data, "--save-dir", save_dir, *toy.TRAIN_OPTIONS, *argv,
        "--distributed-backend", "gloo", "--distributed-world-size", "2", "--distributed-no-spawn",
        "--distributed-init-method", f"tcp://localhost:{free_port()}",
    ]  # fmt: skip
    save_dir.mkdir()
    logs = [save_dir / f"rank{rank}.log" for rank in range(2)]
    processes = []
    try:
        for rank, log in enumerate(logs):
            with log.open("w") as output:
                argv = [*map(str, command), "--distributed-rank", str(rank)]
                environment = {**os.environ, "OMP_NUM_THREADS": "1"}
                processes.append(subprocess.Popen(argv, env=environment, stdout=output, stderr=subprocess.STDOUT))
        codes = [process.wait(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert codes == [0, 0], "\n".join(log.read_text()[-3000:] for log in logs)
    return save_dir / "checkpoint_last.pt"


def train_by_torchrun(data: Path, save_dir: Path, *argv: str) -> Path:
    """Train as documented above; returns the last checkpoint."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "fairseq_cli.train", data, "--save-dir", save_dir, *toy.TRAIN_OPTIONS, *argv,
        "--distributed-backend", "gloo",
    ]  # fmt: skip
    result = subprocess.run(list(map(str, command)), env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=120,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip
    assert result.returncode == 0, result.stdout[-6000:]
    return save_dir / "checkpoint_last.pt"


def load(checkpoint: Path) -> dict:
    return torch.load(checkpoint, map_location="cpu", weights_only=False)  # written by this test


@pytest.mark.parametrize(
    ("train", "model"),
    [(train_two_processes, SINGLE), (train_two_processes, MULTITASK), (train_by_torchrun, MULTITASK)],
    ids=["single", "multitask", "torchrun"],
)
def test_two_processes_train_the_model_of_one_with_update_freq_two(
    data: Path, tmp_path: Path, train: Callable[..., Path], model: tuple
) -> None:
    two = load(train(data, tmp_path / "two", *model, *OPTIONS))
    one = load(toy.train(data, tmp_path / "one", *model, *OPTIONS, "--update-freq", "2"))
    assert one["optimizer_history"][-1]["num_updates"] == two["optimizer_history"][-1]["num_updates"] == 12
    torch.testing.assert_close(two["model"], one["model"], rtol=0, atol=1e-6)
    assert two["extra_state"]["val_loss"] == pytest.approx(one["extra_state"]["val_loss"], abs=1e-3)


def test_sequence_prediction_in_two_processes(tmp_path: Path) -> None:
    data = sequences.write(tmp_path / "data", "copying", "--delay", "3", "--test-delay", "3", train=105, valid=25)
    model = (*sequences.TASK_OPTIONS, "--arch", "rims_predictor_tiny")
    two = load(train_two_processes(data, tmp_path / "two", *model, *OPTIONS))
    one = load(toy.train(data, tmp_path / "one", *model, *OPTIONS, "--update-freq", "2"))
    torch.testing.assert_close(two["model"], one["model"], rtol=0, atol=1e-6)
    assert two["extra_state"]["val_loss"] == pytest.approx(one["extra_state"]["val_loss"], abs=1e-5)

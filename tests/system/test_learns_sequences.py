"""A minute of training must teach the synthetic tasks at a small size, and RIMs must go on to longer sequences."""

import re

import pytest

from tests.plugin import sequences, toy

TRAIN = ("--lr", "0.01", "--clip-norm", "1", "--disable-validation")


def evaluate(data, checkpoint, split):
    """The loss on a split, as ``fairseq-validate`` prints it."""
    output = toy.run_fairseq(
        "validate", data, "--user-dir", toy.USER_DIR, "--path", checkpoint, "--cpu", "--valid-subset", split,
        "--batch-size", "500", "--log-format", "simple", *sequences.TASK_OPTIONS,
    )  # fmt: skip
    return float(re.search(rf"\| {split} \|.*\| loss ([\d.e-]+)", output)[1])


def test_rims_learn_to_add_and_go_on_to_longer_sequences(tmp_path):
    data = sequences.write(
        tmp_path / "data", "adding", "--length", "10", "--test-length", "10", "20", train=20000, valid=10, test=500
    )
    checkpoint = sequences.train(
        data, tmp_path / "model", "rims_predictor_tiny", *TRAIN, "--batch-size", "64", "--max-update", "300"
    )
    assert evaluate(data, checkpoint, "test10") < 0.01  # chance: 0.1667
    assert evaluate(data, checkpoint, "test20") < 0.02


@pytest.mark.parametrize("arch, loss", [("rims_predictor_tiny", 1.85), ("transformer_predictor_tiny", 0.5)])
def test_copying_gets_better_than_chance(tmp_path, arch, loss):
    data = sequences.write(tmp_path / "data", "copying", "--delay", "5", "--test-delay", "5", train=20000, test=500)
    checkpoint = sequences.train(
        data, tmp_path / "model", arch, *TRAIN, "--lr", "0.005", "--batch-size", "64", "--max-update", "150"
    )
    assert evaluate(data, checkpoint, "test5") < loss  # chance: 2.0794


def test_rims_learn_to_reverse_a_number(tmp_path):
    data = sequences.write(
        tmp_path / "data", "memorisation", "--operation", "reverse", "--length", "4", train=20000, test=100
    )
    checkpoint = toy.train(
        data, tmp_path / "model", "--task", "translation", "-s", "number", "-t", "answer",
        "--arch", "rims_seq2seq_tiny", "--share-all-embeddings", *TRAIN, "--max-tokens", "500", "--max-update", "300",
    )  # fmt: skip
    output = toy.run_fairseq(
        "generate", data, "--user-dir", toy.USER_DIR, "--cpu", "--path", checkpoint, "--beam", "1",
    )  # fmt: skip
    lines = [line.split("\t") for line in output.splitlines()]
    answers = {line[0][2:]: line[2] for line in lines if line[0].startswith("H-")}
    expected = {line[0][2:]: line[1] for line in lines if line[0].startswith("T-")}
    assert len(expected) == 100
    assert sum(answers[number] == expected[number] for number in expected) >= 40  # by guessing: none

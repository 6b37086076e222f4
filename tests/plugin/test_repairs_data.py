"""Repairs of data loading: nothing is lost, and nothing fails under numpy 2."""

from __future__ import annotations

import inspect
import subprocess
import sys
import threading
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from fairseq.data import TokenBlockDataset, data_utils, language_pair_dataset, token_block_dataset
from fairseq.data.iterators import BufferedIterator
from fairseq.tasks.language_modeling import LanguageModelingTask

from fairseq_plugins.repairs import consumer_exit, empty_eval_lm, last_batch, numpy2
from tests.plugin import toy
from tests.plugin.original import without_repair

LSTM_LM = ("--task", "language_modeling", "--arch", "lstm_lm", *toy.DECODER_OPTIONS)
GENERATE = ("--user-dir", toy.USER_DIR, "--cpu", "--beam", "1", "--num-workers", "0")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return toy.binarise(tmp_path_factory.mktemp("toy"), train=40, test=197)


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory) -> Path:
    return toy.train(data, tmp_path_factory.mktemp("model"), *toy.LSTM_OPTIONS)


@pytest.fixture(scope="module")
def lm_data(data) -> Path:
    """The English side as text for a language model."""
    text, folder = data.parent / "text", data.parent / "lm"
    splits = [
        option for split in ("train", "valid", "test") for option in (f"--{split}pref", text / f"{split}.en-de.en")
    ]
    toy.run_fairseq("preprocess", "--only-source", "--destdir", folder, "--srcdict", data / "dict.en.txt", *splits)
    return folder


@pytest.fixture(scope="module")
def lm_checkpoint(lm_data, tmp_path_factory) -> Path:
    return toy.train(lm_data, tmp_path_factory.mktemp("lm"), *LSTM_LM, "--tokens-per-sample", "16")


def hypotheses(output: str) -> int:
    return sum(line.startswith("H-") for line in output.splitlines())


# The last batch


def batch(count: int, *, multiple: int = 8, max_sentences: int = 8) -> list[list[int]]:
    batches = data_utils.batch_by_size(
        np.arange(count), lambda index: 1, max_sentences=max_sentences, required_batch_size_multiple=multiple
    )
    return [list(map(int, indices)) for indices in batches]


@pytest.mark.parametrize("count", [0, 1, 3, 8, 9, 197])
@pytest.mark.parametrize("max_sentences", [1, 7, 8, 20])
def test_every_sentence_is_in_one_batch(count, max_sentences):
    batches = batch(count, max_sentences=max_sentences)
    assert sum(batches, []) == list(range(count))
    assert all(0 < len(indices) <= max_sentences for indices in batches)


def test_only_the_last_batch_may_be_no_multiple():
    assert [len(indices) for indices in batch(21, max_sentences=16)] == [16, 5]


def test_indices_may_be_an_iterable():
    batches = data_utils.batch_by_size(iter(range(9)), lambda index: 1, max_sentences=8, required_batch_size_multiple=8)
    assert sum(map(len, batches)) == 9


def test_fairseq_drops_the_last_batch():
    with without_repair(data_utils, "batch_by_size"):
        assert last_batch.needed()
        assert sum(batch(9), []) == list(range(8))
        assert batch(3) == []
    assert not last_batch.needed()


def test_197_lines_give_197_hypotheses(data, checkpoint):
    output = toy.run_fairseq("generate", data, "-s", "en", "-t", "de", "--path", checkpoint, *GENERATE)
    assert hypotheses(output) == 197


def test_fairseq_gives_192(data, checkpoint):
    with without_repair(data_utils, "batch_by_size"):
        output = toy.run_fairseq("generate", data, "-s", "en", "-t", "de", "--path", checkpoint, *GENERATE)
    assert hypotheses(output) == 192


def test_a_set_smaller_than_the_multiple(tmp_path, checkpoint):
    data = toy.binarise(tmp_path, train=20, valid=3, test=3)
    assert toy.train(data, tmp_path / "model", *toy.LSTM_OPTIONS, "--required-batch-size-multiple", "8").exists()
    output = toy.run_fairseq("generate", data, "-s", "en", "-t", "de", "--path", checkpoint, *GENERATE)
    assert hypotheses(output) == 3


# numpy 2


def blocks_by_sentence() -> TokenBlockDataset:
    sentences = [torch.tensor([4, 5, 2]), torch.tensor([6, 2])]
    return TokenBlockDataset(sentences, [3, 2], block_size=None, pad=1, eos=2, break_mode="eos")


def test_blocks_are_sentences():
    assert [block.tolist() for block in blocks_by_sentence()] == [[4, 5, 2], [6, 2]]


def test_buckets_are_lengths_that_occur():
    assert data_utils.get_buckets(np.array([1, 2, 3, 10]), 2).tolist() == [2, 10]


@pytest.mark.skipif(np.lib.NumpyVersion(np.__version__) < "2.0.0", reason="numpy 1 has the names")
def test_fairseq_uses_names_that_numpy_2_lacks():
    with mock.patch.object(token_block_dataset, "np", np), pytest.raises(AttributeError, match="compat"):
        blocks_by_sentence()
    with mock.patch.object(data_utils, "np", np):
        assert numpy2.needed()
        with pytest.raises(TypeError, match="interpolation"):
            data_utils.get_buckets(np.array([1, 2]), 1)
    assert not numpy2.needed()


def test_numpy_itself_is_left_alone():
    assert language_pair_dataset.np is not np
    assert language_pair_dataset.np.arange is np.arange
    assert not hasattr(np, "compat") or np.lib.NumpyVersion(np.__version__) < "2.0.0"


def test_num_batch_buckets(data, tmp_path):
    assert toy.train(data, tmp_path, *toy.LSTM_OPTIONS, "--num-batch-buckets", "2").exists()


def test_language_model_by_sentence_trains_and_generates(lm_data, tmp_path):
    checkpoint = toy.train(lm_data, tmp_path, *LSTM_LM, "--sample-break-mode", "eos")
    output = toy.run_fairseq(
        "generate",
        lm_data,
        "--task",
        "language_modeling",
        "--path",
        checkpoint,
        "--sample-break-mode",
        "eos",
        *GENERATE,
    )
    assert hypotheses(output) == 197


# An evaluation of nothing


def evaluate_lm(lm_data: Path, checkpoint: Path, *argv: str) -> None:
    options = ("--user-dir", toy.USER_DIR, "--cpu", "--num-workers", "0", "--tokens-per-sample", "400")
    toy.run_fairseq("eval-lm", lm_data, "--path", checkpoint, *options, *argv)


def test_blocks_longer_than_the_model_are_refused(lm_data, lm_checkpoint):
    message = r"none of the \d+ blocks of text fits the model's 16 positions.*--model-overrides"
    with pytest.raises(ValueError, match=message):
        evaluate_lm(lm_data, lm_checkpoint)


def test_the_advice_helps(lm_data, lm_checkpoint, caplog):
    with caplog.at_level("INFO"):
        evaluate_lm(lm_data, lm_checkpoint, "--model-overrides", "{'max_target_positions': 100000}")
    assert "Perplexity" in caplog.text


def test_fairseq_calls_nothing_a_perplexity(lm_data, lm_checkpoint, caplog):
    with without_repair(LanguageModelingTask, "eval_lm_dataloader"), caplog.at_level("INFO"):
        assert empty_eval_lm.needed()
        evaluate_lm(lm_data, lm_checkpoint)
    assert "Evaluated 0 tokens" in caplog.text
    assert "Perplexity: 1.00" in caplog.text
    assert not empty_eval_lm.needed()


# The thread that fills the queue


class Batches:
    """Endless batches, each of which takes PyTorch a moment."""

    def __len__(self) -> int:
        return 10**6

    def __iter__(self):
        while True:
            yield torch.stack([torch.cat([torch.ones(3), torch.zeros(2)]) for _ in range(50)])


@pytest.mark.parametrize("queue_size", [1, 10**6])
def test_threads_are_stopped(queue_size):
    iterator = BufferedIterator(queue_size, Batches())
    next(iterator)
    thread = iterator._consumer
    assert isinstance(thread, threading.Thread)
    assert thread.is_alive()
    consumer_exit.stop_consumers()
    assert not thread.is_alive()


LEAVE_EARLY = """
import time, torch
{plugin}
from fairseq.data.iterators import BufferedIterator
{batches}
iterator = BufferedIterator(10**6, Batches())
next(iterator)
time.sleep(0.05)
"""


def leaves_cleanly(*, plugin: str, timeout: float) -> bool:
    """Whether a process that ends while its thread makes batches does so with status 0, and at all."""
    script = LEAVE_EARLY.format(plugin=plugin, batches=inspect.getsource(Batches))
    root = Path(__file__).resolve().parents[2]
    try:
        return (
            subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, timeout=timeout).returncode
            == 0
        )
    except subprocess.TimeoutExpired:
        return False


def test_leaving_in_the_middle_of_an_epoch():
    assert leaves_cleanly(plugin="import fairseq_plugins", timeout=120)


def test_fairseq_aborts_or_hangs_when_left_in_the_middle_of_an_epoch():
    # It aborts nearly always at the first attempt, and at times never ends.
    assert not all(leaves_cleanly(plugin="", timeout=40) for _ in range(4))

"""Dictionaries: those of the data's signature and of the checkpoint are used, others are refused. Data in shards."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
import torch
from fairseq.data import Dictionary
from fairseq.trainer import Trainer

import fairseq_plugins  # noqa: F401
from tests.plugin import toy

SINGLE = ("--task", "translation", *toy.LSTM_OPTIONS)
MULTITASK = (
    "--task", "multitask_translation", "--lang-pairs", "en-de,en-fr", "--arch", "multilingual_lstm_seq2seq_tiny",
)  # fmt: skip
MULTILINGUAL = (
    "--task", "multilingual_translation", "--lang-pairs", "en-de,en-fr", "--arch", "multilingual_transformer",
    "--encoder-embed-dim", "8", "--decoder-embed-dim", "8", "--encoder-ffn-embed-dim", "8",
    "--decoder-ffn-embed-dim", "8", "--encoder-layers", "1", "--decoder-layers", "1",
)  # fmt: skip
LANGUAGE_MODEL = ("--task", "language_modeling", "--arch", "lstm_lm", *toy.DECODER_OPTIONS, "--tokens-per-sample", "32")
TASKS = {"translation": SINGLE, "multitask": MULTITASK, "multilingual": MULTILINGUAL, "lm": LANGUAGE_MODEL}
EVALUATION = ("--user-dir", toy.USER_DIR, "--cpu", "--num-workers", "0", "--max-tokens", "400")
ANOTHER = (
    r"checkpoint_last\.pt: was trained with another {name}: .* [0-9a-f]{{64}}, that of {file} is [0-9a-f]{{64}}\. "
)
SHARD_SIZES = ({"en-de": 40, "en-fr": 30}, {"en-de": 24, "en-fr": 20})


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Text of two pairs, and of English alone, binarised and signed."""
    root = tmp_path_factory.mktemp("prepared")
    data = toy.binarise(root, train=16, valid=8, test=8)
    splits = (f"--{split}pref={root}/text/{split}.en-de.en" for split in ("train", "valid", "test"))
    toy.run_fairseq("preprocess", "--only-source", "--destdir", data, "--srcdict", root / "dict.txt", *splits)
    shutil.copytree(data, data / "tests" / "news")
    sign(data)
    return data


@pytest.fixture(scope="module")
def models(prepared, tmp_path_factory) -> dict[str, Path]:
    """A model of each task."""
    root = tmp_path_factory.mktemp("models")
    for name, options in TASKS.items():
        toy.train(prepared, root / name, *options)
    return {name: root / name for name in TASKS}


@pytest.fixture
def data(prepared, tmp_path) -> Path:
    """A copy of the data, to change."""
    return Path(shutil.copytree(prepared, tmp_path / "data"))


def sign(data: Path) -> None:
    """Write what ``python -m data_prep prepare`` leaves about the dictionaries."""
    hashes = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in data.glob("dict.*txt")}
    (data / "signature.json").write_text(json.dumps({"identity": "toy", "dictionaries": hashes}))


def swap_words(dictionary: Path) -> None:
    """Exchange the first two words: the size stays."""
    first, second, *others = dictionary.read_text().splitlines(keepends=True)
    dictionary.write_text("".join([second, first, *others]))


def fairseq_validate(data: Path, model: Path) -> None:
    """Validate a translation model."""
    options = ("--path", model / "checkpoint_last.pt", "--task", "translation", "-s", "en", "-t", "de")
    toy.run_fairseq("validate", data, *options, *EVALUATION)


def evaluate(name: str, data: Path, model: Path) -> None:
    """Run the command that uses a model of the task."""
    path = ("--path", model / "checkpoint_last.pt")
    if name == "lm":
        toy.run_fairseq("eval-lm", data, *path, *EVALUATION, "--tokens-per-sample", "32")
    else:
        task = TASKS[name][:4] if name != "translation" else TASKS[name][:2]
        toy.run_fairseq("generate", data, *task, "-s", "en", "-t", "de", *path, *EVALUATION, "--beam", "1")


def file_and_name(name: str, data: Path) -> tuple[Path, str]:
    """A dictionary of the task, and the pattern of the message that refuses it."""
    dictionary = data / ("dict.txt" if name == "lm" else "dict.de.txt")
    return dictionary, ANOTHER.format(name=dictionary.name, file=dictionary)


# The data's signature


@pytest.mark.parametrize("folder", [".", "tests/news"])
def test_training_and_translation_refuse_a_dictionary_that_is_not_the_signed_one(data, models, folder):
    dictionary = data / folder / "dict.de.txt"
    swap_words(dictionary)
    message = rf"dict\.de\.txt: is not the dictionary .*{data}/signature\.json says \w{{64}}\. Put the original"
    with pytest.raises(ValueError, match=message):
        toy.train(data / folder, data / "model", *SINGLE)
    with pytest.raises(ValueError, match=message):
        evaluate("multitask", data / folder, models["multitask"])
    with pytest.raises(ValueError, match=message):
        fairseq_validate(data / folder, models["translation"])


def test_the_signed_dictionaries_of_a_shard_and_of_plain_data_are_loaded(data, tmp_path):
    shutil.copytree(data / "tests" / "news", data / "shard0")
    Dictionary.load(str(data / "shard0" / "dict.de.txt"))
    swap_words(data / "shard0" / "dict.de.txt")
    with pytest.raises(ValueError, match=r"shard0/dict\.de\.txt: is not the dictionary"):
        Dictionary.load(str(data / "shard0" / "dict.de.txt"))
    shutil.copy(data / "shard0" / "dict.de.txt", tmp_path)
    Dictionary.load(str(tmp_path / "dict.de.txt"))


@pytest.mark.parametrize("content", ["[]", "{}", '{"dictionaries": []}', '{"dictionaries": {"dict.en.txt": "?"}}'])
def test_a_file_that_does_not_list_the_dictionary_is_no_signature_of_it(tmp_path, content):
    (tmp_path / "signature.json").write_text(content)
    (tmp_path / "dict.de.txt").write_text("word 1\n")
    assert "word" in Dictionary.load(str(tmp_path / "dict.de.txt"))


def test_a_damaged_signature_is_named(tmp_path):
    (tmp_path / "signature.json").write_text('{"dictionaries": {')
    (tmp_path / "dict.de.txt").write_text("word 1\n")
    with pytest.raises(
        ValueError, match=r"signature\.json: is damaged \(.*\), .*; put the original back, or prepare the data again in"
    ):
        Dictionary.load(str(tmp_path / "dict.de.txt"))


# The checkpoint's record


@pytest.mark.parametrize("name", TASKS)
def test_a_model_is_not_used_with_other_dictionaries(name, data, models):
    dictionary, message = file_and_name(name, data)
    evaluate(name, data, models[name])
    swap_words(dictionary)
    sign(data)
    with pytest.raises(ValueError, match=message):
        evaluate(name, data, models[name])


@pytest.mark.parametrize("name", TASKS)
def test_training_does_not_go_on_with_other_dictionaries(name, data, models, tmp_path):
    dictionary, message = file_and_name(name, data)
    save_dir = Path(shutil.copytree(models[name], tmp_path / "model"))
    toy.train(data, save_dir, *TASKS[name], "--max-update", "4")
    swap_words(dictionary)
    sign(data)
    with pytest.raises(ValueError, match=message):
        toy.train(data, save_dir, *TASKS[name], "--max-update", "5")


def test_another_size_is_refused_for_the_same_reason(data, models):
    dictionary, message = file_and_name("translation", data)
    dictionary.write_text(dictionary.read_text() + "more 1\n")
    sign(data)
    with pytest.raises(ValueError, match=message):
        evaluate("translation", data, models["translation"])
    with pytest.raises(ValueError, match=message):
        toy.train(data, models["translation"], *SINGLE)
    with pytest.raises(ValueError, match=message):
        fairseq_validate(data, models["translation"])


def test_other_counts_change_nothing(data, models):
    dictionary = data / "dict.de.txt"
    dictionary.write_text(dictionary.read_text().replace(" 1\n", " 2\n"))
    sign(data)
    evaluate("translation", data, models["translation"])


def test_a_checkpoint_without_the_record_is_loaded(data, models, tmp_path):
    state = torch.load(models["translation"] / "checkpoint_last.pt")
    assert set(state["task_state"].pop("dictionaries")["sha256"]) == {"dict.en.txt", "dict.de.txt"}
    torch.save(state, tmp_path / "checkpoint_last.pt")
    evaluate("translation", data, tmp_path)
    toy.train(data, tmp_path, *SINGLE, "--max-update", "4")


# Data in shards: an epoch goes through one of them


@pytest.fixture(scope="module")
def shards(tmp_path_factory) -> str:
    """Two shards of different size, as ``fairseq-train`` takes them."""
    root = tmp_path_factory.mktemp("shards")
    return os.pathsep.join(str(toy.binarise(root / str(i), train=size)) for i, size in enumerate(SHARD_SIZES))


@contextmanager
def recorded_epochs() -> Iterator[list[list[Any]]]:
    """The sentence numbers of each batch of the training that runs inside, a list an epoch."""
    epochs: list[list[Any]] = []
    begin_epoch, train_step = Trainer.begin_epoch, Trainer.train_step

    def begin(trainer: Trainer, epoch: int) -> None:
        epochs.append([])
        begin_epoch(trainer, epoch)

    def step(trainer: Trainer, samples: list[dict[str, Any]], *args: Any) -> Any:
        parts = [part for sample in samples for part in ([sample] if "id" in sample else sample.values())]
        epochs[-1].append([part["net_input"]["src_tokens"].tolist() for part in parts])
        return train_step(trainer, samples, *args)

    with mock.patch.object(Trainer, "begin_epoch", begin), mock.patch.object(Trainer, "train_step", step):
        yield epochs


@pytest.mark.parametrize("name", ["translation", "multitask", "multilingual"])
def test_each_epoch_is_one_shard_also_after_a_resumption(shards, tmp_path, name):
    options = (*TASKS[name], "--batch-size", "8", "--max-epoch", "3", "--max-update")
    with recorded_epochs() as whole:
        toy.train(shards, tmp_path / "whole", *options, "0")
    sizes = [sum(len(batch[0]) for batch in epoch) for epoch in whole]
    assert sizes == [SHARD_SIZES[0]["en-de"], SHARD_SIZES[1]["en-de"], SHARD_SIZES[0]["en-de"]]
    with recorded_epochs() as first:
        toy.train(shards, tmp_path / "parts", *options, str(len(whole[0]) + 1))
    with recorded_epochs() as second:
        toy.train(shards, tmp_path / "parts", *options, "0")
    assert [*first[:1], first[1] + second[0], *second[1:]] == whole

"""The workflow's view of an experiment in translation: language pairs to train on, test sets to translate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cells import Cell, Experiment
from experiment_reader import Reader, training

KEYS = {"name", "data", "corpora_root", "train", "evaluate"}
TRAIN_KEYS = {
    "target_pair", "settings", "seeds", "families", "options", "setting_options", "threads", "resources",
    "tensorboard",
}  # fmt: skip
EVALUATE_KEYS = {"beam", "batch_size", "max_len_a", "max_len_b", "bootstrap"}


@dataclass(frozen=True, kw_only=True)
class TranslationExperiment(Experiment):
    """An experiment whose settings are language pairs trained on together.

    Attributes:
        settings: column name -> language pairs trained on together.
        data: folder of the binarised data.
        shards: parts that the training data is cut into; an epoch goes through one of them.
        data_file: the file whose ``data:`` mapping says how the data is prepared.
        data_config: that mapping.
        target_pair: the pair that is scored, e.g. ``en-de``.
        tests: names of its test sets, in the order of the file.
        beam: hypotheses kept in the search.
        batch_size: lines translated at once.
        max_len_a: a translation has at most so many tokens for each of the source, and ``max_len_b`` more.
        max_len_b: see ``max_len_a``.
        bootstrap: samples of the paired bootstrap.
    """

    settings: Mapping[str, list[str]]
    data: Path
    data_file: Path
    data_config: Mapping[str, Any] = field(default_factory=dict)
    target_pair: str
    tests: list[str]
    shards: int = 1
    beam: int = 5
    batch_size: int = 64
    max_len_a: float = 2.0
    max_len_b: int = 20
    bootstrap: int = 1000

    @property
    def train_folders(self) -> list[Path]:
        """The folders that hold training data."""
        return [self.data / f"shard{number}" for number in range(self.shards)] if self.shards > 1 else [self.data]

    def score_file(self, cell: Cell, test: str) -> Path:
        """The scores of one model on one test set; its hypotheses are beside it (``.hyp``)."""
        return self.root / "scores" / cell.name / f"{test}.json"

    def hypothesis_file(self, cell: Cell, test: str) -> Path:
        """The translation of one test set by one model, a segment a line."""
        return self.score_file(cell, test).with_suffix(".hyp")

    def test_files(self, test: str) -> tuple[Path, Path]:
        """Source and reference text of one test set of the target pair."""
        prefix = self.data / "tests" / test / self.target_pair
        return Path(f"{prefix}.src"), Path(f"{prefix}.ref")

    def architecture(self, cell: Cell) -> str:
        """The fairseq architecture: several pairs need the family's multilingual form."""
        arch = super().architecture(cell)
        return arch if len(self.settings[cell.setting]) == 1 else f"multilingual_{arch}"

    def task(self, cell: Cell) -> str:
        """The fairseq task of a cell."""
        return "translation" if len(self.settings[cell.setting]) == 1 else "multitask_translation"

    def task_arguments(self, cell: Cell) -> list[str]:
        pairs = self.settings[cell.setting]
        if len(pairs) > 1:
            return ["--task", self.task(cell), "--lang-pairs", ",".join(pairs)]
        source, target = pairs[0].split("-")
        return ["--task", self.task(cell), "--source-lang", source, "--target-lang", target]

    def train_data(self, cell: Cell) -> str:
        """The folder, or its ``shard0``, ``shard1`` ... with colons between."""
        return os.pathsep.join(map(str, self.train_folders))

    def signature(self, cell: Cell) -> Path:
        return self.data / "signature.json"

    def prepare_command(self, cell: Cell) -> str:
        return f"python -m data_prep prepare --config {self.data_file}"

    def needed_files(self, cell: Cell) -> list[Path]:
        pairs = {pair for setting in self.settings.values() for pair in setting}
        dictionaries = sorted({f"dict.{language}.txt" for pair in pairs for language in pair.split("-")})
        folders = [self.data, *self.train_folders]
        of_folders = [folder / name for folder in folders for name in dictionaries]
        return [self.data / "spm.model", self.signature(cell), *of_folders]

    def companions(self, cell: Cell) -> list[Path]:
        return [self.data / "spm.model", *sorted(self.data.glob("dict.*.txt"))]

    def description(self, cell: Cell) -> dict[str, Any]:
        return {
            "task": self.task(cell),
            "lang_pairs": self.settings[cell.setting],
            "target_pair": self.target_pair,
        }


def read_translation(reader: Reader, content: Mapping[str, Any]) -> TranslationExperiment:
    """Make an experiment of the content of its file.

    Raises:
        ValueError: if a key is missing, unknown or of the wrong type, or if a pair or setting is named that is not
            there; the message names the file and the key.
    """
    reader.check_keys(content, KEYS, "")
    name = reader.get(content, "name", str)
    owner, data = _data(reader, content)
    train = reader.get(content, "train", dict)
    evaluate = reader.optional(content, "evaluate", dict) or {}
    reader.check_keys(train, TRAIN_KEYS, "train")
    reader.check_keys(evaluate, EVALUATE_KEYS, "evaluate")
    target_pair, tests = _target(reader, data, train)
    settings = _settings(reader, data["pairs"], train, target_pair)
    figures: dict[str, Any] = {key: _search_figure(reader, evaluate, key) for key in evaluate}
    return TranslationExperiment(
        path=reader.path,
        name=name,
        settings=settings,
        data=Path(reader.optional(data, "out", str, "data") or f"runs/{owner.get(owner.load(), 'name', str)}/data"),
        data_file=owner.path,
        data_config=data,
        target_pair=target_pair,
        tests=tests,
        shards=reader.count(data, "shards", "data", 1),
        **training(reader, train, settings, "train.settings"),
        **figures,
    )


def _data(reader: Reader, content: Mapping[str, Any]) -> tuple[Reader, dict[str, Any]]:
    """The ``data:`` mapping and the file that has it: another experiment's, beside this one, where a name stands."""
    found = content.get("data")
    if not isinstance(found, str):
        return reader, reader.get(content, "data", dict)
    owner = Reader(reader.path.parent / found)
    if not owner.path.is_file():
        raise ValueError(f"{reader.path}: data names {found!r}, but there is no {owner.path}")
    return owner, owner.get(owner.load(), "data", dict)


def _search_figure(reader: Reader, evaluate: Mapping[str, Any], key: str) -> float:
    """A value of ``evaluate:``; all are counts but ``max_len_a``, a factor."""
    if key != "max_len_a":
        return reader.count(evaluate, key, "evaluate", 1)
    value = reader.number(evaluate, key, "evaluate")
    if value < 0:
        raise ValueError(f"{reader.path}: evaluate.max_len_a must be at least 0, got {value!r}")
    return value


def _target(reader: Reader, data: Mapping[str, Any], train: Mapping[str, Any]) -> tuple[str, list[str]]:
    """The pair that is scored and the names of its test sets."""
    pairs = reader.get(data, "pairs", dict, "data")
    target_pair = reader.get(train, "target_pair", str, "train")
    reader.check_member(target_pair, pairs, "train.target_pair", "data.pairs")
    texts = reader.get(pairs, target_pair, dict, "data.pairs")
    tests = reader.optional(texts, "tests", dict, f"data.pairs.{target_pair}")
    if not tests:
        raise ValueError(f"{reader.path}: data.pairs.{target_pair}.tests is empty, so nothing could be scored")
    reader.check_names(tests, f"data.pairs.{target_pair}.tests")
    return target_pair, list(tests)


def _settings(reader: Reader, pairs: dict[str, Any], train: dict[str, Any], target_pair: str) -> dict[str, list[str]]:
    """Column name -> language pairs, each of them known and the scored one among them."""
    settings = reader.get(train, "settings", dict, "train")
    for setting in settings:
        where = f"train.settings.{setting}"
        members = reader.get(settings, setting, list, "train.settings")
        for pair in members:
            reader.check_member(pair, pairs, where, "data.pairs")
            if pair.count("-") != 1:
                raise ValueError(f"{reader.path}: {where} must name pairs such as en-de, got {pair!r}")
        reader.check_member(target_pair, members, "train.target_pair", where)
    return settings

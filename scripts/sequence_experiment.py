"""The workflow's view of an experiment on sequences: the synthetic tasks, or language modelling."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cells import Cell, Experiment
from experiment_reader import Reader, training

KEYS = {"name", "data", "train", "evaluate"}
TEXT_KEYS = {"text", "out", "downloads", "workers"}
TRAIN_KEYS = {"seeds", "families", "options", "setting_options", "threads", "resources", "tensorboard"}
EVALUATE_KEYS = {"tests", "metric", "paper", "activations", "unroll"}
PAPER_KEYS = {"source", "figures"}
METRICS = {
    "sequence_prediction": ("loss", "accuracy"),
    "translation": ("loss", "perplexity", "character_accuracy", "exact_match"),
    "stateful_language_modeling": ("loss", "perplexity"),
    "language_modeling": ("loss", "perplexity"),
}
TEXT = "text"


@dataclass(frozen=True, kw_only=True)
class SequenceExperiment(Experiment):
    """An experiment whose settings are data sets, each made by one command of ``data_prep``.

    Attributes:
        settings: column name -> words after ``python -m data_prep``.
        folders: column name -> the folder that this writes.
        tests: names of the splits that are scored.
        metric: what the table shows.
        paper_source: where the paper's figures stand.
        paper: row name -> column of the table -> the paper's figure.
        activations: splits on which the activity of the units is drawn.
        unroll: lengths, in tokens, after which language models are started anew on the last test.
    """

    settings: Mapping[str, list[str]]
    folders: Mapping[str, Path]
    tests: list[str]
    metric: str
    paper_source: str = ""
    paper: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    activations: list[str] = field(default_factory=list)
    unroll: list[int] = field(default_factory=list)

    def facts(self, setting: str) -> dict[str, Any]:
        """What ``facts.json`` tells of a data set; nothing where there is none, as for text."""
        path = self.folders[setting] / "facts.json"
        return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}

    def score_file(self, cell: Cell) -> Path:
        """The scores of one model on all tests."""
        return self.root / "scores" / f"{cell.name}.json"

    def column(self, setting: str, test: str) -> str:
        """The name of a column of the table: the test's, with the setting's where there are several."""
        if len(self.settings) == 1:
            return test
        return setting if len(self.tests) == 1 else f"{setting} {test}"

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """Column of the table -> setting and test."""
        return {self.column(setting, test): (setting, test) for setting in self.settings for test in self.tests}

    def pictures(self) -> list[tuple[Cell, str]]:
        """The models, of the first seed, and the splits whose activity is drawn: those of RIMs."""
        drawn = [cell for cell in self.cells() if cell.seed == self.seeds[0]]
        drawn = [cell for cell in drawn if self.architecture(cell).startswith("rims_")]
        return [(cell, split) for cell in drawn for split in self.activations]

    def unrolled(self) -> list[Cell]:
        """The language models, of the first seed, whose perplexity by unroll length is wanted."""
        return [cell for cell in self.cells() if cell.seed == self.seeds[0]] if self.unroll else []

    def unroll_words(self, cell: Cell) -> list[str]:
        """The lengths for a cell; a Transformer cannot read a text in one piece."""
        whole = [] if self.architecture(cell).startswith("transformer_") else ["all"]
        return [*map(str, self.unroll), *whole]

    def task_arguments(self, cell: Cell) -> list[str]:
        return []

    def train_data(self, cell: Cell) -> str:
        return str(self.folders[cell.setting])

    def signature(self, cell: Cell) -> Path:
        return self.folders[cell.setting] / "signature.json"

    def prepare_command(self, cell: Cell) -> str:
        return f"python -m data_prep {shlex.join(self.settings[cell.setting])}"

    def needed_files(self, cell: Cell) -> list[Path]:
        return [self.signature(cell)]

    def check_data(self, cell: Cell) -> None:
        super().check_data(cell)
        task = self.description(cell)["task"]
        if self.metric not in METRICS.get(task, ()):
            known = ", ".join(METRICS.get(task, ())) or f"none; known tasks are {', '.join(METRICS)}"
            raise ValueError(f"{self.path}: evaluate.metric is {self.metric}, but --task {task} has {known}")
        wanted = {*self.tests, *self.activations}
        splits = self.facts(cell.setting).get("splits", wanted)  # of text nothing is known before it is read
        for split in wanted - set(splits):
            raise ValueError(
                f"{self.path}: evaluate names the split {split!r}, but {self.folders[cell.setting]} has "
                f"{', '.join(splits)}"
            )

    def companions(self, cell: Cell) -> list[Path]:
        return sorted(self.folders[cell.setting].glob("dict*.txt"))

    def description(self, cell: Cell) -> dict[str, Any]:
        arguments = self.train_arguments(cell)
        places = [place for place, word in enumerate(arguments) if word == "--task"]
        if not places:
            raise ValueError(f"{self.path}: train.options has no --task")
        return {"task": arguments[places[-1] + 1], "data_folder": str(self.folders[cell.setting])}


def read_sequences(reader: Reader, content: Mapping[str, Any]) -> SequenceExperiment:
    """Make an experiment of the content of its file.

    Raises:
        ValueError: if a key is missing, unknown or of the wrong type; the message names the file and the key.
    """
    reader.check_keys(content, KEYS, "")
    name = reader.get(content, "name", str)
    data = reader.get(content, "data", dict)
    train = reader.get(content, "train", dict)
    evaluate = reader.get(content, "evaluate", dict)
    reader.check_keys(data, TEXT_KEYS if TEXT in data else {"synthetic"}, "data")
    reader.check_keys(train, TRAIN_KEYS, "train")
    reader.check_keys(evaluate, EVALUATE_KEYS, "evaluate")
    settings, folders = _settings(reader, name, data)
    metric = reader.get(evaluate, "metric", str, "evaluate")
    reader.check_member(
        metric, list(dict.fromkeys(sum(METRICS.values(), ()))), "evaluate.metric", "the list of metrics"
    )
    experiment = SequenceExperiment(
        path=reader.path,
        name=name,
        settings=settings,
        folders=folders,
        tests=_names(reader, evaluate, "tests"),
        metric=metric,
        activations=_names(reader, evaluate, "activations") if "activations" in evaluate else [],
        unroll=_lengths(reader, evaluate, data),
        **training(reader, train, settings, "the data sets"),
    )
    return _with_paper(reader, evaluate, experiment)


def _settings(reader: Reader, name: str, data: Mapping[str, Any]) -> tuple[dict[str, list[str]], dict[str, Path]]:
    """The command and the folder of each data set."""
    if TEXT in data:
        folder = Path(reader.get(data, "out", str, "data"))
        return {TEXT: ["prepare", "--config", str(reader.path)]}, {TEXT: folder}
    sets = reader.get(data, "synthetic", dict, "data")
    folders = {setting: Path("runs") / name / "data" / setting for setting in sets}
    commands = {setting: reader.words(sets, setting, "data.synthetic") for setting in sets}
    return {
        setting: ["synthetic", *words, "--out", str(folders[setting])] for setting, words in commands.items()
    }, folders


def _names(reader: Reader, evaluate: Mapping[str, Any], key: str) -> list[str]:
    """Names of splits."""
    reader.get(evaluate, key, list, "evaluate")
    return reader.words(evaluate, key, "evaluate")


def _lengths(reader: Reader, evaluate: Mapping[str, Any], data: Mapping[str, Any]) -> list[int]:
    """The unroll lengths, which text alone may have."""
    lengths = reader.optional(evaluate, "unroll", list, "evaluate") or []
    if lengths and TEXT not in data:
        raise ValueError(f"{reader.path}: evaluate.unroll is for language models; data has no {TEXT!r}")
    if any(not isinstance(length, int) or length < 1 for length in lengths):
        raise ValueError(f"{reader.path}: evaluate.unroll must hold numbers of tokens, at least 1, got {lengths!r}")
    return lengths


def _with_paper(reader: Reader, evaluate: Mapping[str, Any], experiment: SequenceExperiment) -> SequenceExperiment:
    """Add the paper's figures, of which each must have its place in the table."""
    if "paper" not in evaluate:
        return experiment
    paper = reader.get(evaluate, "paper", dict, "evaluate")
    reader.check_keys(paper, PAPER_KEYS, "evaluate.paper")
    figures = reader.get(paper, "figures", dict, "evaluate.paper")
    for family, values in figures.items():
        reader.check_member(family, experiment.families, "evaluate.paper.figures", "train.families")
        for column in reader.get(figures, family, dict, "evaluate.paper.figures"):
            reader.check_member(column, experiment.columns, f"evaluate.paper.figures.{family}", "the table")
            reader.number(values, column, f"evaluate.paper.figures.{family}")
    source = reader.get(paper, "source", str, "evaluate.paper")
    return SequenceExperiment(**{**vars(experiment), "paper": figures, "paper_source": source})

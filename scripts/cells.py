"""The cells of an experiment: which models there are, where they live and how each is trained."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Cell:
    """One model to train: a row (family), a column (setting) and a seed of the table."""

    family: str
    setting: str
    seed: int

    @property
    def name(self) -> str:
        """``family.setting.seedN``: the name of the model directory."""
        return f"{self.family}.{self.setting}.seed{self.seed}"


@dataclass(frozen=True, kw_only=True)
class Experiment(ABC):
    """What the workflows need of ``configs/NAME.yaml``; the keys are documented in scripts/README.md.

    Attributes:
        path: the YAML file.
        name: results go to ``runs/<name>/``.
        settings: names of the columns, and what each is trained on.
        families: row name -> ``{arch, options}``.
        options: fairseq-train options common to every cell.
        setting_options: column name -> more options.
        threads: CPU threads per job.
        resources: Snakemake resources of a training job (for a cluster).
        tensorboard: whether training writes TensorBoard's logs, beside the checkpoints.
    """

    path: Path
    name: str
    settings: Mapping[str, Any]
    seeds: list[int]
    families: dict[str, dict[str, Any]]
    options: list[str] = field(default_factory=list)
    setting_options: dict[str, list[str]] = field(default_factory=dict)
    threads: int = 1
    resources: dict[str, Any] = field(default_factory=dict)
    tensorboard: bool = False

    @property
    def root(self) -> Path:
        """Where the results go."""
        return Path("runs") / self.name

    def cells(self) -> list[Cell]:
        """Every model of the experiment."""
        return [Cell(f, s, seed) for f in self.families for s in self.settings for seed in self.seeds]

    def check_cell(self, cell: Cell) -> None:
        """Refuse a cell that the experiment does not have.

        Raises:
            ValueError: with the names of those that it has.
        """
        if cell not in self.cells():
            names = ", ".join(known.name for known in self.cells())
            raise ValueError(f"{self.path}: has no cell {cell.name}; its cells are {names}")

    def model_dir(self, cell: Cell) -> Path:
        """The folder that training leaves for one cell."""
        return self.root / "models" / cell.name

    def trained_mark(self, cell: Cell) -> Path:
        """The empty file that tells Snakemake that a cell is trained; it may be removed at any time."""
        return self.model_dir(cell) / "trained"

    def architecture(self, cell: Cell) -> str:
        """The fairseq architecture of a cell."""
        return str(self.families[cell.family]["arch"])

    def train_arguments(self, cell: Cell) -> list[str]:
        """What decides the outcome of a cell, as arguments of ``fairseq-train``; a later option wins over an earlier.

        Where things are (the data, the save folder, the user-dir) is added by the training script.
        """
        return [
            *self.task_arguments(cell), "--arch", self.architecture(cell), "--seed", str(cell.seed),
            "--required-batch-size-multiple", "1", "--ddp-backend", "legacy_ddp", "--no-epoch-checkpoints",
            "--num-workers", "0", "--log-format", "json", "--log-interval", "50",
            *self.options, *self.setting_options.get(cell.setting, []), *self.families[cell.family].get("options", []),
        ]  # fmt: skip

    @abstractmethod
    def task_arguments(self, cell: Cell) -> list[str]:
        """The arguments of ``fairseq-train`` that name the task and its languages."""

    @abstractmethod
    def train_data(self, cell: Cell) -> str:
        """The data as ``fairseq-train`` takes it."""

    @abstractmethod
    def signature(self, cell: Cell) -> Path:
        """The file that tells what the data was made from."""

    @abstractmethod
    def prepare_command(self, cell: Cell) -> str:
        """The command that makes the data."""

    @abstractmethod
    def needed_files(self, cell: Cell) -> list[Path]:
        """What the data must have before training; its signature too."""

    def check_data(self, cell: Cell) -> None:
        """Refuse data that is not prepared.

        Raises:
            ValueError: naming the file that is missing, and the command that makes it.
        """
        for path in self.needed_files(cell):
            if not path.is_file():
                raise ValueError(f"{path}: not found; prepare the data first: {self.prepare_command(cell)}")

    @abstractmethod
    def companions(self, cell: Cell) -> list[Path]:
        """What a model needs beside its checkpoints to stand alone."""

    @abstractmethod
    def description(self, cell: Cell) -> dict[str, Any]:
        """What ``model.json`` says of the task."""

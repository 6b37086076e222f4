"""The workflow's view of an experiment file: which cells there are, where they live and how each is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TRAIN_KEYS = {
    "target_pair", "settings", "seeds", "families", "options", "setting_options", "threads", "resources",
}  # fmt: skip
EVALUATE_KEYS = {"beam", "batch_size", "bootstrap"}
FAMILY_KEYS = {"arch", "options"}


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


@dataclass(frozen=True)
class Experiment:
    """What the workflow needs of ``configs/NAME.yaml``; the keys are documented in scripts/README.md.

    Attributes:
        path: the YAML file.
        name: results go to ``runs/<name>/``.
        data: folder of the binarised data.
        data_config: the ``data:`` mapping as it stands in the file.
        target_pair: the pair that is scored, e.g. ``en-de``.
        tests: names of its test sets, in the order of the file.
        settings: column name -> language pairs trained on together.
        families: row name -> ``{arch, options}``.
        options: fairseq-train options common to every cell.
        setting_options: column name -> more options.
        threads: CPU threads per job.
        resources: Snakemake resources of a training job (for a cluster).
    """

    path: Path
    name: str
    data: Path
    data_config: Mapping[str, Any]
    target_pair: str
    tests: list[str]
    settings: dict[str, list[str]]
    seeds: list[int]
    families: dict[str, dict[str, Any]]
    options: list[str] = field(default_factory=list)
    setting_options: dict[str, list[str]] = field(default_factory=dict)
    threads: int = 1
    resources: dict[str, Any] = field(default_factory=dict)
    beam: int = 5
    batch_size: int = 64
    bootstrap: int = 1000

    @property
    def root(self) -> Path:
        """Where the results go."""
        return Path("runs") / self.name

    def cells(self) -> list[Cell]:
        """Every model of the experiment."""
        return [Cell(f, s, seed) for f in self.families for s in self.settings for seed in self.seeds]

    def model_dir(self, cell: Cell) -> Path:
        """The folder that training leaves for one cell."""
        return self.root / "models" / cell.name

    def score_file(self, cell: Cell, test: str) -> Path:
        """The scores of one model on one test set; its hypotheses are beside it (``.hyp``)."""
        return self.root / "scores" / cell.name / f"{test}.json"

    def test_files(self, test: str) -> tuple[Path, Path]:
        """Source and reference text of one test set of the target pair."""
        prefix = self.data / "tests" / test / self.target_pair
        return Path(f"{prefix}.src"), Path(f"{prefix}.ref")

    def architecture(self, cell: Cell) -> str:
        """The fairseq architecture: several pairs need the family's multilingual form."""
        arch = self.families[cell.family]["arch"]
        return arch if len(self.settings[cell.setting]) == 1 else f"multilingual_{arch}"

    def task(self, cell: Cell) -> str:
        """The fairseq task of a cell."""
        return "translation" if len(self.settings[cell.setting]) == 1 else "multitask_translation"

    def train_arguments(self, cell: Cell) -> list[str]:
        """What decides the outcome of a cell, as arguments of ``fairseq-train``; a later option wins over an earlier.

        Where things are (the data, the save folder, the user-dir) is added by the training script.
        """
        pairs = self.settings[cell.setting]
        if len(pairs) == 1:
            source, target = pairs[0].split("-")
            languages = ["--source-lang", source, "--target-lang", target]
        else:
            languages = ["--lang-pairs", ",".join(pairs)]
        return [
            "--task", self.task(cell), *languages, "--arch", self.architecture(cell), "--seed", str(cell.seed),
            "--required-batch-size-multiple", "1", "--ddp-backend", "legacy_ddp", "--no-epoch-checkpoints",
            "--num-workers", "0", "--log-format", "json", "--log-interval", "50",
            *self.options, *self.setting_options.get(cell.setting, []), *self.families[cell.family].get("options", []),
        ]  # fmt: skip


def load_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read and check an experiment file.

    Raises:
        ValueError: if the file is absent or no mapping, if a key is missing or unknown, or if a pair or setting is
            named that is not there; the message names the file and the key.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such experiment file; the ones that come with the project are in configs/")
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{path}: expected a mapping with the keys name, data and train, got {type(content).__name__}")
    reader = _Reader(path)
    name = reader.get(content, "name", str)
    data = reader.get(content, "data", dict)
    train = reader.get(content, "train", dict)
    evaluate = content.get("evaluate") or {}
    reader.check_keys(train, TRAIN_KEYS, "train")
    reader.check_keys(evaluate, EVALUATE_KEYS, "evaluate")
    pairs = reader.get(data, "pairs", dict, "data")
    target_pair = reader.get(train, "target_pair", str, "train")
    reader.check_member(target_pair, pairs, "train.target_pair", "data.pairs")
    tests = list(pairs[target_pair].get("tests") or {})
    if not tests:
        raise ValueError(f"{path}: data.pairs.{target_pair}.tests is empty, so nothing could be scored")
    settings = reader.get(train, "settings", dict, "train")
    for setting, members in settings.items():
        for pair in members:
            reader.check_member(pair, pairs, f"train.settings.{setting}", "data.pairs")
        reader.check_member(target_pair, members, "train.target_pair", f"train.settings.{setting}")
    families = reader.get(train, "families", dict, "train")
    for family, how in families.items():
        reader.check_keys(how, FAMILY_KEYS, f"train.families.{family}")
        reader.get(how, "arch", str, f"train.families.{family}")
    setting_options = train.get("setting_options") or {}
    for setting in setting_options:
        reader.check_member(setting, settings, "train.setting_options", "train.settings")
    return Experiment(
        path=path,
        name=name,
        data=Path(data.get("out") or f"runs/{name}/data"),
        data_config=data,
        target_pair=target_pair,
        tests=tests,
        settings=settings,
        seeds=reader.get(train, "seeds", list, "train"),
        families={
            family: {"arch": how["arch"], "options": _words(how.get("options"))} for family, how in families.items()
        },
        options=_words(train.get("options")),
        setting_options={setting: _words(options) for setting, options in setting_options.items()},
        threads=int(train.get("threads", 1)),
        resources=train.get("resources") or {},
        **evaluate,
    )


def _words(options: list[Any] | None) -> list[str]:
    """Options as fairseq takes them: YAML numbers become text."""
    return [str(option) for option in options or []]


@dataclass(frozen=True)
class _Reader:
    """Takes values out of the file's mappings; every error names the file and the key."""

    path: Path

    def get(self, mapping: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:
        name = f"{where}.{key}" if where else key
        if key not in mapping:
            raise ValueError(f"{self.path}: the key {name} is missing")
        value = mapping[key]
        if not isinstance(value, kind) or not value:
            raise ValueError(f"{self.path}: {name} must be a non-empty {kind.__name__}, got {value!r}")
        return value

    def check_keys(self, mapping: Any, known: set[str], where: str) -> None:
        if not isinstance(mapping, dict):
            raise ValueError(f"{self.path}: {where} must be a mapping, got {mapping!r}")
        for key in mapping:
            if key not in known:
                raise ValueError(f"{self.path}: unknown key {where}.{key}; known are {', '.join(sorted(known))}")

    def check_member(self, value: str, members: Any, where: str, among: str) -> None:
        if value not in members:
            raise ValueError(f"{self.path}: {where} names {value!r}, but {among} has {', '.join(members)}")

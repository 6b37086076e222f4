"""The workflow's view of an experiment file: which cells there are, where they live and how each is trained."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

KEYS = {"name", "data", "corpora_root", "train", "evaluate"}
TRAIN_KEYS = {
    "target_pair", "settings", "seeds", "families", "options", "setting_options", "threads", "resources",
}  # fmt: skip
EVALUATE_KEYS = {"beam", "batch_size", "bootstrap"}
FAMILY_KEYS = {"arch", "options"}
KINDS: dict[type, str] = {str: "text", dict: "mapping", list: "list"}


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
        shards: parts that the training data is cut into; an epoch goes through one of them.
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
    shards: int = 1

    @property
    def train_data(self) -> str:
        """The data as ``fairseq-train`` takes it: the folder, or its ``shard0``, ``shard1`` ... with colons between."""
        return os.pathsep.join(map(str, self.train_folders))

    @property
    def train_folders(self) -> list[Path]:
        """The folders that hold training data."""
        return [self.data / f"shard{number}" for number in range(self.shards)] if self.shards > 1 else [self.data]

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

    def trained_mark(self, cell: Cell) -> Path:
        """The empty file that tells Snakemake that a cell is trained; it may be removed at any time."""
        return self.model_dir(cell) / "trained"

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
        ValueError: if the file is absent or no mapping, if a key is missing, unknown or of the wrong type, or if a
            pair or setting is named that is not there; the message names the file and the key.
    """
    reader = _Reader(Path(path))
    content = reader.load()
    reader.check_keys(content, KEYS, "")
    name = reader.get(content, "name", str)
    data = reader.get(content, "data", dict)
    train = reader.get(content, "train", dict)
    evaluate = reader.optional(content, "evaluate", dict) or {}
    reader.check_keys(train, TRAIN_KEYS, "train")
    reader.check_keys(evaluate, EVALUATE_KEYS, "evaluate")
    target_pair, tests = _target(reader, data, train)
    settings = _settings(reader, data["pairs"], train, target_pair)
    return Experiment(
        path=reader.path,
        name=name,
        data=Path(reader.optional(data, "out", str, "data") or f"runs/{name}/data"),
        data_config=data,
        target_pair=target_pair,
        tests=tests,
        settings=settings,
        seeds=_seeds(reader, train),
        families=_families(reader, train),
        options=reader.words(train, "options", "train"),
        setting_options=_setting_options(reader, train, settings),
        threads=reader.count(train, "threads", "train", 1),
        resources=reader.optional(train, "resources", dict, "train") or {},
        shards=reader.count(data, "shards", "data", 1),
        **{key: reader.count(evaluate, key, "evaluate", 1) for key in evaluate},
    )


def _target(reader: _Reader, data: dict[str, Any], train: dict[str, Any]) -> tuple[str, list[str]]:
    """The pair that is scored and the names of its test sets."""
    pairs = reader.get(data, "pairs", dict, "data")
    target_pair = reader.get(train, "target_pair", str, "train")
    reader.check_member(target_pair, pairs, "train.target_pair", "data.pairs")
    texts = reader.get(pairs, target_pair, dict, "data.pairs")
    tests = reader.optional(texts, "tests", dict, f"data.pairs.{target_pair}")
    if not tests:
        raise ValueError(f"{reader.path}: data.pairs.{target_pair}.tests is empty, so nothing could be scored")
    return target_pair, list(tests)


def _settings(reader: _Reader, pairs: dict[str, Any], train: dict[str, Any], target_pair: str) -> dict[str, list[str]]:
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


def _seeds(reader: _Reader, train: dict[str, Any]) -> list[int]:
    """The seeds, each of them once."""
    seeds = reader.get(train, "seeds", list, "train")
    if any(not _is_count(seed, 0) for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{reader.path}: train.seeds must be different whole numbers, at least 0, got {seeds!r}")
    return seeds


def _families(reader: _Reader, train: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Row name -> architecture and its own options."""
    families = reader.get(train, "families", dict, "train")
    for family, how in families.items():
        reader.check_keys(how, FAMILY_KEYS, f"train.families.{family}")
    return {
        family: {
            "arch": reader.get(how, "arch", str, f"train.families.{family}"),
            "options": reader.words(how, "options", f"train.families.{family}"),
        }
        for family, how in families.items()
    }


def _setting_options(reader: _Reader, train: dict[str, Any], settings: dict[str, list[str]]) -> dict[str, list[str]]:
    """Column name -> more options."""
    options = reader.optional(train, "setting_options", dict, "train") or {}
    for setting in options:
        reader.check_member(setting, settings, "train.setting_options", "train.settings")
    return {setting: reader.words(options, setting, "train.setting_options") for setting in options}


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


@dataclass(frozen=True)
class _Reader:
    """Takes values out of the file's mappings; every error names the file and the key."""

    path: Path

    def load(self) -> dict[str, Any]:
        """The whole file."""
        if not self.path.is_file():
            raise ValueError(
                f"{self.path}: no such experiment file; the ones that come with the project are in configs/"
            )
        try:
            content = yaml.safe_load(self.path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
            raise ValueError(f"{self.path}: cannot be read as YAML: {error}") from None
        if not isinstance(content, dict):
            raise ValueError(
                f"{self.path}: expected a mapping with the keys name, data and train, got {type(content).__name__}"
            )
        return content

    def get(self, mapping: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:
        """A value that must be there and not be empty."""
        name = _full_name(key, where)
        if key not in mapping:
            raise ValueError(f"{self.path}: the key {name} is missing")
        value = mapping[key]
        if not isinstance(value, kind) or not value:
            raise ValueError(f"{self.path}: {name} must be a non-empty {KINDS[kind]}, got {value!r}")
        return value

    def optional(self, mapping: Mapping[str, Any], key: str, kind: type, where: str = "") -> Any:
        """A value that may be absent: then None."""
        value = mapping.get(key)
        if value is not None and not isinstance(value, kind):
            raise ValueError(f"{self.path}: {_full_name(key, where)} must be a {KINDS[kind]}, got {value!r}")
        return value

    def count(self, mapping: Mapping[str, Any], key: str, where: str, default: int) -> int:
        """A whole number, at least 1."""
        value = mapping.get(key, default)
        if not _is_count(value, 1):
            raise ValueError(f"{self.path}: {_full_name(key, where)} must be a whole number, at least 1, got {value!r}")
        return value

    def words(self, mapping: Mapping[str, Any], key: str, where: str) -> list[str]:
        """Options as fairseq takes them: numbers become text."""
        name = _full_name(key, where)
        words = self.optional(mapping, key, list, where) or []
        for word in words:
            if not isinstance(word, str | int | float) or isinstance(word, bool):
                raise ValueError(f"{self.path}: {name} must hold text and numbers, got {word!r}; put it in quotes")
        return [str(word) for word in words]

    def check_keys(self, mapping: Any, known: set[str], where: str) -> None:
        """Refuse what is no mapping, or has a key that is not known."""
        if not isinstance(mapping, dict):
            raise ValueError(f"{self.path}: {where} must be a mapping, got {mapping!r}")
        for key in mapping:
            if key not in known:
                names = ", ".join(sorted(known))
                raise ValueError(f"{self.path}: unknown key {_full_name(key, where)}; known are {names}")

    def check_member(self, value: str, members: Any, where: str, among: str) -> None:
        """Refuse a name that is not among the known ones."""
        if not isinstance(value, str) or value not in members:
            raise ValueError(f"{self.path}: {where} names {value!r}, but {among} has {', '.join(map(str, members))}")


def _full_name(key: str, where: str) -> str:
    return f"{where}.{key}" if where else key

"""Reading an experiment file: every error names the file and the key."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

KINDS: dict[type, str] = {str: "text", dict: "mapping", list: "list", bool: "truth value (true or false)"}
FAMILY_KEYS = {"arch", "options"}


@dataclass(frozen=True)
class Reader:
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

    def number(self, mapping: Mapping[str, Any], key: str, where: str) -> float:
        """A number."""
        value = mapping[key]
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise ValueError(f"{self.path}: {_full_name(key, where)} must be a number, got {value!r}")
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

    def check_names(self, names: Collection[str], where: str) -> None:
        """Refuse names that no cell of a Markdown table can hold."""
        for name in names:
            if set("|\r\n") & set(str(name)):
                raise ValueError(
                    f"{self.path}: {where} has the name {name!r}; a name stands in tables, so it is one line without |"
                )


def training(reader: Reader, train: Mapping[str, Any], settings: Collection[str], among: str) -> dict[str, Any]:
    """What the ``train:`` mappings of all experiments have in common, by the names of :class:`cells.Experiment`.

    Args:
        reader: of the file.
        train: the mapping.
        settings: their names.
        among: the key that has them, for messages.
    """
    reader.check_names(settings, among)
    return {
        "seeds": _seeds(reader, train),
        "families": _families(reader, train),
        "options": reader.words(train, "options", "train"),
        "setting_options": _setting_options(reader, train, settings, among),
        "threads": reader.count(train, "threads", "train", 1),
        "resources": reader.optional(train, "resources", dict, "train") or {},
        "tensorboard": reader.optional(train, "tensorboard", bool, "train") or False,
    }


def _seeds(reader: Reader, train: Mapping[str, Any]) -> list[int]:
    """The seeds, each of them once."""
    seeds = reader.get(train, "seeds", list, "train")
    if any(not _is_count(seed, 0) for seed in seeds) or len(set(seeds)) < len(seeds):
        raise ValueError(f"{reader.path}: train.seeds must be different whole numbers, at least 0, got {seeds!r}")
    return seeds


def _families(reader: Reader, train: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Row name -> architecture and its own options."""
    families = reader.get(train, "families", dict, "train")
    reader.check_names(families, "train.families")
    for family, how in families.items():
        reader.check_keys(how, FAMILY_KEYS, f"train.families.{family}")
    return {
        family: {
            "arch": reader.get(how, "arch", str, f"train.families.{family}"),
            "options": reader.words(how, "options", f"train.families.{family}"),
        }
        for family, how in families.items()
    }


def _setting_options(
    reader: Reader, train: Mapping[str, Any], settings: Collection[str], among: str
) -> dict[str, list[str]]:
    """Column name -> more options."""
    options = reader.optional(train, "setting_options", dict, "train") or {}
    for setting in options:
        reader.check_member(setting, settings, "train.setting_options", among)
    return {setting: reader.words(options, setting, "train.setting_options") for setting in options}


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _full_name(key: str, where: str) -> str:
    return f"{where}.{key}" if where else key

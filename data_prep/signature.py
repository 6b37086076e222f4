"""The signature of an output folder: what made it, and whether the same call would make it again."""

import hashlib
import json
import platform
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_prep.config import DataConfig
from data_prep.text import FileFacts

RECIPE = 1
"""Raised whenever the same input and options give other output than before."""

FILE_NAME = "signature.json"
_DISTRIBUTIONS = ("sentencepiece", "sacremoses", "fairseq-fixed")
_WITHOUT_EFFECT = ("out", "workers", "grammar")  # the grammar's text is among the inputs


def make(config: DataConfig, inputs: Mapping[Path, FileFacts], command: str) -> dict[str, Any]:
    """Describe a run: command, versions, seed, resolved configuration, inputs, and the identity of the result.

    The identity covers versions, options and the content of the inputs, not where files lie.
    """
    hashes = {path: facts.sha256 for path, facts in inputs.items()}
    identity = {"versions": versions(), "options": _plain(_options_with_effect(config), hashes)}
    return {
        "command": command,
        "identity": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        "versions": versions(),
        "seed": config.seed,
        "config": _plain(asdict(config), {}),
        "inputs": {str(path): {"sha256": facts.sha256, "lines": facts.lines} for path, facts in inputs.items()},
    }


def _options_with_effect(config: DataConfig) -> dict[str, Any]:
    """Return the configuration without what changes no byte of the data."""
    options = {key: value for key, value in asdict(config).items() if key not in _WITHOUT_EFFECT}
    for pair in options["pairs"].values():
        for corpus in pair["train"]:
            del corpus["name"]
    return options


def versions() -> dict[str, str]:
    """Return the versions of everything that shapes the output."""
    return {
        "data_prep recipe": str(RECIPE),
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
        **{name: version(name) for name in _DISTRIBUTIONS},
    }


def is_up_to_date(out: Path, signature: Mapping[str, Any]) -> bool:
    """Tell whether ``out`` holds what this run would write.

    Raises:
        ValueError: if ``out`` holds something else, or its dictionaries were changed since.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise ValueError(f"{out}: is a file; expected a folder or nothing")
    if not any(out.iterdir()):
        return False
    old = read(out)
    if old["identity"] != signature["identity"]:
        changed = ", ".join(key for key in ("versions", "config", "inputs") if old.get(key) != signature[key])
        raise ValueError(f"{out}: made from something else ({changed} differ); give --overwrite to make it anew")
    for name, digest in old["dictionaries"].items():
        if not (out / name).is_file() or sha256(out / name) != digest:
            raise ValueError(f"{out / name}: changed since it was made; give --overwrite to make the folder anew")
    return True


def check_overwritable(out: Path) -> None:
    """Refuse to replace a folder that ``prepare`` has not written."""
    if out.is_dir() and any(out.iterdir()):
        read(out)
    elif out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file; expected a folder or nothing")


def read(out: Path) -> dict[str, Any]:
    """Read the signature of an output folder."""
    try:
        signature = json.loads((out / FILE_NAME).read_text(encoding="utf-8"))
        if {"identity", "dictionaries"} <= signature.keys():
            return dict(signature)
    except (OSError, ValueError, AttributeError):
        pass
    raise ValueError(
        f"{out}: not written by prepare (no readable {FILE_NAME}); give another --out or remove it yourself"
    )


def sha256(path: Path) -> str:
    """Hash a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any, names: Mapping[Path, str]) -> Any:
    """Make JSON of nested mappings and sequences; a path becomes its entry in ``names``, or itself."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item, names) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, names) for item in value]
    return names.get(value, str(value)) if isinstance(value, Path) else value

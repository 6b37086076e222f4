"""The signature of an output folder: what made it, what is in it, and whether the same call would make it again."""

import hashlib
import json
import platform
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from data_prep import sources
from data_prep.config import Config, DataConfig
from data_prep.filters import Filter

RECIPE = 2
"""Raised whenever the same input and options give other output than before."""

FILE_NAME = "signature.json"
THROUGHPUT = "throughput.json"
"""How fast a run was: the only file that differs from run to run."""

_DISTRIBUTIONS = ("sentencepiece", "sacremoses", "fairseq-fixed")
_USED_BY = {"language": "py3langid", "script": "regex"}
_WITHOUT_EFFECT = ("out", "workers", "grammar", "downloads", "pairs", "train", "valid", "test")


def make(config: Config, command: str) -> dict[str, Any]:
    """Describe a run: command, versions, seed, resolved configuration, inputs, and the identity of the result.

    The identity covers versions, options and the content of the inputs, not where files lie.

    Raises:
        FileNotFoundError: if an input is missing.
        ValueError: if an input is empty.
    """
    inputs = sources.hash_files(sources.input_files(config), config.workers)
    hashes = {path: str(facts["sha256"]) for path, facts in inputs.items()}
    options = {key: value for key, value in vars(config).items() if key not in _WITHOUT_EFFECT}
    versions = _versions(config)
    identity = {"versions": versions, "options": _plain(options), "text": sources.describe_all(config, hashes)}
    return {
        "command": command,
        "identity": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        "versions": versions,
        "config": _plain(config),
        "inputs": {str(path): facts for path, facts in inputs.items()},
        **({"seed": config.seed} if isinstance(config, DataConfig) else {}),
    }


def _versions(config: Config) -> dict[str, str]:
    """Return the versions of everything that shapes the output."""
    checks = {check.name for check in config.clean} if isinstance(config, DataConfig) else set()
    names = [*_DISTRIBUTIONS, *(name for check, name in _USED_BY.items() if check in checks)]
    return {
        "data_prep recipe": str(RECIPE),
        "python": platform.python_version(),
        "unicode": unicodedata.unidata_version,
        **{name: version(name) for name in names},
    }


def write(folder: Path, made: Mapping[str, Any]) -> None:
    """Complete a folder by its signature: the description of the run, and size and sha256 of every file in it."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != THROUGHPUT)
    facts = sources.hash_files(paths, 2)
    files = {path.relative_to(folder).as_posix(): facts[path] for path in paths}
    dictionaries = {path.name: facts[path]["sha256"] for path in sorted(folder.glob("dict.*txt"))}
    write_json(folder / FILE_NAME, {**made, "dictionaries": dictionaries, "files": files})


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
        changed = "; ".join(_differences(old, signature)) or "the text"
        raise ValueError(f"{out}: made from something else ({changed}); give --overwrite to make it anew")
    for name, digest in old["dictionaries"].items():
        if not (out / name).is_file() or sha256(out / name) != digest:
            raise ValueError(f"{out / name}: changed since it was made; give --overwrite to make the folder anew")
    return True


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    """Say which versions and options differ, and whether the inputs do."""
    for part in ("versions", "config"):
        before, after = _leaves(old.get(part, {})), _leaves(new[part])
        for name in sorted(before.keys() | after.keys()):
            if name.split(".")[0] not in _WITHOUT_EFFECT and before.get(name) != after.get(name):
                yield f"{name} was {before.get(name, 'not set')}, is {after.get(name, 'not set')}"
    if old.get("inputs") != new["inputs"]:
        yield "the input files differ"


def _leaves(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested mappings as one, with names such as ``subword.vocab_size``."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        nested = isinstance(value, Mapping)
        found |= _leaves(value, f"{prefix}{name}.") if nested else {f"{prefix}{name}": value}
    return found


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
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON."""
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    """Make JSON of nested dataclasses, mappings and sequences; a filter is written as in an experiment file."""
    if isinstance(value, Filter):
        return value.spec()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(vars(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Path) else value

"""``grammar.json``: the parameters of a written corpus, the grammar that wrote it, and the checksum of each file."""

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

FILE_NAME = "grammar.json"


def write(folder: Path, parameters: Mapping[str, Any]) -> None:
    """Stamp a folder that holds the corpus and nothing else."""
    checksums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    facts = {**parameters, "grammar": _grammar(), "sha256": checksums}
    (folder / FILE_NAME).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def is_up_to_date(out: Path, parameters: Mapping[str, Any]) -> bool:
    """Tell whether ``out`` holds, unchanged, what this grammar writes with these parameters."""
    facts = _read(out)
    if facts != {**parameters, "grammar": _grammar(), "sha256": facts.get("sha256")}:
        return False
    return all((out / name).is_file() and _sha256(out / name) == digest for name, digest in facts["sha256"].items())


def check_replaceable(out: Path) -> None:
    """Refuse to replace anything that the grammar has not written.

    Raises:
        ValueError: if ``out`` is a file, or a folder with a file that its ``grammar.json`` does not name.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise ValueError(f"{out}: is a file; expected a folder or nothing")
    facts = _read(out)
    known = {FILE_NAME, *facts["sha256"]} if facts else set()
    strangers = sorted(path.name for path in out.iterdir() if path.name not in known)
    if strangers:
        raise ValueError(
            f"{out}: would be replaced, but the grammar did not write {strangers[0]} in it; "
            "give another folder or remove it yourself"
        )


def _read(out: Path) -> dict[str, Any]:
    """Read the stamp of a folder; empty when there is none."""
    try:
        facts = json.loads((out / FILE_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) and isinstance(facts.get("sha256"), dict) else {}


@cache
def _grammar() -> str:
    """Identify the grammar by the code and the tables of this package."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

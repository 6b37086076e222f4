"""Writing a synthetic data set: all of it or nothing, and nothing where it is there already."""

import hashlib
import json
import logging
import platform
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from data_prep import signature
from data_prep.folder import building, claimed
from data_prep.synthetic.adding import Adding
from data_prep.synthetic.copying import Copying
from data_prep.synthetic.memorisation import Memorisation
from data_prep.synthetic.nth_farthest import NthFarthest
from data_prep.synthetic.programs import Programs

logger = logging.getLogger(__name__)

Task = Copying | Adding | NthFarthest | Programs | Memorisation
TASKS: dict[str, type[Task]] = {task.name: task for task in (Copying, Adding, NthFarthest, Programs, Memorisation)}
FACTS = "facts.json"
RECIPE = 1
"""Raised whenever the same options give other data than before."""


def write(
    task: Task, out: Path, *, counts: Mapping[str, int], seed: int, command: str = "", overwrite: bool = False
) -> bool:
    """Write the splits of a task, ``facts.json`` and ``signature.json`` into a folder.

    A split depends on the seed, its name and its own size alone; one of size 0 is not written.

    Args:
        task: what to write.
        out: the folder.
        counts: sequences of each split of the task.
        seed: the same seed gives the same bytes.
        command: the command line, for the signature.
        overwrite: replace what an earlier run left in ``out``.

    Returns:
        False if ``out`` already held exactly this.

    Raises:
        ValueError: if a number is negative, all are 0, or ``out`` holds something else.
    """
    for name, value in {**counts, "seed": seed}.items():
        if value < 0:
            raise ValueError(f"{name}: expected 0 or more, got {value}")
    if not any(counts.values()):
        raise ValueError("all splits have 0 sequences; ask for at least one")
    made = _describe(task, counts, seed, command)
    if overwrite:
        signature.check_overwritable(out)
    elif signature.is_up_to_date(out, made):
        logger.info("%s is up to date", out)
        return False
    with claimed(out) as place, building(place, made["identity"]):
        place.empty_result()
        splits = {split: task.write(place.result, split, counts[split], seed) for split in task.splits if counts[split]}
        facts = {"task": task.name, "options": asdict(task), **task.facts(), "splits": splits}
        signature.write_json(place.result / FACTS, facts)
        signature.write(place.result, made)
    logger.info("wrote %s: %s", out, ", ".join(f"{count} {split}" for split, count in counts.items() if count))
    return True


def _describe(task: Task, counts: Mapping[str, int], seed: int, command: str) -> dict[str, Any]:
    """Describe a run, as :mod:`data_prep.signature` does for text."""
    config = {"task": task.name, **asdict(task), "counts": dict(counts), "seed": seed}
    versions = {
        "data_prep synthetic recipe": str(RECIPE),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    identity = json.dumps({"versions": versions, "config": config}, sort_keys=True)
    return {
        "command": command,
        "identity": hashlib.sha256(identity.encode()).hexdigest(),
        "versions": versions,
        "config": json.loads(json.dumps(config)),
        "inputs": {},
    }

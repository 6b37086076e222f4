"""Figures of finished cells: reading them, summing up the seeds, writing them for a reader."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any


def read_json(path: Path, keys: tuple[str, ...]) -> dict[str, Any]:
    """Read a file that an earlier step of the workflow wrote, and see that it has these keys.

    Raises:
        ValueError: if it is missing or damaged; the message says how to make it.
    """
    if not path.is_file():
        raise ValueError(f"{path}: not found, so this cell is not finished; run the workflow, it makes what is missing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is damaged ({error}); remove it and run the workflow, it makes it again") from None
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise ValueError(f"{path}: has no {key!r}; remove it and run the workflow, it makes it again")
    return content


def spread(values: list[float]) -> dict[str, Any]:
    """Mean and sample standard deviation over the seeds; one seed has no deviation."""
    deviation = float(f"{statistics.stdev(values):.6g}") if len(values) > 1 else None
    return {"mean": float(f"{statistics.fmean(values):.6g}"), "std": deviation, "values": values}


def plus_minus(value: dict[str, Any], form: str = "{:.2f}") -> str:
    """``mean ± std``, or the mean alone where there is one seed."""
    mean = form.format(value["mean"])
    return mean if value["std"] is None else f"{mean} ± {form.replace('+', '').format(value['std'])}"


def duration(seconds: float) -> str:
    """Seconds for a reader: ``45 s``, ``12.3 min`` or ``5.2 h``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"

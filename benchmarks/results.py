"""Rows of figures: what a measurement gives, as a table to read and as CSV with the environment it was taken in."""

from __future__ import annotations

import csv
import datetime
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import torch

from benchmarks.config import LayerConfig
from benchmarks.registry import running_backend
from benchmarks.timing import Spread, ratios
from rims_nlp.machine import cores, processor

ROOT = Path(__file__).resolve().parents[1]


def git_revision() -> str:
    """Short revision of the project, with ``+`` where tracked files were changed; "unknown" without git."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


@dataclass(frozen=True)
class Row:
    """One figure of one contestant, and its ratio to one rival.

    Args:
        what: the measure, e.g. "forward".
        contestant: whose figure it is.
        unit: of the figure, e.g. "ms".
        value: the figure.
        samples: values it summarises.
        rival: what the ratio is to.
        ratio: contestant's figure / rival's, taken sample by sample.
        sweep: the sweep that the row is a point of; "" for none.
        parameters: trained parameters of the contestant; 0 where a row has none.
        config: sizes.
        note: anything else that a reader must know.
    """

    what: str
    contestant: str
    unit: str
    value: Spread
    samples: int
    rival: str
    ratio: Spread
    sweep: str = ""
    parameters: int = 0
    config: Mapping[str, object] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class Environment:
    """Where and when figures were taken."""

    machine: str
    device_name: str
    threads: int
    load: float  # average over the last minute of processes that wanted to run, before the first measurement
    auto_backend: str  # what the contestant "rim" ran on
    torch: str
    python: str
    revision: str
    date: str

    @classmethod
    def here(cls, config: LayerConfig) -> Environment:
        """Of this process, measuring on the device of ``config``."""
        on_cuda = torch.device(config.device).type == "cuda"
        return cls(
            machine=f"{processor()}, {cores()} cores",
            device_name=torch.cuda.get_device_name(config.device) if on_cuda else "cpu",
            threads=torch.get_num_threads(),
            load=round(os.getloadavg()[0], 2),
            auto_backend=running_backend(config),
            torch=torch.__version__,
            python=platform.python_version(),
            revision=git_revision(),
            date=datetime.datetime.now(datetime.UTC).date().isoformat(),
        )


def compare(
    what: str,
    figures: Mapping[str, Sequence[float]],
    rival: str,
    *,
    unit: str,
    names: Sequence[str] | None = None,
    config: Mapping[str, object] | None = None,
    parameters: Mapping[str, int] | None = None,
    notes: Mapping[str, str] | None = None,
) -> list[Row]:
    """A row for each contestant with its ratio to the rival; none where the rival did not take part.

    Args:
        what: the measure.
        figures: of each contestant one figure a round.
        rival: whose figures the ratios are to.
        unit: of the figures.
        names: contestants to give rows (None: all).
        config: the sizes.
        parameters: of each contestant.
        notes: of each contestant.
    """
    if rival not in figures:
        return []
    return [
        Row(
            what,
            name,
            unit,
            Spread.of(values),
            len(values),
            rival,
            ratios(values, figures[rival]),
            parameters=(parameters or {}).get(name, 0),
            config=config or {},
            note=(notes or {}).get(name, ""),
        )
        for name, values in figures.items()
        if names is None or name in names
    ]


COLUMNS = (
    "what", "sweep", "contestant", "unit", "median", "low", "high", "largest", "samples",
    "rival", "ratio", "ratio_low", "ratio_high", "parameters",
    *(field.name for field in fields(LayerConfig)), "data", "note",
    *(field.name for field in fields(Environment)),
)  # fmt: skip


def as_columns(row: Row, environment: Environment) -> dict[str, object]:
    """The row as it stands in a CSV; six significant digits."""
    numbers = {
        "median": row.value.median,
        "low": row.value.low,
        "high": row.value.high,
        "largest": row.value.largest,
        "ratio": row.ratio.median,
        "ratio_low": row.ratio.low,
        "ratio_high": row.ratio.high,
    }
    plain = ("what", "sweep", "contestant", "unit", "samples", "rival", "note")
    return {
        **{name: getattr(row, name) for name in plain},
        **{name: f"{number:.6g}" for name, number in numbers.items()},
        "parameters": row.parameters or "",
        **row.config,
        **asdict(environment),
    }


def check_writable(folder: Path) -> None:
    """Make a folder and try it, so that nothing is measured in vain.

    Raises:
        ValueError: if no file can be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise ValueError(f"{folder}: cannot be written to ({error.strerror})") from None


def write_csv(path: Path, rows: Iterable[Row], environment: Environment) -> None:
    """Write rows under a temporary name that becomes ``path`` at the end."""
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(as_columns(row, environment) for row in rows)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def read_csv(path: Path) -> list[dict[str, str]]:
    """The rows of a results file.

    Raises:
        ValueError: if the file is not there or has other columns.
    """
    if not path.is_file():
        raise ValueError(f"{path}: no such results file; python -m benchmarks.run writes it")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise ValueError(f"{path}: is not a results file, it has no column {missing[0]!r}")
        return list(reader)


def table(rows: Sequence[Row]) -> str:
    """Rows of one measure and unit for a terminal, the spread in brackets."""
    lines = [
        (
            row.contestant,
            f"{number(row.value.median)} [{number(row.value.low)} - {number(row.value.high)}] {row.unit}",
            f"{row.ratio.median:.2f} [{row.ratio.low:.2f} - {row.ratio.high:.2f}] x {row.rival}",
            row.note,
        )
        for row in rows
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(3)]
    return "\n".join(
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {ratio:<{widths[2]}}  {note}".rstrip()
        for name, value, ratio, note in lines
    )


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"

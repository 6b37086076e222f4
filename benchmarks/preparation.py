"""Data preparation beside the bare minimum of the same tools, at the scale of millions of pairs.

The minimum is what every recipe does at least: SentencePiece over both sides, with all processors, then
``fairseq-preprocess``. It is given the finished model and dictionary, and text that needs no cleaning; ours reads,
cleans, filters, looks for repeats, trains the model, encodes, binarises and hashes what it wrote.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psutil
import sentencepiece

from benchmarks.results import ROOT, git_revision
from benchmarks.timing import Spread
from rims_nlp.machine import cores, processor

EN_FR = 36_000_000  # pairs of WMT14 English-French, for the extrapolation
DISTINCT = 50_000  # sentence pairs that the grammar writes; the rest are these with another number
CONSTANT = ("train SentencePiece",)  # stages that do not grow with the text, once that is larger than the sample
RESULTS = Path(__file__).with_name("results") / "preparation.csv"
EXAMPLES = """\
examples:
  python -m benchmarks.preparation --pairs 20000 --output benchmarks/results/quick.csv
  python -m benchmarks.preparation --pairs 500000 2000000     # the figures in results/, about half an hour
  python -m benchmarks.preparation --pairs 500000 --text train.en train.de --output benchmarks/results/own.csv
"""


@dataclass(frozen=True)
class Run:
    """What a command took: seconds of wall time, processors busy on average, and the largest resident memory, in MiB.

    Memory is that of the process and all below it added up, so that pages they share count several times.
    """

    seconds: float
    cores: float
    memory: float


def measured(command: Sequence[str], folder: Path) -> Run:
    """Run a command in a folder and measure it with all its processes.

    Raises:
        RuntimeError: if it fails.
    """
    log = folder / "log"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    before, start, peak = _cpu_seconds(), time.monotonic(), 0
    with open(log, "wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=output)
        root = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, _resident(root))
            time.sleep(0.05)
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{log.read_text(errors='replace')[-2000:]}")
    seconds = time.monotonic() - start
    return Run(seconds, (_cpu_seconds() - before) / seconds, peak / 2**20)


def _resident(root: psutil.Process) -> int:
    total = 0
    try:
        for process in (root, *root.children(recursive=True)):
            total += process.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total


def _cpu_seconds() -> float:
    times = os.times()
    return times.children_user + times.children_system


def write_corpus(folder: Path, pairs: int, text: tuple[Path, Path] | None) -> None:
    """Write ``train.en`` and ``train.de``: the lines again and again, every time with another number at their end."""
    folder.mkdir(parents=True, exist_ok=True)
    if text is None:
        grammar = folder.parent / "grammar"
        options = ("--domain", "chamber", "--pairs", str(min(pairs, DISTINCT)), "--out", str(grammar))
        subprocess.run([sys.executable, "-m", "data_prep", "grammar", *options], check=True, cwd=ROOT)
        text = (grammar / "train.en", grammar / "train.de")
    for path, lang in zip(text, ("en", "de"), strict=True):
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        with open(folder / f"train.{lang}", "w", encoding="utf-8") as file:
            file.writelines(f"{lines[number % len(lines)]} {number // len(lines)}\n" for number in range(pairs))
        for name, held_out in (("valid", lines[:100]), ("test", lines[:3000])):
            (folder / f"{name}.{lang}").write_text("\n".join(held_out) + "\n", encoding="utf-8")


def prepare_command(corpus: Path, vocabulary: int, workers: int) -> list[str]:
    """The command line of ours."""
    files = [word for split in ("train", "valid") for side, lang in (("src", "en"), ("tgt", "de"))
             for word in (f"--{split}-{side}", str(corpus / f"{split}.{lang}"))]  # fmt: skip
    options = ["--test", "news", str(corpus / "test.en"), str(corpus / "test.de")]
    options += ["--vocab-size", str(vocabulary), "--workers", str(workers), "--out", "ours"]
    return [sys.executable, "-m", "data_prep", "prepare", "--pair", "en-de", *files, *options]


def minimum_command(corpus: Path, model: Path, workers: int) -> list[str]:
    """The command line of the minimum: this module's sub-command, see :func:`minimum`."""
    return [sys.executable, "-m", "benchmarks.preparation", "--minimum", str(corpus), str(model), str(workers)]


def minimum(corpus: Path, prepared: Path, workers: int) -> None:
    """Encode both sides and run ``fairseq-preprocess`` in the present folder."""
    model = sentencepiece.SentencePieceProcessor(model_file=str(prepared / "spm.model"))
    for lang in ("en", "de"):
        for split in ("train", "valid", "test"):
            with (
                open(corpus / f"{split}.{lang}", encoding="utf-8") as lines,
                open(f"{split}.{lang}", "w", encoding="utf-8") as encoded,
            ):
                while batch := list(islice(lines, 10_000)):
                    for pieces in model.encode(batch, out_type=str, num_threads=workers):
                        encoded.write(" ".join(pieces) + "\n")
    options = ["--source-lang", "en", "--target-lang", "de", "--trainpref", "train", "--validpref", "valid",
               "--testpref", "test",
               "--srcdict", str(prepared / "dict.en.txt"), "--tgtdict", str(prepared / "dict.de.txt"),
               "--destdir", "minimum", "--workers", str(workers)]  # fmt: skip
    subprocess.run([sys.executable, "-m", "fairseq_cli.preprocess", *options], check=True)


def rounds(folder: Path, pairs: int, arguments: argparse.Namespace) -> Iterator[tuple[Run, Run]]:
    """Yield what ours and the minimum took, one after the other, round by round."""
    corpus, text = folder / f"corpus{pairs}", arguments.text and tuple(path.absolute() for path in arguments.text)
    write_corpus(corpus, pairs, text)
    place = folder / f"run{pairs}"
    for _ in range(arguments.rounds):
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        ours = measured(prepare_command(corpus, arguments.vocabulary, arguments.workers), place)
        shutil.copytree(place / "ours", folder / "model", dirs_exist_ok=True, ignore=shutil.ignore_patterns("train.*"))
        yield ours, measured(minimum_command(corpus, folder / "model", arguments.workers), place)


def rows(folder: Path, pairs: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Measure one size: a row for ours, one for the minimum and one for every stage of ours."""
    both = list(rounds(folder, pairs, arguments))
    stages = json.loads((folder / f"run{pairs}" / "ours" / "throughput.json").read_text())["stages"]
    ratio = Spread.of([ours.seconds / least.seconds for ours, least in both])
    made: list[dict[str, Any]] = []
    for name, runs in (("data_prep prepare", [one for one, _ in both]), ("minimum", [other for _, other in both])):
        middle = {key: Spread.of([asdict(run)[key] for run in runs]).median for key in ("seconds", "cores", "memory")}
        made.append({"what": name, **middle, "rounds": len(runs)})
    made[0] |= {"ratio": ratio.median, "ratio_low": ratio.low, "ratio_high": ratio.high}
    made += [
        {
            "what": f"stage: {stage['stage']}",
            **{key: stage[key] for key in ("seconds", "pairs_per_second")},
            "rounds": 1,
        }
        for stage in stages
    ]
    fixed = sum(stage["seconds"] for stage in stages if stage["stage"] in CONSTANT)
    hours = (fixed + (made[0]["seconds"] - fixed) * EN_FR / pairs) / 3600
    made.append({"what": f"extrapolated to {EN_FR:,} pairs", "seconds": hours * 3600, "rounds": 1})
    return [{"pairs": pairs, **row, **_environment(arguments)} for row in made]


def _environment(arguments: argparse.Namespace) -> dict[str, object]:
    return {
        "text": "own" if arguments.text else "grammar",
        "vocabulary": arguments.vocabulary,
        "workers": arguments.workers,
        "machine": f"{processor()}, {cores()} cores",
        "python": platform.python_version(),
        "revision": git_revision(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
    }


def missed_targets(table: Sequence[Mapping[str, Any]]) -> list[str]:
    """Say which of the targets the figures do not meet.

    They are a time of 1.3 times the minimum, 1,500 MiB, and the same memory (to a quarter) from the smallest to the
    largest corpus.
    """
    ours = [row for row in table if row["what"] == "data_prep prepare"]
    missed = []
    for row in ours:
        if float(row["ratio"]) > 1.3:
            missed.append(f"{row['pairs']} pairs: {row['ratio']} times the minimum, expected at most 1.3")
        if float(row["memory"]) > 1500:
            missed.append(f"{row['pairs']} pairs: {row['memory']} MiB, expected at most 1500")
    memory = [float(row["memory"]) for row in sorted(ours, key=lambda row: int(row["pairs"]))]
    if memory[-1] > 1.25 * memory[0]:
        missed.append(f"memory grows from {memory[0]:.0f} to {memory[-1]:.0f} MiB, expected less than a quarter")
    return missed


COLUMNS = ("pairs", "what", "seconds", "pairs_per_second", "ratio", "ratio_low", "ratio_high", "cores", "memory",
           "rounds", "text", "vocabulary", "workers", "machine", "python", "revision", "date")  # fmt: skip


def write_csv(path: Path, table: list[dict[str, Any]]) -> None:
    """Write the rows, numbers with four digits."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        for row in table:
            rounded = {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}
            writer.writerow(rounded)


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns 0, or 1 where a target is missed."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.preparation",
        description=__doc__,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--pairs", nargs="+", type=int, default=[20_000], metavar="N", help="sizes of the corpus")
    parser.add_argument(
        "--text", nargs=2, type=Path, metavar=("EN", "DE"), help="text to repeat (default: the grammar's)"
    )
    parser.add_argument("--rounds", type=int, default=1, metavar="N", help="of ours and the minimum, in turn")
    parser.add_argument("--workers", type=int, default=cores(), metavar="N", help="processes (default: all processors)")
    parser.add_argument("--vocabulary", type=int, default=8000, metavar="N", help="pieces (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="CSV", help="(default: %(default)s)")
    parser.add_argument("--minimum", nargs=3, metavar=("CORPUS", "PREPARED", "WORKERS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args(argv)
    if arguments.minimum:
        corpus, prepared, workers = arguments.minimum
        minimum(Path(corpus), Path(prepared), int(workers))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        table = [row for pairs in arguments.pairs for row in rows(Path(folder), pairs, arguments)]
    for row in table:
        pairs = EN_FR if "extrapolated" in row["what"] else row["pairs"]
        row.setdefault("pairs_per_second", pairs / row["seconds"])
        print("  ".join(f"{key} {row[key]:.4g}" if isinstance(row[key], float) else f"{row[key]}"
                        for key in COLUMNS[:9] if key in row))  # fmt: skip
    write_csv(arguments.output, table)
    missed = missed_targets(table)
    for line in missed:
        print(f"missed: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

"""Which units of a shared encoder serve which language: what each target language loses without each of them."""

from __future__ import annotations

import argparse
import itertools
import logging
import shlex
import statistics
import sys
from pathlib import Path
from typing import Any

from files import sha256, write_json, write_text
from source_text import open_source, read_segments

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from activity_report import drop_units, find_tracks, table  # noqa: E402

from fairseq_plugins.inspection import Subject, load_subject  # noqa: E402
from fairseq_plugins.scoring import check_line_counts, read_lines  # noqa: E402


def losses(subject: Subject, lines: list[str], references: list[str], batch_size: int) -> dict[str, Any]:
    """The loss of one language, intact and without each unit of the encoder.

    Args:
        subject: the model, set to the language.
        lines: source text.
        references: in that language, aligned.
        batch_size: lines at once.

    Returns:
        ``intact``: nats of a subword; ``without``: name of a unit -> what is added to that.

    Raises:
        ValueError: if the encoder has no RIMs.
    """
    tracks = [track for track in find_tracks(subject) if track.module.startswith("encoder")]
    if not tracks:
        raise ValueError(f"{subject.path}: its encoder has no RIMs")
    intact, *rows = drop_units(
        subject, tracks, lambda: subject.evaluate(subject.text_samples(lines, references, batch_size=batch_size))
    )
    without = {f"{row['layer']}, {row['unit']}": row["loss"] - intact["loss"] for row in rows}
    return {"intact": intact["loss"], "without": without}


def examine(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything the table shows.

    Raises:
        ValueError: if texts cannot be read or are not aligned, the model cannot be loaded or does not translate to
            a language, or :func:`losses` refuses it.
    """
    with open_source(arguments.text) as stream:
        lines = list(read_segments(stream, arguments.text))
    found = {}
    for language, path in arguments.reference:
        references = read_lines(path)
        check_line_counts(lines, references, arguments.text, path)
        chosen = lines[: arguments.limit], references[: arguments.limit]
        subject = load_subject(arguments.model, target_lang=language)
        found[language] = losses(subject, *chosen, arguments.batch_size)
    pairs = itertools.combinations(found, 2)
    return {
        "model": str(arguments.model),
        "lines": len(lines[: arguments.limit]),
        "languages": found,
        "correlation": {f"{a}-{b}": by_layer(found[a]["without"], found[b]["without"]) for a, b in pairs},
        "checkpoint_sha256": sha256(subject.path),
        "command": shlex.join(["python", "scripts/task_units.py", *arguments.command]),
    }


def by_layer(first: dict[str, float], second: dict[str, float]) -> dict[str, float | None]:
    """The correlation over the units of each layer and direction."""
    units: dict[str, list[str]] = {}
    for name in first:
        units.setdefault(name.rpartition(", ")[0], []).append(name)
    return {
        layer: correlation([first[name] for name in names], [second[name] for name in names])
        for layer, names in units.items()
    }


def correlation(first: list[float], second: list[float]) -> float | None:
    """Pearson's, of what two languages lose without each unit; None where one of them does not vary."""
    try:
        return round(statistics.correlation(first, second), 4)
    except statistics.StatisticsError:
        return None


def markdown(report: dict[str, Any]) -> str:
    """The table as Markdown."""
    languages = report["languages"]
    units = list(next(iter(languages.values()))["without"])
    rows = [["intact", *(f"{found['intact']:.4f}" for found in languages.values())]]
    rows += [[unit, *(f"{found['without'][unit]:+.4f}" for found in languages.values())] for unit in units]
    notes = [
        f"{report['lines']:,} lines; nats of a subword of the reference, intact; below, what is added without one unit "
        "of the encoder, nothing being trained again.",
        *(
            f"Correlation of {pair} over the units of the {layer}: {_written(value)}."
            for pair, layers in report["correlation"].items()
            for layer, value in layers.items()
        ),
        f"Made by: `{report['command']}`",
    ]
    title = f"# Which units of the encoder serve which language: {Path(report['model']).name}"
    return "\n".join([title, "", table(["without", *languages], rows), "", *(f"- {note}" for note in notes), ""])


def _written(value: float | None) -> str:
    return "none, one of them does not vary" if value is None else f"{value:.2f}"


def language_and_file(text: str) -> tuple[str, str]:
    """``LANG=FILE`` as a pair."""
    language, equals, path = text.partition("=")
    if not (language and equals and path):
        raise argparse.ArgumentTypeError(f"expected LANG=FILE, such as de=news.de, got {text!r}")
    return language, path


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n"
        "  python scripts/task_units.py --model runs/demo/models/rims.multitask.seed1 --output runs/units \\\n"
        "    --text runs/demo/text/chamber/test.en --reference de=runs/demo/text/chamber/test.de \\\n"
        "    --reference fr=runs/demo/text/chamber/test.fr",
    )
    parser.add_argument(
        "--model", required=True, type=Path, metavar="PATH", help="directory of a model of several pairs"
    )
    parser.add_argument("--text", required=True, metavar="FILE", help="source text, one segment a line")
    text = "its translation to one of the languages, such as de=news.de; give one for each"
    parser.add_argument(
        "--reference", required=True, action="append", type=language_and_file, metavar="LANG=FILE", help=text
    )
    parser.add_argument("--output", required=True, type=Path, metavar="DIR", help="folder of task_units.md and .json")
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N lines")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="lines at once (default: 64)")
    arguments = parser.parse_args(argv)
    arguments.command = sys.argv[1:] if argv is None else argv
    languages = [language for language, _ in arguments.reference]
    if len(set(languages)) < max(2, len(languages)):
        parser.error(f"--reference: give at least two different languages, got {', '.join(languages)}")
    for name in ("limit", "batch_size"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            parser.error(f"--{name.replace('_', '-')} must be at least 1, got {getattr(arguments, name)}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the table and returns the exit status."""
    arguments = parse(argv)
    try:
        report = examine(arguments)
        write_json(arguments.output / "task_units.json", report)
        write_text(arguments.output / "task_units.md", markdown(report))
    except ValueError as error:
        print(f"task_units.py: {error}", file=sys.stderr)
        return 1
    print(markdown(report), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

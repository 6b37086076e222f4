"""BLEU by length of the source sentence, as the report draws it: lengths.md and .json."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from cells import Cell
from experiment import TranslationExperiment, load_translation
from figures import plus_minus
from files import write_json, write_text
from report_data import Material, bleu_by_length, system_name

from fairseq_plugins.scoring import corpus_bleu


def collect(experiment: TranslationExperiment) -> dict[str, Any]:
    """The figures of every test set.

    Returns:
        ``tests``: test set -> ``buckets``, ``sentences`` of each, and ``bleu``: model -> BLEU of each bucket over the
        seeds; ``signature``: sacreBLEU's.

    Raises:
        ValueError: if a translation is missing or not aligned with its reference.
    """
    material = Material(experiment)
    tests = {}
    for test in experiment.tests:
        found = bleu_by_length(material, test)
        names = {
            (family, setting): system_name(experiment, Cell(family, setting, experiment.seeds[0]))
            for family, setting in found["bleu"]
        }
        tests[test] = {**found, "bleu": {names[key]: figures for key, figures in found["bleu"].items()}}
    _, signature = corpus_bleu([""], [""])
    return {"experiment": experiment.name, "seeds": experiment.seeds, "signature": signature, "tests": tests}


def markdown(table: dict[str, Any]) -> str:
    """A table for each test set."""
    lines = [f"# {table['experiment']}, BLEU by words of the source", ""]
    for test, found in table["tests"].items():
        buckets = [f"{name} ({count:,})" for name, count in zip(found["buckets"], found["sentences"], strict=True)]
        lines += [f"| {test.replace('_', ' ')} | {' | '.join(buckets)} |", "|---|" + "---:|" * len(buckets)]
        for name, figures in found["bleu"].items():
            lines.append(f"| {name} | {' | '.join(map(plus_minus, figures))} |")
        lines.append("")
    seeds = ", ".join(map(str, table["seeds"]))
    averaged = "mean ± standard deviation over the seeds" if len(table["seeds"]) > 1 else "seed"
    note = f"- Corpus BLEU of the sentences of a bucket (how many), {averaged} {seeds}: `{table['signature']}`."
    return "\n".join([*lines, note, ""])


def write_tables(experiment: TranslationExperiment) -> str:
    """Write both files, each in full or not at all; returns the Markdown."""
    table = collect(experiment)
    text = markdown(table)
    write_json(experiment.root / "lengths.json", table)
    write_text(experiment.root / "lengths.md", text)
    return text


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the tables and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/length_table.py --config configs/demo.yaml",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file whose cells are all scored")
    try:
        print(write_tables(load_translation(parser.parse_args(argv).config)), end="")
    except ValueError as error:
        print(f"length_table.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m data_prep list``: the data sets of the catalogue."""

import argparse

from data_prep.datasets import DATASETS

HELP = "list the data sets that can be downloaded"
EXAMPLES = """\
examples:
  python -m data_prep list
"""
_HEAD = ("name", "languages", "training segments", "to download", "licence")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options: none."""


def run(args: argparse.Namespace, command: str) -> int:
    """Print the table; returns 0."""
    rows = [_HEAD]
    for dataset in DATASETS.values():
        rows.append((dataset.name, dataset.languages, f"{dataset.segments:,}", dataset.bytes_text, dataset.licence))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return 0

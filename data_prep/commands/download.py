"""``python -m data_prep download``: the archives of a data set."""

import argparse
from pathlib import Path

from data_prep.datasets import find
from data_prep.download import download
from data_prep.progress import start_log

HELP = "download the archives of a data set"
EXAMPLES = """\
examples:
  python -m data_prep download iwslt14.en-de
  python -m data_prep download wmt14.en-fr --to path/to/downloads --quiet

A download that was stopped goes on where it was; archives that are there are checked and left alone.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", help="a name that 'list' shows")
    parser.add_argument(
        "--to", type=Path, default=Path("downloads"), metavar="DIR", help="folder to write to (default: downloads)"
    )
    parser.add_argument("--quiet", action="store_true", help="show errors only, and a line a minute of long work")


def run(args: argparse.Namespace, command: str) -> int:
    """Download; returns 0.

    Raises:
        ValueError: if there is no such data set, or a file in the folder is not what its name says.
        RuntimeError: if no mirror gives an archive, or it cannot be written.
    """
    start_log(quiet=args.quiet)
    download(find(args.name), args.to)
    return 0

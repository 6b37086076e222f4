"""``python -m data_prep verify``: check a folder that prepare or download has written."""

import argparse
from pathlib import Path

from data_prep.verify import verify

HELP = "check a folder that prepare or download has written"
EXAMPLES = """\
examples:
  python -m data_prep verify runs/demo/data
  python -m data_prep verify --quiet corpora/wmt14   # a folder of downloads; prints only what is wrong

Checks sizes and hashes of all files, the dictionaries, every binarised text and the numbers of segments. Prints a line
for each check, beginning with "ok" or "WRONG"; ends with status 0 if all is well and 1 if not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder to check")
    parser.add_argument("--quiet", action="store_true", help="print only what is wrong")


def run(args: argparse.Namespace, command: str) -> int:
    """Print the checks; returns 0 if nothing is wrong, else 1."""
    checks = wrong = 0
    for checks, check in enumerate(verify(args.folder), start=1):  # noqa: B007
        wrong += not check.ok
        if not (check.ok and args.quiet):
            print(check, flush=True)
    if not args.quiet:
        print(f"{args.folder}: {checks} checks, {wrong} wrong")
    return int(wrong > 0)

"""``python -m data_prep info``: all that the catalogue knows about a data set."""

import argparse
from collections.abc import Iterator

from data_prep.datasets import Archive, Dataset, Part, find

HELP = "show the files, sources, licence and citation of a data set"
EXAMPLES = """\
examples:
  python -m data_prep info wmt14.en-de
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("name", help="a name that 'list' shows")


def run(args: argparse.Namespace, command: str) -> int:
    """Print what is known; returns 0.

    Raises:
        ValueError: if there is no such data set.
    """
    print("\n".join(_lines(find(args.name))))
    return 0


def _lines(dataset: Dataset) -> Iterator[str]:
    yield f"{dataset.name}: {dataset.description}"
    yield f"languages    {dataset.languages}"
    yield f"homepage     {dataset.homepage}"
    yield f"hub          {' '.join(dataset.hub) if dataset.hub else 'not there'}"
    yield f"licence      {dataset.licence}"
    yield f"to download  {dataset.bytes_text}"
    for archive in dataset.archives:
        yield from _archive_lines(archive)
    for name, parts in (("training", dataset.train), ("validation", dataset.valid)):
        yield from _split_lines(name, parts)
    if dataset.valid_every:
        yield f"\nvalidation: held out of the training text, one pair in {dataset.valid_every}"
    for name, parts in dataset.tests.items():
        yield from _split_lines(f"test set {name!r}", parts)
    yield f"\n{dataset.citation}"


def _archive_lines(archive: Archive) -> Iterator[str]:
    exact = "size unknown" if archive.size is None else f"{archive.size:,} bytes"
    yield f"\n{archive.name}: {exact if archive.about is None else archive.size_text}"
    checksum = (
        f"md5 {archive.md5}" if archive.sha256 is None and archive.md5 else f"sha256 {archive.sha256 or 'unknown'}"
    )
    yield f"  {checksum}"
    yield from (f"  {url}" for url in archive.urls)


def _split_lines(name: str, parts: tuple[Part, ...]) -> Iterator[str]:
    if parts:
        yield f"\n{name}:"
    for part in parts:
        yield f"  {part.name}, about {part.segments:,} segments"
        yield from (f"    {location}" for location in part.locations)

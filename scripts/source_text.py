"""Reading text to translate as the training text was read: split at line feeds alone, every line normalised."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from data_prep.clean import normalise


@contextlib.contextmanager
def open_source(name: str) -> Iterator[BinaryIO]:
    """Standard input for ``-``, else the file.

    Raises:
        ValueError: if it cannot be opened.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(name, "rb")  # noqa: SIM115  closed below, and only errors of opening are caught
    except OSError as error:
        raise ValueError(f"{name}: cannot be read ({error.strerror})") from None
    with stream:
        yield stream


def read_segments(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """The normalised lines of a stream; only a line feed ends one, and none is left out.

    Raises:
        ValueError: at a line that is not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield normalise(line.decode("utf-8"))
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}: line {number} is not UTF-8 text ({error.reason})") from None

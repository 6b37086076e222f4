"""Columns between tabs, unquoted, as WMT ships Europarl v10, News Commentary and WikiMatrix."""

import re

from data_prep.formats.source import Pairs, PairSource, check_options, pair_is_turned, same_language
from data_prep.streams import Meter
from data_prep.text import read_lines

_NO_TEXT = re.compile(r"\s*([-+]?\d+([.,]\d+)?(e[-+]?\d+)?|https?://\S+)\s*", re.IGNORECASE)
"""A score, a number or an address, which mined corpora have beside the text."""


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs; a blank line is an empty pair, a first row with both language codes is a header.

    Raises:
        ValueError: if a row has another number of columns than the first, there is no such column, or the columns to
            take are not given and cannot be told.
    """
    check_options(source, "tsv", columns=True)
    file = source.one("tsv")
    width, positions, header = 0, (0, 0), None
    for number, line in enumerate(read_lines(file, meter), start=1):
        cells = line.split("\t")
        if not line.strip() and len(cells) != width:
            yield "", ""
            continue
        if not width:
            width = len(cells)
            positions, is_header = _positions(source, cells, src, tgt)
            if is_header:
                header = _pick(cells, positions)
                continue
        if len(cells) != width:
            raise ValueError(f"{file}:{number}: {len(cells)} columns, expected {width} as in the first row")
        pair = _pick(cells, positions)
        if header and pair == header:
            raise ValueError(f"{file}:{number}: {_unclear(cells, 'the codes of the first row again: it is no header')}")
        yield pair


def _pick(cells: list[str], positions: tuple[int, int]) -> tuple[str, str]:
    return cells[positions[0]], cells[positions[1]]


def _positions(source: PairSource, first: list[str], src: str, tgt: str) -> tuple[tuple[int, int], bool]:
    """Return the two columns to take, from 0, and whether the first row is a header."""
    file, cells = source.files[0], [cell.strip() for cell in first]
    if source.columns is None:
        header = [[index for index, cell in enumerate(cells) if same_language(cell, w)] for w in (src, tgt)]
        if all(header):
            return (header[0][0], header[1][0]), True
        if len(cells) > 2 and any(map(_NO_TEXT.fullmatch, cells[:2])):
            raise ValueError(f"{file}: {_unclear(cells, 'a number or an address in the first two columns')}")
        names = ("2", "1") if pair_is_turned(file, src, tgt) else ("1", "2")
    else:
        names = source.columns
    found = [_find(file, name, cells) for name in names]
    return (found[0][0], found[1][0]), any(is_name for _, is_name in found)


def _unclear(cells: list[str], what: str) -> str:
    return f"{what}; say which columns hold the text, for example columns 2,3 of: {_shown(cells)}"


def _find(file: str, name: str, cells: list[str]) -> tuple[int, bool]:
    """Return the place of a column, from 0, and whether it was found by its name."""
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(cells):
        return int(name) - 1, False
    if name not in cells:
        raise ValueError(
            f"{file}: no column {name!r}; the first row has {len(cells)} columns: {_shown(cells)}; "
            "expected numbers from 1, or names in it"
        )
    return cells.index(name), True


def _shown(cells: list[str]) -> str:
    return ", ".join(cell[:40] for cell in cells)

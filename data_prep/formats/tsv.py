"""Columns between tabs, unquoted, as WMT ships Europarl v10, News Commentary and WikiMatrix."""

from data_prep.formats.source import Pairs, PairSource, check_options, pair_is_turned, same_language
from data_prep.streams import Meter
from data_prep.text import read_lines


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs; a blank line is an empty pair, a first row with both language codes is a header.

    Raises:
        ValueError: if a row has another number of columns than the first, or there is no such column.
    """
    check_options(source, "tsv", columns=True)
    file = source.one("tsv")
    width, positions = 0, (0, 0)
    for number, line in enumerate(read_lines(file, meter), start=1):
        cells = line.split("\t")
        if not line.strip() and len(cells) != width:
            yield "", ""
            continue
        if not width:
            width = len(cells)
            positions, is_header = _positions(source, cells, src, tgt)
            if is_header:
                continue
        if len(cells) != width:
            raise ValueError(f"{file}:{number}: {len(cells)} columns, expected {width} as in the first row")
        yield cells[positions[0]], cells[positions[1]]


def _positions(source: PairSource, first: list[str], src: str, tgt: str) -> tuple[tuple[int, int], bool]:
    """Return the two columns to take, from 0, and whether the first row is a header."""
    if source.columns is None:
        header = [[index for index, cell in enumerate(first) if same_language(cell.strip(), w)] for w in (src, tgt)]
        if all(header):
            return (header[0][0], header[1][0]), True
        names = ("2", "1") if pair_is_turned(source.files[0], src, tgt) else ("1", "2")
    else:
        names = source.columns
    cells = [cell.strip() for cell in first]
    found = [_find(source.files[0], name, cells) for name in names]
    return (found[0][0], found[1][0]), any(is_name for _, is_name in found)


def _find(file: str, name: str, cells: list[str]) -> tuple[int, bool]:
    """Return the place of a column, from 0, and whether it was found by its name."""
    if name.isascii() and name.isdigit() and 1 <= int(name) <= len(cells):
        return int(name) - 1, False
    if name not in cells:
        shown = ", ".join(cell[:40] for cell in cells)
        raise ValueError(
            f"{file}: no column {name!r}; the first row has {len(cells)} columns: {shown}; "
            "expected numbers from 1, or names in it"
        )
    return cells.index(name), True

"""A JSON object a line, with the two sides under their languages or other names."""

import json
from typing import Any

from data_prep.formats.source import Pairs, PairSource, check_options
from data_prep.streams import Meter
from data_prep.text import on_one_line, read_lines


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs of ``{"en": .., "de": ..}`` or ``{"translation": {"en": .., "de": ..}}``; blank lines are none.

    Raises:
        ValueError: if a line is not such an object; the message names file and line.
    """
    check_options(source, "jsonl", columns=True)
    file = source.one("jsonl")
    names = source.columns or (src, tgt)
    for number, line in enumerate(read_lines(file, meter), start=1):
        if line.strip():
            yield _pair(line, names, f"{file}:{number}")


def _pair(line: str, names: tuple[str, str], where: str) -> tuple[str, str]:
    try:
        row = json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: not JSON: {error}") from error
    return texts_of(row, names, where)


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a mapping; a key given twice is a sign of two rows run into one."""
    mapping = dict(items)
    if len(mapping) < len(items):
        raise ValueError("a key is given twice")
    return mapping


def texts_of(row: Any, names: tuple[str, str], where: str) -> tuple[str, str]:
    """Return the two texts of a row.

    Raises:
        ValueError: if one is not there or not a text.
    """
    if isinstance(row, dict) and isinstance(row.get("translation"), dict) and names[0] not in row:
        row = row["translation"]
    if not isinstance(row, dict) or any(name not in row for name in names):
        keys = ", ".join(map(str, row)) if isinstance(row, dict) else type(row).__name__
        raise ValueError(f"{where}: expected the keys {names[0]} and {names[1]}, got: {keys[:200]}")
    return _text(row[names[0]], where), _text(row[names[1]], where)


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{where}: expected a text, got {value!r:.80}")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{where}: half of a surrogate pair at character {error.start + 1}") from error
    return on_one_line(value)

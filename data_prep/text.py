r"""Reading aligned text files so that no character can shift the alignment.

The rule for lines: a file is split at the byte ``\n`` and nowhere else. A ``\r`` before it belongs to the line end
and is removed, and so is a byte order mark at the start of the file. Whatever else Unicode or some program treats as
the end of a line or of a string (lone CR, VT, FF, FS, GS, RS, NEL, U+2028, U+2029, NUL) becomes one space when read.
"""

import codecs
import re
from collections.abc import Iterator
from functools import partial
from itertools import zip_longest
from pathlib import Path

from data_prep.streams import Meter, open_location

MAX_LINE = 1 << 20  # bytes
_BREAK = re.compile("[\0\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def read_lines(location: str | Path, meter: Meter | None = None) -> Iterator[str]:
    """Yield the lines of a UTF-8 text by the rule above, without line ends.

    Args:
        location: see :func:`data_prep.streams.open_location`.
        meter: is called with the bytes read from the disk.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line is not UTF-8 or longer than :data:`MAX_LINE`, or data are damaged; the message names the
            location and the line or byte.
    """
    location = str(location)
    with open_location(location, meter=meter) as file:
        for number, raw in enumerate(iter(partial(file.readline, MAX_LINE + 1), b""), start=1):
            if number == 1:
                raw = _without_mark(raw, location)
            if len(raw) > MAX_LINE:
                raise ValueError(f"{location}:{number}: the line has more than {MAX_LINE:,} bytes; not a text of lines")
            line = _decode(raw, location, number).removesuffix("\n").removesuffix("\r")
            yield line if line.isprintable() else _BREAK.sub(" ", line)


def on_one_line(text: str) -> str:
    """Turn every character that may end a line, also ``\\n``, into a space; for text from inside a markup."""
    return text if text.isprintable() else _BREAK.sub(" ", text.replace("\n", " "))


def read_aligned(*locations: str | Path, meter: Meter | None = None) -> Iterator[tuple[str, ...]]:
    """Yield line N of every text together.

    Raises:
        ValueError: if one text has more lines than another; the message names them and their counts.
    """
    count, texts = 0, [read_lines(location, meter) for location in locations]
    for lines in zip_longest(*texts):
        if None in lines:
            break
        yield lines
        count += 1
    else:
        return
    counts = [count + (line is not None) + sum(1 for _ in text) for line, text in zip(lines, texts, strict=True)]
    named = ", ".join(f"{location} has {lines:,} lines" for location, lines in zip(locations, counts, strict=True))
    raise ValueError(f"misaligned files: {named}; line N of each must belong to line N of the others")


def _decode(raw: bytes, path: str | Path, number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}:{number}: not UTF-8 (byte 0x{raw[error.start]:02x} at column {error.start + 1}); "
            "convert the file, for example: iconv -f ISO-8859-1 -t UTF-8"
        ) from error


def _without_mark(raw: bytes, location: str) -> bytes:
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError(f"{location}:1: UTF-16, expected UTF-8; convert it: iconv -f UTF-16 -t UTF-8")
    return raw.removeprefix(codecs.BOM_UTF8)

r"""Reading aligned text files so that no character can shift the alignment.

The rule for lines: a file is split at the byte ``\n`` and nowhere else. A ``\r`` before it belongs to the line end
and is removed, and so is a byte order mark at the start of the file. Whatever else Unicode or some program treats as
the end of a line or of a string (lone CR, VT, FF, FS, GS, RS, NEL, U+2028, U+2029, NUL) becomes one space when read.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BYTE_ORDER_MARK = "\ufeff"
_BREAKS_TO_SPACE = dict.fromkeys(map(ord, "\0\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"), " ")


@dataclass(frozen=True)
class FileFacts:
    """What one pass over an input file found: the hash of its bytes and its number of lines."""

    sha256: str
    lines: int


def scan(path: Path) -> FileFacts:
    """Hash a text file, count its lines and check that all of it is UTF-8.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is empty or a line is not UTF-8; the message names file and line.
    """
    _require_file(path)
    digest, lines = hashlib.sha256(), 0
    with open(path, "rb") as file:
        for lines, raw in enumerate(file, start=1):
            digest.update(raw)
            _decode(raw, path, lines)
    if not lines:
        raise ValueError(f"{path}: the file is empty; expected one segment a line")
    return FileFacts(digest.hexdigest(), lines)


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a UTF-8 file by the rule above, without line ends.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if a line is not UTF-8; the message names file and line.
    """
    _require_file(path)
    with open(path, "rb") as file:
        for number, raw in enumerate(file, start=1):
            line = _decode(raw, path, number)
            if number == 1:
                line = line.removeprefix(BYTE_ORDER_MARK)
            yield line.removesuffix("\n").removesuffix("\r").translate(_BREAKS_TO_SPACE)


def check_aligned(facts: dict[Path, FileFacts], *paths: Path) -> None:
    """Refuse files that belong together line by line but differ in length.

    Raises:
        ValueError: if the counts differ; the message names the files and their counts.
    """
    if len({facts[path].lines for path in paths}) > 1:
        counts = ", ".join(f"{path} has {facts[path].lines} lines" for path in paths)
        raise ValueError(f"misaligned files: {counts}; line N of each must belong to line N of the others")


def read_aligned(*paths: Path) -> Iterator[tuple[str, ...]]:
    """Yield line N of every file together.

    Raises:
        ValueError: if one file ends before another.
    """
    try:
        yield from zip(*map(read_lines, paths), strict=True)
    except ValueError as error:
        if "zip()" not in str(error):
            raise
        raise ValueError(f"misaligned files: {', '.join(map(str, paths))} differ in their number of lines") from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        reason = "is a folder" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {reason}; expected a text file with one segment a line")


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}:{number}: not UTF-8 (byte 0x{raw[error.start]:02x} at column {error.start + 1}); "
            "convert the file, for example: iconv -f ISO-8859-1 -t UTF-8"
        ) from error

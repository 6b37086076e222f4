"""Walking through a tar archive in one direction, with headers of a limited size."""

import io
import tarfile
from collections.abc import Iterator
from typing import BinaryIO

MAX_HEADER = 1 << 20  # bytes
_BLOCK = 1 << 20  # bytes


class DamagedError(ValueError):
    """A stream is cut off, damaged or larger than allowed; the message names it and the position."""


class Forward:
    """The part of a file object that :mod:`tarfile` needs to walk, over a stream that cannot go back.

    The whole of a pax header is read at once: larger ones than :data:`MAX_HEADER` are refused.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._position = 0

    def tell(self) -> int:
        """Return the number of bytes before the next one."""
        return self._position

    def seek(self, position: int) -> None:
        """Go forward."""
        if position < self._position:
            raise tarfile.ReadError("its members overlap")
        if self._stream.seekable():
            self._position = self._stream.seek(position)
        while self._position < position:
            if not self.take(min(_BLOCK, position - self._position)):
                raise tarfile.ReadError("it is cut off")

    def read(self, size: int) -> bytes:
        """Read a header."""
        if not 0 <= size <= MAX_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes, more than the {MAX_HEADER:,} allowed")
        data = b""
        while len(data) < size and (more := self.take(size - len(data))):
            data += more
        return data

    def take(self, size: int) -> bytes:
        """Read at most ``size`` bytes of the content of a member."""
        data = self._stream.read(size)
        self._position += len(data)
        return data


class Member(io.RawIOBase):
    """The content of the member that a walk has just come to."""

    def __init__(self, stream: Forward, size: int, name: str) -> None:
        self.consumed = 0
        self._stream, self._size, self._name = stream, size, name

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer, /) -> int:  # type: ignore[no-untyped-def, override]
        """Read into a buffer.

        Raises:
            DamagedError: if the archive ends within the member.
        """
        wanted = min(len(buffer), self._size - self.consumed)
        data = self._stream.take(wanted)
        if wanted and not data:
            raise DamagedError(
                f"{self._name}: the archive is cut off after {self.consumed:,} of its {self._size:,} bytes; "
                "fetch it again"
            )
        buffer[: len(data)] = data
        self.consumed += len(data)
        return len(data)


def walk(stream: Forward, name: str) -> Iterator[tarfile.TarInfo]:
    """Yield the entries of an archive, the stream standing at the content of each.

    Raises:
        DamagedError: if the archive is damaged.
    """
    archive = None
    while True:
        try:
            if archive is None:
                archive = tarfile.TarFile(fileobj=stream, encoding="utf-8", errors="surrogateescape")  # type: ignore[arg-type]
            entry = archive.next()
        except DamagedError:
            raise
        except (tarfile.TarError, RecursionError, OverflowError, EOFError, ValueError) as error:
            raise DamagedError(
                f"{name}: not readable as a tar archive after {stream.tell():,} bytes ({error}); fetch it again"
            ) from error
        if entry is None:
            return
        archive.members = []  # type: ignore[attr-defined]  # keeps the memory flat
        yield entry

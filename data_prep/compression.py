"""Undoing compression in a stream, within limits for what a hostile file may cost in memory and time."""

import bz2
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

import zstandard

from data_prep.tar import DamagedError

BUFFER = 1 << 17  # bytes
DAMAGED = (EOFError, OSError, zlib.error, lzma.LZMAError, zstandard.ZstdError, zipfile.BadZipFile)
"""What the libraries raise when data are damaged or cut off."""


@dataclass(frozen=True)
class Limits:
    """How far one layer of compression may expand.

    Attributes:
        max_bytes: bytes that may come out.
        max_ratio: bytes out for a byte in.
        free_bytes: bytes that may come out before the ratio is judged.
    """

    max_bytes: int = 1 << 40
    max_ratio: float = 200
    free_bytes: int = 64 << 20


LIMITS = Limits()


class Layer(Protocol):
    """A readable stream that counts the bytes it has given."""

    consumed: int

    def read(self, size: int = -1, /) -> bytes | None: ...


def printable(name: str) -> str:
    """Return a name of any encoding in a form that can be printed."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in name)


class Expanded(io.RawIOBase):
    """What comes out of a decompressor, counted and limited, every damage reported as a ``DamagedError``."""

    def __init__(self, inner: BinaryIO, beneath: Layer, location: str, limits: Limits) -> None:
        self.consumed = 0
        self._inner, self._beneath, self._location, self._limits = inner, beneath, location, limits

    def readable(self) -> bool:
        return True

    def readinto(self, buffer, /) -> int:  # type: ignore[no-untyped-def, override]
        try:
            data = self._inner.read(len(buffer))
        except DAMAGED as error:
            if getattr(error, "errno", None):
                raise  # the disk, not the data
            raise DamagedError(
                f"{printable(self._location)}: damaged or cut off after {self.consumed:,} bytes of its content "
                f"({error}); fetch the file again"
            ) from error
        if not data and not self._beneath.consumed:
            raise DamagedError(f"{printable(self._location)}: empty, not even compressed data; fetch the file again")
        self.consumed += len(data)
        self._check()
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._inner.close()
        super().close()

    def _check(self) -> None:
        limits, where = self._limits, printable(self._location)
        if self.consumed > limits.max_bytes:
            raise DamagedError(f"{where}: expands to more than {limits.max_bytes:,} bytes; not read further")
        if self.consumed > max(limits.free_bytes, limits.max_ratio * self._beneath.consumed):
            raise DamagedError(
                f"{where}: {self._beneath.consumed:,} compressed bytes expand to more than {self.consumed:,}, "
                f"beyond the ratio of {limits.max_ratio:g} that text can have; not read further"
            )


class _Zstandard(io.RawIOBase):
    """Frames of Zstandard, one after the other; unlike the library's own reader it reports one that is cut off."""

    _STEP = 1 << 10  # bytes fed at once: at most 32 MiB can come out of them

    def __init__(self, beneath: Layer) -> None:
        self._beneath = beneath
        self._decoder = zstandard.ZstdDecompressor().decompressobj()
        self._fresh, self._input, self._output = True, memoryview(b""), memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer, /) -> int:  # type: ignore[no-untyped-def, override]
        while not self._output:
            if not self._input:
                self._input = memoryview(self._beneath.read(BUFFER) or b"")
            if not self._input:
                if not self._fresh:
                    raise EOFError("it ends within a frame")
                return 0
            self._advance()
        count = min(len(buffer), len(self._output))
        buffer[:count], self._output = self._output[:count], self._output[count:]
        return count

    def _advance(self) -> None:
        piece, self._input = self._input[: self._STEP], self._input[self._STEP :]
        self._output, self._fresh = memoryview(self._decoder.decompress(piece)), False
        if self._decoder.eof:
            self._input = memoryview(self._decoder.unused_data + bytes(self._input))
            self._decoder, self._fresh = zstandard.ZstdDecompressor().decompressobj(), True


DECOMPRESSORS: dict[str, Callable[..., BinaryIO]] = {
    ".gz": lambda beneath: gzip.GzipFile(fileobj=beneath),  # type: ignore[dict-item, return-value]
    ".xz": lzma.LZMAFile,  # type: ignore[dict-item]
    ".bz2": bz2.BZ2File,  # type: ignore[dict-item]
    ".zst": _Zstandard,  # type: ignore[dict-item]
}


def decompressed(layer: Layer, name: str, location: str, limits: Limits, stack: ExitStack) -> Layer:
    """Undo the compressions that the suffixes of a name tell of, the last one first."""
    while (suffix := PurePosixPath(name).suffix.lower()) in DECOMPRESSORS:
        layer = stack.enter_context(Expanded(DECOMPRESSORS[suffix](layer), layer, location, limits))
        name = name[: -len(suffix)]
    return layer

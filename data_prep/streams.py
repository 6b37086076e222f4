"""Opening a location as a stream of bytes: a file, a compressed file, or a member of an archive, compressed or not.

A location is ``PATH`` or ``ARCHIVE::MEMBER``. Nothing is ever written to disk, and what a hostile file may cost in
memory and time is bounded by :class:`~data_prep.compression.Limits`, separately for every layer of compression.
"""

import difflib
import io
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from data_prep import tar
from data_prep.compression import (
    BUFFER,
    DAMAGED,
    DECOMPRESSORS,
    LIMITS,
    Expanded,
    Layer,
    Limits,
    decompressed,
    printable,
)

Meter = Callable[[int], None]
"""Is called with the number of bytes that were just read from the disk."""

SEPARATOR = "::"
SHORT_SUFFIXES = {".tgz": ".tar.gz", ".txz": ".tar.xz", ".tbz2": ".tar.bz2", ".tzst": ".tar.zst"}
_NAMES_TO_COMPARE = 10_000


@contextmanager
def open_location(location: str, *, meter: Meter | None = None, limits: Limits = LIMITS) -> Iterator[BinaryIO]:
    """Open what a location names for reading from start to end, decompressed as the names say.

    Args:
        location: ``PATH`` or ``ARCHIVE::MEMBER``; the suffixes ``.gz``, ``.xz``, ``.bz2`` and ``.zst`` of either are
            undone. A file whose own name has ``::`` in it is a file first.
        meter: is called with the bytes read from the disk.
        limits: how far a layer of compression may expand.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the archive lacks the member or it is not a plain file, or (also while the stream is read) if
            data are damaged, cut off or expand beyond the limits.
    """
    path, member = split(location)
    with ExitStack() as stack:
        disk = stack.enter_context(_Disk(path, meter))
        if member is None:
            if is_archive(path):
                names = ", ".join(f"{path}{SEPARATOR}{printable(name)}" for name in list_members(str(path))[:3])
                raise ValueError(f"{location}: an archive; name a member of it, for example {names or '(it has none)'}")
            stream = decompressed(disk, path.name, location, limits, stack)
        else:
            open_member = _open_zip_member if _name(path).endswith(".zip") else _open_tar_member
            inner = open_member(disk, path, member, limits, stack)
            stream = decompressed(inner, member, location, limits, stack)
        yield stack.enter_context(io.BufferedReader(stream, BUFFER))  # type: ignore[type-var, misc]


def list_members(location: str) -> list[str]:
    """Return the names of the plain files in an archive, in its order.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not an archive, or damaged.
    """
    path, member = split(location)
    if member is not None or not is_archive(path):
        raise ValueError(f"{location}: not an archive; expected a name that ends in .tar, .tar.gz, .tgz or .zip")
    with ExitStack() as stack:
        disk = stack.enter_context(_Disk(path, None))
        if _name(path).endswith(".zip"):
            return [info.filename for info in _open_zip(disk, path, stack).infolist() if not info.is_dir()]
        return [entry.name for entry in tar.walk(_tar_stream(disk, path, LIMITS, stack), str(path)) if entry.isreg()]


def split(location: str) -> tuple[Path, str | None]:
    """Return the file on disk and the member in it that a location names.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file is not an archive, or the member's name would leave it.
    """
    path = Path(location)
    if path.is_file():
        return path, None
    start = location.find(SEPARATOR)
    while start >= 0:
        archive, member = Path(location[:start]), location[start + len(SEPARATOR) :]
        if archive.is_file():
            _check_member(archive, member)
            return archive, member
        start = location.find(SEPARATOR, start + 1)
    reason = "is a folder" if path.is_dir() else "no such file"
    raise FileNotFoundError(f"{printable(location)}: {reason}; expected a file, or ARCHIVE{SEPARATOR}MEMBER")


def is_archive(path: Path) -> bool:
    """Say whether the name of a file is that of an archive."""
    name = _name(path)
    return name.endswith((".zip", ".tar", *(f".tar{suffix}" for suffix in DECOMPRESSORS)))


def uncompressed_name(location: str) -> str:
    """Return the last part of a location's name in small letters, without suffixes of compression."""
    name = PurePosixPath(location.rpartition(SEPARATOR)[2]).name.lower()
    while (suffix := PurePosixPath(name).suffix) in DECOMPRESSORS:
        name = name.removesuffix(suffix)
    return name


class _Disk(io.FileIO):
    """A file on disk that tells how much of it was read."""

    def __init__(self, path: Path, meter: Meter | None) -> None:
        super().__init__(path)
        self.consumed = 0
        self._meter = meter

    def readinto(self, buffer, /) -> int:  # type: ignore[no-untyped-def, override]
        count = super().readinto(buffer) or 0
        self.consumed += count
        if self._meter:
            self._meter(count)
        return count

    readall = io.RawIOBase.readall  # in terms of ``read``, where that of FileIO would not be counted

    def read(self, size: int | None = -1, /) -> bytes:
        return io.RawIOBase.read(self, -1 if size is None else size) or b""


def _open_tar_member(disk: _Disk, path: Path, member: str, limits: Limits, stack: ExitStack) -> Layer:
    stream = _tar_stream(disk, path, limits, stack)
    names: list[str] = []
    for entry in tar.walk(stream, str(path)):
        if _same(entry.name, member):
            if not entry.isreg() or entry.issparse():
                raise ValueError(f"{path}{SEPARATOR}{printable(member)}: a link, folder or device, not a plain file")
            return tar.Member(stream, entry.size, f"{path}{SEPARATOR}{printable(member)}")
        if len(names) < _NAMES_TO_COMPARE:
            names.append(entry.name)
    raise _missing(path, member, names)


def _tar_stream(disk: _Disk, path: Path, limits: Limits, stack: ExitStack) -> tar.Forward:
    layer = decompressed(disk, _name(path), str(path), limits, stack)
    return tar.Forward(disk if layer is disk else io.BufferedReader(layer, BUFFER))  # type: ignore[type-var, arg-type]


def _open_zip_member(disk: _Disk, path: Path, member: str, limits: Limits, stack: ExitStack) -> Layer:
    archive = _open_zip(disk, path, stack)
    info = next((info for info in archive.infolist() if _same(info.filename, member)), None)
    if info is None:
        raise _missing(path, member, archive.namelist()[:_NAMES_TO_COMPARE])
    where = f"{path}{SEPARATOR}{printable(member)}"
    if info.is_dir() or info.external_attr >> 16 & 0o170000 not in (0, 0o100000):
        raise ValueError(f"{where}: a link, folder or device, not a plain file")
    if info.flag_bits & 1:
        raise ValueError(f"{where}: encrypted; unpack it with its password first")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{where}: compressed by method {info.compress_type}, expected deflate; pack it anew")
    try:
        inner = archive.open(info)
    except (*DAMAGED, NotImplementedError, RuntimeError, ValueError) as error:
        raise ValueError(f"{where}: damaged ({error}); fetch the archive again") from error
    return stack.enter_context(Expanded(inner, disk, where, limits))  # type: ignore[arg-type]


def _open_zip(disk: _Disk, path: Path, stack: ExitStack) -> zipfile.ZipFile:
    try:
        return stack.enter_context(zipfile.ZipFile(io.BufferedReader(disk)))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
        raise ValueError(f"{path}: not readable as a zip archive ({error}); fetch it again") from error


def _missing(path: Path, member: str, names: list[str]) -> ValueError:
    near = difflib.get_close_matches(member, names, n=3, cutoff=0.3) or names[:3]
    shown = ", ".join(map(printable, near)) or "none, it is empty"
    return ValueError(f"{path}: no member {printable(member)}; nearest names: {shown}")


def _check_member(archive: Path, member: str) -> None:
    if not is_archive(archive):
        raise ValueError(f"{archive}: not an archive; expected a name that ends in .tar, .tar.gz, .tgz or .zip")
    parts = PurePosixPath(member)
    if not member or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{archive}: {printable(member)!r} is not a name within the archive")


def _same(name: str, member: str) -> bool:
    return name.removeprefix("./") == member.removeprefix("./")


def _name(path: Path) -> str:
    """Return the name of a file in small letters, with the short suffixes of archives written out."""
    name = path.name.lower()
    return next((name.removesuffix(s) + long for s, long in SHORT_SUFFIXES.items() if name.endswith(s)), name)

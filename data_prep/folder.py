"""An output folder that is either complete or not there, and work on it that goes on where a killed run stopped."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_IDENTITY = "identity"  # names what the unfinished work is for


@dataclass(frozen=True)
class Workplace:
    """Where the new folder grows (``result``), and intermediate files of finished steps (``work``)."""

    result: Path
    work: Path

    def empty_result(self) -> None:
        """Remove what a killed run left of a result: it is put together anew from the steps in ``work``."""
        shutil.rmtree(self.result)
        self.result.mkdir()


@contextmanager
def building(out: Path, identity: str) -> Iterator[Workplace]:
    """Give a workplace beside ``out`` whose result takes the place of ``out`` when the block ends without an error.

    The workplace is ``<out>.tmp``. It outlives a kill, a full disk or Ctrl-C: the next run for the same ``identity``
    finds what was done, one for another identity starts anew. A ``ValueError`` (the input is wrong) removes it. ``out``
    itself stays as it was until the result is complete.

    Raises:
        ValueError: if another process is building the same folder; the message has its process number.
    """
    place = out.with_name(f"{out.name}.tmp")
    out.parent.mkdir(parents=True, exist_ok=True)
    with _locked(place, out):
        _restore(place, out)
        workplace = _open(place, identity)
        try:
            yield workplace
        except ValueError:
            shutil.rmtree(place)
            raise
        _replace(place, out)
        shutil.rmtree(place)


@contextmanager
def _locked(place: Path, out: Path) -> Iterator[None]:
    """Hold the lock of a workplace; it ends with the process, whatever happens to that."""
    lock = place / "lock"
    while True:
        place.mkdir(exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise ValueError(
                f"{out}: process {holder} is building it in {place}; wait until it ends, or stop it"
            ) from None
        if _is_same(descriptor, lock):
            break
        os.close(descriptor)  # its owner finished and removed it between our two calls
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _is_same(descriptor: int, path: Path) -> bool:
    return path.exists() and os.path.samestat(os.fstat(descriptor), os.stat(path))


def _restore(place: Path, out: Path) -> None:
    """Put back what a killed run had moved away and not replaced yet."""
    old = place / "old"
    if old.exists() and not out.exists():
        os.rename(old, out)
    shutil.rmtree(old, ignore_errors=True)


def _open(place: Path, identity: str) -> Workplace:
    """Return the workplace, emptied unless what is in it belongs to ``identity``."""
    workplace = Workplace(place / "result", place / "work")
    known = place / _IDENTITY
    if not known.is_file() or known.read_text() != identity:
        known.unlink(missing_ok=True)
        for folder in (workplace.result, workplace.work):
            shutil.rmtree(folder, ignore_errors=True)
        known.write_text(identity)
    for folder in (workplace.result, workplace.work):
        folder.mkdir(exist_ok=True)
    return workplace


def _replace(place: Path, out: Path) -> None:
    if out.exists():
        os.rename(out, place / "old")
    os.rename(place / "result", out)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name that becomes ``path`` when the block ends without an error."""
    temporary = path.with_name(f"{path.name}.part")
    yield temporary
    os.replace(temporary, path)

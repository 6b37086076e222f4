"""An output folder that is either complete or not there, and work on it that goes on where a killed run stopped."""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

_IDENTITY, _LOCK = "identity", "lock"


@dataclass(frozen=True)
class Workplace:
    """The folder beside an output folder where the new one grows: ``<out>.tmp``.

    Attributes:
        out: the output folder.
        place: the workplace.
    """

    out: Path
    place: Path

    @classmethod
    def of(cls, out: Path) -> "Workplace":
        """Of an output folder; of the one it points to, if it is a link."""
        out = out.resolve()
        return cls(out, out.with_name(f"{out.name}.tmp"))

    @property
    def result(self) -> Path:
        """What will take the place of the output folder."""
        return self.place / "result"

    @property
    def work(self) -> Path:
        """Intermediate files of finished steps."""
        return self.place / "work"

    def empty_result(self) -> None:
        """Remove what a killed run left of a result: it is put together anew from the steps in ``work``."""
        shutil.rmtree(self.result)
        self.result.mkdir()

    def remove(self) -> None:
        """Remove the workplace; a kill on the way leaves nothing that looks like work to go on with."""
        (self.place / _IDENTITY).unlink(missing_ok=True)
        for folder in (self.work, self.result, self.place / "old"):
            shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):  # another process may have come in between
            (self.place / _LOCK).unlink()
            self.place.rmdir()


@contextmanager
def claimed(out: Path) -> Iterator[Workplace]:
    """Keep other processes from building ``out`` while the block runs; puts back an ``out`` that a kill left aside.

    Raises:
        ValueError: if another process is building the same folder; the message has its process number.
    """
    workplace = Workplace.of(out)
    if os.path.ismount(workplace.out):
        raise ValueError(f"{out}: is where a disk is mounted and cannot be replaced; name a folder below it")
    workplace.out.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _lock(workplace)
    try:
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        old = workplace.place / "old"
        if old.exists() and not workplace.out.exists():
            os.rename(old, workplace.out)
        yield workplace
    finally:
        os.close(descriptor)


@contextmanager
def building(workplace: Workplace, identity: str) -> Iterator[None]:
    """Let the block fill ``workplace.result``, which takes the place of the output folder if there was no error.

    The workplace outlives a kill, a full disk or Ctrl-C: the next run for the same ``identity`` finds in ``work`` what
    was done, one for another identity starts anew. A ``ValueError`` (the input is wrong) removes it. The output folder
    itself stays as it was until the result is complete.

    Raises:
        OSError: if the disk is full.
    """
    _open(workplace, identity)
    try:
        yield
    except ValueError:
        workplace.remove()
        raise
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        message = f"{workplace.place}: the disk is full; make room and run the same command again, it goes on"
        raise OSError(message) from error
    if workplace.out.exists():
        os.rename(workplace.out, workplace.place / "old")
    os.rename(workplace.result, workplace.out)
    workplace.remove()


def _lock(workplace: Workplace) -> int:
    """Take the lock, which ends with the process whatever happens to that; returns the file descriptor."""
    path = workplace.place / _LOCK
    while True:
        with suppress(FileExistsError):
            workplace.place.mkdir()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:  # its owner finished and removed the folder between our two calls
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 20).decode() or "unknown"
            os.close(descriptor)
            raise ValueError(
                f"{workplace.out}: process {holder} is building it in {workplace.place}; wait until it ends, or stop it"
            ) from None
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        os.close(descriptor)  # we hold the lock of a file that was removed


def _open(workplace: Workplace, identity: str) -> None:
    """Make the folders, emptied unless what is in them belongs to ``identity``."""
    known = workplace.place / _IDENTITY
    if not known.is_file() or known.read_text() != identity:
        known.unlink(missing_ok=True)
        for folder in (workplace.result, workplace.work):
            shutil.rmtree(folder, ignore_errors=True)
        with written_whole(known) as path:
            path.write_text(identity)
    shutil.rmtree(workplace.place / "old", ignore_errors=True)
    for folder in (workplace.result, workplace.work):
        folder.mkdir(exist_ok=True)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a temporary name that becomes ``path`` when the block ends without an error."""
    temporary = path.with_name(f"{path.name}.part")
    yield temporary
    os.replace(temporary, path)

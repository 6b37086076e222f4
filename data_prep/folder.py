"""An output folder that is either complete or not there."""

import fcntl
import glob
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_OLD = ".old"  # ends the name of what was in place before, while the new folder takes it


@contextmanager
def building(out: Path) -> Iterator[Path]:
    """Give a temporary folder beside ``out`` that takes its place when the block ends without an error.

    On an error the temporary folder is removed and ``out`` stays as it was. What killed runs left is removed at the
    start, except the old ``out`` of one that was killed while it put the new one in its place: that is put back. A run
    that is alive is known by the lock it holds on its temporary folder, which ends with the process.

    Raises:
        ValueError: if another process is building the same folder.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    _clear_up(out)
    temporary = out.with_name(f"{out.name}.tmp-{os.getpid()}")
    temporary.mkdir()
    lock = os.open(temporary, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield temporary
        _replace(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(lock)


def _replace(temporary: Path, out: Path) -> None:
    old = out.with_name(temporary.name + _OLD)
    if out.exists():
        os.rename(out, old)
    os.rename(temporary, out)
    shutil.rmtree(old, ignore_errors=True)


def _clear_up(out: Path) -> None:
    """Restore or remove what killed runs left."""
    left = sorted(out.parent.glob(f"{glob.escape(out.name)}.tmp-*"))
    for folder in left:
        _check_abandoned(folder, out)
    for folder in left:
        if folder.name.endswith(_OLD) and not out.exists():
            os.rename(folder, out)
        else:
            shutil.rmtree(folder)


def _check_abandoned(folder: Path, out: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ValueError(f"{out}: another process is building it in {folder}; wait until it ends") from error
    finally:
        os.close(descriptor)

"""``NAME.part``, the bytes of a download that have arrived, and ``NAME.part.json``, what they are the beginning of."""

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Origin:
    """Which file the bytes of a part file are the beginning of.

    Args:
        url: where they came from.
        validator: the server's ``ETag`` or ``Last-Modified``; ``None`` where it gave neither.
        total: bytes of the whole file; ``None`` where the server did not say.
    """

    url: str
    validator: str | None
    total: int | None


class PartFile:
    """A part file that this process has locked; made by :func:`locked_part`."""

    def __init__(self, file: FileIO, path: Path) -> None:
        self._file, self.path = file, path
        self._state = _state_path(path)
        self.origin = _read_origin(self._state)
        self._write_state()

    @property
    def size(self) -> int:
        """Bytes that have arrived."""
        return os.fstat(self._file.fileno()).st_size

    def start(self, origin: Origin | None) -> None:
        """Forget all bytes; the next ones will be the first of ``origin``."""
        with _explained(self.path):
            self._file.truncate(0)
        self.origin = origin
        self._write_state()

    def append(self, data: bytes) -> None:
        """Add bytes at the end.

        Raises:
            RuntimeError: if they cannot be written, for example because the disk is full.
        """
        rest = memoryview(data)
        with _explained(self.path):
            while rest:
                rest = rest[self._file.write(rest) :]

    def finish(self, target: Path) -> None:
        """Give the complete file its name."""
        with _explained(self.path):
            os.fsync(self._file.fileno())
            os.rename(self.path, target)
            self._state.unlink()

    def _write_state(self) -> None:
        origin = None if self.origin is None else asdict(self.origin)
        write_json(self._state, {"pid": os.getpid(), "origin": origin})


@contextmanager
def locked_part(target: Path) -> Iterator[PartFile | None]:
    """Give this process alone the part file of ``target``; waits while another has it.

    Yields:
        The part file, or ``None`` when ``target`` itself has come into being meanwhile.

    Raises:
        RuntimeError: if the part file cannot be made or opened.
    """
    path = target.with_name(f"{target.name}.part")
    while True:
        with _explained(path):
            file = FileIO(path, "a")
        with file:
            _lock(file, path)
            if not _is_still(file, path):  # whoever had the lock has renamed or removed the file
                continue
            if target.exists():
                path.unlink()
                yield None
            else:
                yield PartFile(file, path)
            return


def write_json(path: Path, value: Any) -> None:
    """Write a file that is either the old one or the whole new one.

    Raises:
        RuntimeError: if it cannot be written.
    """
    new = path.with_name(f"{path.name}.new")
    with _explained(path):
        new.write_text(json.dumps(value, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(new, path)


def _lock(file: FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        logger.warning("%s: %s is downloading it; waiting until that ends", path.with_suffix(""), _holder(path))
        fcntl.flock(file, fcntl.LOCK_EX)


def _holder(path: Path) -> str:
    pid = _read_json(_state_path(path)).get("pid")
    return f"process {pid}" if pid else "another process"


def _is_still(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _state_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _read_origin(path: Path) -> Origin | None:
    origin = _read_json(path).get("origin")
    try:
        return None if origin is None else Origin(**origin)
    except TypeError:  # written by another version: the download begins anew
        return None


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say of an error of the file system what it means for the download."""
    try:
        yield
    except OSError as error:
        raise RuntimeError(
            f"{path}: cannot write ({error.strerror}); what has arrived is kept, and the same command goes on with it "
            "once there is room and leave to write"
        ) from error

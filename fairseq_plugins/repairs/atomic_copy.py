"""Checkpoint copies that are there whole or not at all.

Fault: ``fairseq.file_io.PathManager.copy``, which ``checkpoint_utils.save_checkpoint`` uses for ``checkpoint_best.pt``
and ``checkpoint_last.pt``, copies over the old file in place.
It shows when training is killed during a save: the next start ends with "PytorchStreamReader failed".
"""

from __future__ import annotations

import functools
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from fairseq.file_io import PathManager


def needed() -> bool:
    """Whether a copy writes into the old file instead of taking its place."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source"), Path(folder, "target")
        source.touch()
        target.touch()
        before = target.stat().st_ino
        PathManager.copy(str(source), str(target), overwrite=True)
        return target.stat().st_ino == before


def apply() -> None:
    """Copy to a temporary file beside the target, then rename."""
    PathManager.copy = staticmethod(copy_then_rename(PathManager.copy))


def copy_then_rename(copy: Callable[..., bool]) -> Callable[..., bool]:
    """Wrap ``PathManager.copy``; paths that are not on a local disk keep fairseq's way."""

    @functools.wraps(copy)
    def atomic_copy(src_path: str, dst_path: str, overwrite: bool = False) -> bool:
        if any(map(PathManager.path_requires_pathmanager, (src_path, dst_path))):
            return copy(src_path, dst_path, overwrite)
        temporary = Path(f"{dst_path}.tmp")
        try:
            with open(src_path, "rb") as source, temporary.open("wb") as target:
                shutil.copyfileobj(source, target, 2**20)
                target.flush()
                os.fsync(target.fileno())
            os.replace(temporary, dst_path)
        finally:
            temporary.unlink(missing_ok=True)
        return True

    return atomic_copy

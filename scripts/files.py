"""Writing files that are either there in full or not at all, and hashing them."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a temporary file to write; it takes the name ``path`` at the end, or goes where writing fails.

    The folder is made where it is missing.

    Raises:
        ValueError: if nothing can be written there; the message names the path and the reason.
    """
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    if path.is_dir():
        raise ValueError(f"{path}: cannot be written, it is a folder; name a file")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.touch()
    except OSError as error:
        raise ValueError(f"{path}: cannot be written ({error.strerror}: {error.filename})") from None
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file in UTF-8, with line feeds as they are."""
    with written_whole(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file.

    Raises:
        ValueError: if the content has a number that JSON does not have, NaN or an infinite one; the message names the
            path.
    """
    try:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    except ValueError as error:
        raise ValueError(f"{path}: cannot be written, a figure is NaN or infinite ({error})") from None
    write_text(path, text + "\n")


def sha256(path: Path) -> str:
    """Hash of a file.

    Raises:
        ValueError: if it cannot be read.
    """
    try:
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(
            f"{path}: cannot be read ({error.strerror}); run the workflow, it makes what is missing"
        ) from None

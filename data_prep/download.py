"""Downloading the archives of a data set: only what is missing, checked, and from the next mirror if one fails."""

import fcntl
import hashlib
import json
import logging
import os
import time
from pathlib import Path

from data_prep.datasets import Archive, Dataset
from data_prep.partfile import PartFile, locked_part, write_json
from data_prep.transfer import MirrorError, Pause, transfer

logger = logging.getLogger(__name__)

RECORD = "downloads.json"
"""In the folder: size, SHA-256 and address of what was downloaded, by name."""


def download(dataset: Dataset, folder: Path, *, pause: Pause = time.sleep) -> None:
    """Download the archives of a data set that are not in the folder.

    Args:
        dataset: an entry of the catalogue.
        folder: where the archives go; made when missing.
        pause: waits so many seconds between two attempts.

    Raises:
        RuntimeError: if no mirror gives an archive, or it cannot be written.
        ValueError: if a file in the folder is not the archive that its name says.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeError(f"{folder}: cannot make the folder ({error.strerror}); give another with --to") from error
    for archive in dataset.archives:
        _provide(archive, folder, pause)


def _provide(archive: Archive, folder: Path, pause: Pause) -> None:
    target = folder / archive.name
    if not target.exists():
        with locked_part(target) as part:
            if part is not None:
                _fetch(archive, part, target, pause)
                return
    _check_present(archive, target)
    logger.info("%s: is there", target)


def _fetch(archive: Archive, part: PartFile, target: Path, pause: Pause) -> None:
    """Try the mirrors one after the other, first the one that the part file came from."""
    said = []
    for url in sorted(archive.urls, key=lambda url: part.origin is None or part.origin.url != url):
        logger.info("%s: from %s (%s)", target, url, archive.size_text)
        try:
            transfer(url, part, size=archive.size, pause=pause)
            sha256 = _accept(archive, part)
        except MirrorError as error:
            logger.warning("%s: %s", url, error)
            said.append(f"{url}: {error}")
            continue
        _record(target, {"bytes": part.size, "sha256": sha256, "url": url})
        part.finish(target)
        return
    raise RuntimeError(
        f"{archive.name}: no mirror gave it: {'; '.join(said)}. The same command tries again and goes on with the "
        f"{part.size} bytes that arrived; or get the file in another way and put it at {target}"
    )


def _accept(archive: Archive, part: PartFile) -> str:
    """Check a complete part file; a wrong one is emptied."""
    sha256 = _digest(part.path, "sha256")
    wrong = _difference(archive, part.path, sha256)
    if wrong:
        part.start(None)
        raise MirrorError(wrong)
    return sha256


def _check_present(archive: Archive, target: Path) -> None:
    recorded = _read_record(target.parent).get(target.name, {}).get("sha256")
    sha256 = _digest(target, "sha256")
    wrong = _difference(archive, target, sha256)
    if not wrong and archive.sha256 is None and recorded not in (None, sha256):
        wrong = f"SHA-256 is {sha256}, but was {recorded} when it was downloaded ({RECORD})"
    if wrong:
        raise ValueError(f"{target}: {wrong}; it is kept: move or delete it, and the same command downloads it anew")


def _difference(archive: Archive, path: Path, sha256: str) -> str | None:
    """Say in what a file is not what the catalogue says."""
    size = path.stat().st_size
    if archive.size not in (None, size):
        return f"the file has {size} bytes, expected {archive.size}"
    if archive.sha256 not in (None, sha256):
        return f"SHA-256 is {sha256}, expected {archive.sha256}"
    if archive.md5 is not None and (md5 := _digest(path, "md5")) != archive.md5:
        return f"MD5 is {md5}, expected {archive.md5}"
    return None


def _digest(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _record(target: Path, facts: dict[str, object]) -> None:
    """Add a file to the record; the lock on the folder keeps two downloads from losing each other's lines."""
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        write_json(target.parent / RECORD, {**_read_record(target.parent), target.name: facts})
    finally:
        os.close(folder)


def _read_record(folder: Path) -> dict[str, dict[str, object]]:
    path = folder / RECORD
    if not path.exists():
        return {}
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path}: not JSON ({error}); delete it, it is made anew") from error
    if not isinstance(record, dict):
        raise ValueError(f"{path}: expected an object by file name, got a {type(record).__name__}; delete it")
    return record

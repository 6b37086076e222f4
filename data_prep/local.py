"""Finding the files of the catalogue in a folder, as archives or unpacked."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_prep.datasets import DATASETS, Archive, Dataset

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_SEPARATOR = "::"


def resolve(root: str | Path, location: str) -> str:
    """Say where a local copy of a location of the catalogue lies.

    The archive is looked for in ``root`` and in its sub-folders, one level down; then its member, unpacked, in
    ``root``, in a folder named like the archive, or there without the folders of its own path, with or without ``.gz``.

    Args:
        root: the folder with the downloads.
        location: ``ARCHIVE::MEMBER`` of a :class:`data_prep.datasets.Part`.

    Returns:
        ``PATH::MEMBER``, or the path of the unpacked member.

    Raises:
        FileNotFoundError: if neither is there; the message says how to get it.
        ValueError: if several sub-folders have an archive of that name.
    """
    root = Path(root)
    name, _, member = location.partition(_SEPARATOR)
    archive = _find_archive(root, name)
    if archive is not None:
        return f"{archive}{_SEPARATOR}{member}"
    for path in _unpacked(root, name, member):
        if path.is_file():
            return str(path)
    raise FileNotFoundError(_missing(root, location))


def _find_archive(root: Path, name: str) -> Path | None:
    if (root / name).is_file():
        return root / name
    found = sorted(path for path in root.glob(f"*/{name}") if path.is_file())
    if len(found) > 1:
        raise ValueError(
            f"{root}: {' and '.join(map(str, found))} are both called {name}; name the folder of the right one"
        )
    return found[0] if found else None


def _unpacked(root: Path, archive: str, member: str) -> Iterator[Path]:
    suffix = next((suffix for suffix in _ARCHIVE_SUFFIXES if archive.endswith(suffix)), "")
    other = member.removesuffix(".gz") if member.endswith(".gz") else f"{member}.gz"
    for name in (member, other):
        yield root / name
        yield root / archive.removesuffix(suffix) / name
        yield root / PurePosixPath(name).name


def _missing(root: Path, location: str) -> str:
    dataset, archive = _owner(location)
    return (
        f"{root}: neither {archive.name} nor its unpacked {location.partition(_SEPARATOR)[2]} is there; it comes from "
        f"{archive.urls[0]} ({archive.size_text}); get it with: python -m data_prep download {dataset.name} --to {root}"
    )


def _owner(location: str) -> tuple[Dataset, Archive]:
    for dataset in DATASETS.values():
        if any(location in part.locations for part in dataset.parts):
            name = location.partition(_SEPARATOR)[0]
            return dataset, next(archive for archive in dataset.archives if archive.name == name)
    raise KeyError(f"{location} is not in the catalogue")

"""Data sets of the Hugging Face hub, folders that ``datasets`` saved, and parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from data_prep.formats.jsonl import texts_of
from data_prep.formats.source import Pairs, PairSource, check_options
from data_prep.streams import Meter

_BATCH = 1000  # rows
_SAVED = ("dataset_dict.json", "state.json")  # of several splits, of one
_HINT = "pip install 'rims-nlp[hub]'"


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs of a parquet file, or of the split ``train`` of a folder; see :func:`read_hub`.

    Raises:
        RuntimeError: if the optional packages are not installed.
        ValueError: if it cannot be read, or has no such columns.
    """
    check_options(source, "hub", columns=True)
    file, names = source.one("hub"), source.columns or (src, tgt)
    rows = iter(_load(file, None, "train", None)) if Path(file).is_dir() else _parquet(file, names, meter)
    yield from _pairs(rows, names, file)


def read_hub(
    name_or_path: str, config: str | None, split: str, src: str, tgt: str, revision: str | None = None
) -> Pairs:
    """Yield the pairs of a data set with a column ``translation``, or with columns named by the languages.

    Args:
        name_or_path: the name on the hub, or a folder: made by ``save_to_disk``, or with the files of a data set.
        config: the configuration of a data set on the hub, for example ``de-en``.
        split: for example ``train``.
        src: source language.
        tgt: target language.
        revision: branch, tag or commit on the hub.

    Raises:
        RuntimeError: if ``datasets`` is not installed, or cannot get the data set.
        ValueError: if it has no such split or columns.
    """
    rows = iter(_load(name_or_path, config, split, revision))
    yield from _pairs(rows, (src, tgt), f"{name_or_path} ({split})")


def hub_files(name_or_path: str, config: str | None, split: str, revision: str | None = None) -> list[Path]:
    """List the files on disk, in the cache for a data set of the hub, that :func:`read_hub` reads.

    Raises:
        RuntimeError: if ``datasets`` is not installed, or cannot get the data set.
        ValueError: if it has no such split.
    """
    return [Path(file["filename"]) for file in _load(name_or_path, config, split, revision).cache_files]


def _pairs(rows: Iterator[Any], names: tuple[str, str], where: str) -> Pairs:
    for number, row in enumerate(rows, start=1):
        yield texts_of(row, names, f"{where}: row {number}")


def _load(name_or_path: str, config: str | None, split: str, revision: str | None) -> Any:
    with _needs("datasets"):
        import datasets
    if any(Path(name_or_path, name).is_file() for name in _SAVED):
        return _load_saved(name_or_path, split)
    try:
        return datasets.load_dataset(name_or_path, config or None, split=split, revision=revision)
    except (OSError, ValueError, KeyError, RuntimeError, datasets.exceptions.DatasetsError) as error:
        raise RuntimeError(f"{name_or_path}: the data set cannot be had: {error}") from error


def _load_saved(folder: str, split: str) -> Any:
    import datasets

    try:
        loaded = datasets.load_from_disk(folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder}: not readable as what datasets.save_to_disk writes: {error}") from error
    if isinstance(loaded, datasets.DatasetDict):
        splits: dict[str, Any] = {str(name): part for name, part in loaded.items()}
    else:
        splits = {str(loaded.split or split): loaded}
    if split not in splits:
        raise ValueError(f"{folder}: no split {split!r}; there are: {', '.join(splits)}")
    return splits[split]


def _parquet(file: str, names: tuple[str, str], meter: Meter | None) -> Iterator[Any]:
    with _needs("pyarrow"):
        import pyarrow
        import pyarrow.parquet
    try:
        with open(file, "rb") as stream, pyarrow.parquet.ParquetFile(stream) as table:
            present = set(table.schema_arrow.names)
            columns = [name for name in ("translation", *names) if name in present]
            read = 0
            for batch in table.iter_batches(_BATCH, columns=columns or None):
                if meter:
                    meter(stream.tell() - read)
                    read = stream.tell()
                yield from batch.to_pylist()
    except pyarrow.ArrowException as error:
        raise ValueError(f"{file}: not readable as parquet: {error}") from error


@contextmanager
def _needs(package: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        raise RuntimeError(f"the package {package} is needed to read this; install it: {_HINT}") from error

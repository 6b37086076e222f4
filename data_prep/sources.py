"""Where text comes from: resolving names of the catalogue, identifying the files read, and reading pairs."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from data_prep import local
from data_prep.config import (
    Config,
    Corpus,
    DataConfig,
    DatasetSplit,
    HubSource,
    PairOptions,
    Source,
    Text,
    split_pair,
)
from data_prep.datasets import Dataset, Part, find
from data_prep.download import download
from data_prep.formats import PairSource, read_pairs
from data_prep.formats.hub import hub_files, read_hub
from data_prep.progress import progress
from data_prep.streams import Meter, split

logger = logging.getLogger(__name__)

_READ = 1 << 20  # bytes hashed at a time


def resolve(config: Config) -> Config:
    """Replace every name of the catalogue by the files it stands for; archives that are not there are downloaded.

    Raises:
        ValueError: if a name is unknown, has no such split, or is of other languages.
        RuntimeError: if a download fails.
    """
    if isinstance(config, DataConfig):
        return replace(config, pairs={pair: _pair(config, pair, options) for pair, options in config.pairs.items()})
    if not config.dataset:
        return config
    dataset = find(config.dataset)
    if dataset.pair:
        raise ValueError(f"text.dataset: {dataset.name} is parallel text; name it under pairs instead")
    splits = {"train": dataset.train, "valid": dataset.valid, "test": dataset.tests["test"]}
    found = {name: _local(config.downloads, dataset, part)[0] for name, (part,) in splits.items()}
    return replace(config, dataset="", train=found["train"], valid=found["valid"], test=found["test"])


def _pair(config: DataConfig, pair: str, options: PairOptions) -> PairOptions:
    """Resolve the text of one language pair."""
    train = tuple(corpus for given in options.train for corpus in _corpora(config, pair, given))
    valid, every = options.valid, options.valid_every
    if valid and isinstance(valid.sources[0], DatasetSplit):
        every = _held_out(pair, options.train, valid.sources[0])
    tests = {name: _text(config, pair, text) for name, text in options.tests.items()}
    return PairOptions(train, None if every or not valid else _text(config, pair, valid), every, tests)


def _held_out(pair: str, train: tuple[Corpus, ...], valid: DatasetSplit) -> int:
    """Return how many training pairs there are to one of validation, where a data set says so; else 0.

    Raises:
        ValueError: if the training text is not that of the data set alone.
    """
    every = find(valid.dataset).valid_every
    if valid.split != "valid" or not every:
        return 0
    if [corpus.sources for corpus in train] != [(DatasetSplit(valid.dataset, "train"),)]:
        raise ValueError(
            f"pairs.{pair}.valid: {valid.dataset} has no validation text but one in {every} of its training pairs; "
            f"train on {valid.dataset} alone, or give valid: {{every: N}} or other text"
        )
    return every


def _corpora(config: DataConfig, pair: str, corpus: Corpus) -> list[Corpus]:
    """Make a corpus of every part of a data set, named by the part."""
    (source, *_) = corpus.sources
    if not isinstance(source, DatasetSplit):
        return [corpus]
    dataset, parts = _parts(config, pair, source)
    return [replace(corpus, sources=(_source(config, dataset, part),), name=part.name) for part in parts]


def _text(config: DataConfig, pair: str, text: Text) -> Text:
    (source, *_) = text.sources
    if not isinstance(source, DatasetSplit):
        return text
    dataset, parts = _parts(config, pair, source)
    return Text(tuple(_source(config, dataset, part) for part in parts))


def _parts(config: DataConfig, pair: str, source: DatasetSplit) -> tuple[Dataset, tuple[Part, ...]]:
    """Return an entry of the catalogue and the parts that make the split, after downloading what is missing."""
    dataset = find(source.dataset)
    if set(split_pair(pair)) != set(dataset.pair.split("-")):
        raise ValueError(f"pairs.{pair}: the data set {dataset.name} is of {dataset.pair or 'one language'}")
    splits = {"train": dataset.train, "valid": dataset.valid, **dataset.tests}
    wanted = source.split
    if wanted == "test" and len(dataset.tests) == 1:
        (wanted,) = dataset.tests
    if not splits.get(wanted):
        known = ", ".join(name for name, parts in splits.items() if parts)
        raise ValueError(f"pairs.{pair}: the data set {dataset.name} has no split {wanted!r}; it has {known}")
    return dataset, splits[wanted]


def _source(config: DataConfig, dataset: Dataset, part: Part) -> PairSource:
    return PairSource(_local(config.downloads, dataset, part))


def _local(folder: Path, dataset: Dataset, part: Part) -> tuple[str, ...]:
    """Say where the files of a part lie; what is not there, as archive or unpacked, is downloaded with all the rest."""
    try:
        found = tuple(local.resolve(folder, location) for location in part.locations)
    except FileNotFoundError as error:
        logger.info("%s; downloading it now", error)
        download(dataset, folder)
        found = tuple(local.resolve(folder, location) for location in part.locations)
    _tell_sizes(dataset, found[0])
    return found


def _tell_sizes(dataset: Dataset, location: str) -> None:
    """Say so where a local archive has another size than the organisers' one; it is used all the same."""
    path = split(location)[0]
    size = path.stat().st_size
    for archive in dataset.archives:
        if archive.name == path.name and archive.size not in (None, size):
            logger.warning("%s: %d bytes, the official file has %d; used as it is", path, size, archive.size)


def files(source: Source) -> list[Path]:
    """List the files on disk that a resolved source is read from."""
    if isinstance(source, HubSource):
        return hub_files(source.hub, source.config, source.split, source.revision or None)
    assert isinstance(source, PairSource)
    return [path for location in source.files for path in _on_disk(location)]


def _on_disk(location: str) -> list[Path]:
    """List the files of a location: itself, its archive, or all that a saved data set has in its folder."""
    folder = Path(location)
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else [split(location)[0]]


def describe(source: Source, hashes: Mapping[Path, str]) -> dict[str, object]:
    """Say what decides the text of a source, with hashes and last names of files in place of where they lie."""
    if isinstance(source, HubSource):
        return {"hub": [hashes[path] for path in files(source)], "split": source.split}
    assert isinstance(source, PairSource)
    named = []
    for location in source.files:
        member = None if Path(location).is_dir() else split(location)[1]
        named += [[hashes[path], path.name, member] for path in _on_disk(location)]
    return {"files": named, "format": source.format, "columns": source.columns, "reference": source.reference}


def input_files(config: Config) -> list[Path]:
    """List the files on disk that a resolved configuration is read from, without repeats, in order."""
    if not isinstance(config, DataConfig):
        return list(dict.fromkeys(split(location)[0] for location in (config.train, config.valid, config.test)))
    found = []
    for options in config.pairs.values():
        for text in options.texts:
            found += [path for source in text.sources for path in files(source)]
            if isinstance(text, Corpus) and text.labels:
                found.append(split(text.labels)[0])
    return list(dict.fromkeys(found))


def describe_all(config: Config, hashes: Mapping[Path, str]) -> object:
    """Say what decides the text of a resolved configuration; see :func:`describe`."""
    if not isinstance(config, DataConfig):
        return [describe(PairSource((location,)), hashes) for location in (config.train, config.valid, config.test)]
    return [[pair, _describe_pair(options, hashes)] for pair, options in config.pairs.items()]


def _describe_pair(options: PairOptions, hashes: Mapping[Path, str]) -> dict[str, object]:
    def described(text: Text | None) -> list[dict[str, object]]:
        return [describe(source, hashes) for source in text.sources] if text else []

    train = [
        (described(corpus), corpus.labels and hashes[split(corpus.labels)[0]], corpus.detokenize)
        for corpus in options.train
    ]
    tests = {name: described(text) for name, text in options.tests.items()}
    return {"train": train, "valid": described(options.valid), "every": options.valid_every, "tests": tests}


def read(source: Source, pair: str, meter: Meter | None = None) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a resolved source in the direction of ``pair``."""
    src, tgt = split_pair(pair)
    if isinstance(source, HubSource):
        return read_hub(source.hub, source.config, source.split, src, tgt, source.revision or None)
    assert isinstance(source, PairSource)
    return read_pairs(source, src, tgt, meter=meter)


def stamps(config: Config) -> dict[Path, tuple[int, int]]:
    """Return size and time of the last change of every input file.

    Raises:
        FileNotFoundError: if one is missing.
        ValueError: if one is empty.
    """
    found = {path: _stamp(path) for path in input_files(config)}
    for path, (size, _) in found.items():
        if not size:
            raise ValueError(f"{path}: the file is empty; expected text")
    return found


def check_unchanged(found: Mapping[Path, tuple[int, int]]) -> None:
    """Refuse to go on where an input file is not what :func:`stamps` found.

    Raises:
        ValueError: if one has changed.
    """
    for path, stamp in found.items():
        if not path.is_file() or _stamp(path) != stamp:
            raise ValueError(f"{path}: changed while it was read; run the same command again")


def _stamp(path: Path) -> tuple[int, int]:
    facts = path.stat()
    return facts.st_size, facts.st_mtime_ns


def hash_files(paths: list[Path], workers: int) -> dict[Path, dict[str, object]]:
    """Return size in bytes and sha256 of every file."""
    total = sum(path.stat().st_size for path in paths)
    with progress("hashing", "bytes", total) as shown, ThreadPoolExecutor(workers) as threads:
        return dict(zip(paths, threads.map(lambda path: _facts(path, shown.add), paths), strict=True))


def _facts(path: Path, meter: Meter) -> dict[str, object]:
    digest, size = hashlib.sha256(), 0
    with open(path, "rb") as file:
        while data := file.read(_READ):
            digest.update(data)
            meter(len(data))
            size += len(data)
    return {"sha256": digest.hexdigest(), "bytes": size}

"""Encoding the text of a language pair, and writing it as fairseq's binarised data."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep import indexed
from data_prep.folder import written_whole
from data_prep.pool import ordered_map
from data_prep.progress import progress
from data_prep.subword import END, UNKNOWN, Encoder
from data_prep.training_text import VALID, CleanedChunk, TrainingText

Part = tuple[NDArray, NDArray[np.int32]]
"""Token numbers of some segments, and their sizes; see :func:`data_prep.indexed.write`."""


@dataclass(frozen=True)
class Side:
    """One file to be: a split in one language, in ``folder``."""

    folder: Path
    split: str
    pair: str
    lang: str
    shard: int = 0

    @property
    def prefix(self) -> Path:
        """The path without the suffix."""
        return self.folder / f"{self.split}.{self.pair}.{self.lang}"

    @property
    def key(self) -> str:
        """The name of this side in the file of an encoded chunk."""
        return f"{self.split}.{self.lang}.{self.shard}"


@dataclass(frozen=True)
class _Job:
    """A chunk to be encoded into ``target``; ``goes`` as in :meth:`TrainingText.destinations`."""

    chunk: CleanedChunk
    goes: NDArray[np.int16]
    target: Path


def encode_training_text(
    text: TrainingText, encoder: Encoder, sides: Sequence[Side], work: Path, *, workers: int
) -> dict[str, Counter[str]]:
    """Encode the chunks of a language pair in parallel, then write each side in order.

    Args:
        text: the cleaned text.
        encoder: of the joint model.
        sides: the files to write; ``train`` of every shard and, where text is held out, ``valid``.
        work: for the encoded chunks; those that are there already are used.
        workers: number of processes.

    Returns:
        lines, tokens (without the end of a line) and unknown tokens by :attr:`Side.key`.
    """
    work.mkdir(parents=True, exist_ok=True)
    targets = [work / f"{number:06d}.npz" for number in range(len(text.chunks))]
    jobs = (
        _Job(chunk, goes, target)
        for (chunk, goes), target in zip(text.destinations(), targets, strict=True)
        if not target.exists()
    )
    with progress(f"encoding {sides[0].pair}", "pairs", sum(map(len, text.chunks))) as shown:
        for count in ordered_map(_encode_chunk, (encoder, tuple(sides)), jobs, workers=workers):
            shown.add(count)
    written = ordered_map(_write_side, targets, sides, workers=workers)
    return dict(zip([side.key for side in sides], written, strict=True))


def _encode_chunk(shared: tuple[Encoder, tuple[Side, ...]], job: _Job) -> int:
    encoder, sides = shared
    pairs, arrays = job.chunk.pairs(), dict[str, Any]()
    for side in sides:
        source, target = side.pair.split("-")
        column = 0 if side.lang == source else 1
        wanted = np.flatnonzero(job.goes == (VALID if side.split == "valid" else side.shard))
        tokens, sizes = encoder.encode([pairs[index][column] for index in wanted])
        arrays[f"{side.key}.tokens"], arrays[f"{side.key}.sizes"] = tokens, sizes
    with written_whole(job.target) as path, open(path, "wb") as file:
        np.savez(file, **arrays)
    return len(pairs)


def _write_side(targets: Sequence[Path], side: Side) -> Counter[str]:
    """Put the encoded chunks of one side together."""

    def parts() -> Iterator[Part]:
        for target in targets:
            with np.load(target) as arrays:
                yield arrays[f"{side.key}.tokens"], arrays[f"{side.key}.sizes"]

    return write_side(side.prefix, parts())


def write_side(prefix: Path, parts: Iterator[Part]) -> Counter[str]:
    """Write a binarised file and count its lines, tokens (without the end of a line) and unknown tokens."""
    counts = Counter(lines=0, tokens=0, unknown=0)

    def counted() -> Iterator[Part]:
        for tokens, sizes in parts:
            counts["tokens"] += int((tokens != END).sum())
            counts["unknown"] += int((tokens == UNKNOWN).sum())
            yield tokens, sizes

    prefix.parent.mkdir(parents=True, exist_ok=True)
    counts["lines"] = indexed.write(prefix, counted())
    return counts

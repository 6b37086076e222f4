"""How many target words fairseq's batches hold, found from the lengths of the sentences alone.

A batch holds sentences of similar length, as many as --max-tokens has room for when all are padded to the longest; so
the more sentences there are to choose from, the fewer pads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep import indexed

# Assumed: training pairs of the catalogue's data sets, after cleaning.
DATASET_PAIRS = {"wmt14.en-de": 4_500_000, "wmt14.en-fr": 36_000_000}
MOST = 2_000_000  # pairs that batches are made of; more change their words by less than 1 %

Lengths = NDArray[np.int32]  # of sentence pairs, shape (pairs, 2): subwords of the source and of the target


def read_lengths(folders: Iterable[Path], pair: str) -> Lengths:
    """Of the training text of a language pair, all shards together."""
    prefixes = [folder / f"train.{pair}" for folder in folders]
    sides = [
        np.concatenate([indexed.read(Path(f"{prefix}.{language}")).sizes for prefix in prefixes])
        for language in pair.split("-")
    ]
    return np.stack(sides, axis=1)


def known_sizes(data: Mapping[str, Any]) -> dict[str, int]:
    """Language pair -> sentence pairs of its training text, where a ``data:`` mapping takes it from the catalogue."""
    sources = {pair: [source.get("dataset") for source in how["train"]] for pair, how in data["pairs"].items()}
    return {
        pair: sum(DATASET_PAIRS[name] for name in names)
        for pair, names in sources.items()
        if all(name in DATASET_PAIRS for name in names)
    }


def one_shard(lengths: Mapping[str, Lengths], sizes: Mapping[str, int], shards: int) -> dict[str, Lengths]:
    """Lengths as one of the shards of the real text would have, drawn from those of the stand-in.

    There are as many as ``sizes`` says, or as of the stand-in where a pair's is not known. More than ``MOST`` are too
    many: then all pairs have fewer, in the same proportion.
    """
    counts = {pair: sizes.get(pair, len(found)) / shards for pair, found in lengths.items()}
    scale = min(1.0, MOST / max(counts.values()))
    rng = np.random.default_rng(1)
    return {pair: found[rng.integers(len(found), size=round(scale * counts[pair]))] for pair, found in lengths.items()}


def words_per_batch(lengths: Mapping[str, Lengths], max_tokens: int) -> dict[str, float]:
    """Target words of a batch, the mean of an epoch, for language pairs that are trained on together.

    A batch takes as many sentences of each pair, the n-th by length of each; the shorter sets repeat.

    Args:
        lengths: of each language pair.
        max_tokens: sentences of a batch times its longest source or target, at most.
    """
    from fairseq.data import data_utils  # takes seconds

    places = np.arange(max(map(len, lengths.values())))
    tokens, words = np.zeros(len(places), dtype=np.int64), {}
    for pair, (source, target) in ((pair, found.T) for pair, found in lengths.items()):
        order = np.lexsort((target, source))[places % len(source)]
        tokens = np.maximum(tokens, np.maximum(source, target)[order])
        words[pair] = int(target[order].sum())
    batches = data_utils.batch_by_size(places, None, num_tokens_vec=tokens, max_tokens=max_tokens)
    return {pair: count / len(batches) for pair, count in words.items()}

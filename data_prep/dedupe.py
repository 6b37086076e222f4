"""Finding repeated sentence pairs in text of any size with bounded memory.

Every pair leaves a 128-bit key. The keys are dealt out by their value to as many groups as it takes for each to fit
into memory, and every group is sorted: equal keys then lie side by side. That any two different pairs among 40 million
share a key has a probability of about 1 in 10^23.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_GROUP = 500_000  # keys in memory at a time, 24 bytes each and about twice as much again to sort them


def key(src: str, tgt: str) -> bytes:
    """Return the key of a pair, 16 bytes."""
    return hashlib.blake2b(f"{src}\n{tgt}".encode(), digest_size=16).digest()


def first_occurrences(files: Sequence[Path], group: int = _GROUP) -> NDArray[np.bool_]:
    """Tell of every key whether it is the first of its kind.

    Args:
        files: keys as :func:`key` made them, one after the other; together one sequence.
        group: how many keys to hold in memory at a time, about.

    Returns:
        shape ``(keys,)``.
    """
    total = sum(path.stat().st_size for path in files) // 16
    first = np.ones(total, dtype=np.bool_)
    groups = -(-total // group)
    for number in range(groups):
        keys, places = _members(files, number, groups)
        order = np.lexsort((places, keys[:, 1], keys[:, 0]))
        ordered = keys[order]
        again = np.flatnonzero((ordered[1:] == ordered[:-1]).all(axis=1)) + 1
        first[places[order[again]]] = False
    return first


def _members(files: Sequence[Path], number: int, groups: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys of one group, shape ``(n, 2)``, and their places in the whole sequence."""
    keys, places, begin = [], [], 0
    for path in files:
        part = np.fromfile(path, dtype=np.uint64).reshape(-1, 2)
        chosen = np.flatnonzero(part[:, 0] % np.uint64(groups) == number)
        keys.append(part[chosen])
        places.append(begin + chosen)
        begin += len(part)
    return np.concatenate(keys), np.concatenate(places)

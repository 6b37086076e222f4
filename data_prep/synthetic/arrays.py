"""Data sets of arrays: what a task must say about itself, and how its splits are written.

A folder has ``facts.json`` and three files a split:

- ``SPLIT.inputs.npy``: token numbers ``(N, T)``, uint8, or vectors ``(N, T, size)``, float32;
- ``SPLIT.scored.npy``: which of the T steps count, ``(T,)``, bool;
- ``SPLIT.targets.npy``: the targets of the S steps that count, ``(N, S)``: classes, uint8, or values, float32.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.lib.format import open_memmap
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

_TOGETHER = 1000  # sequences drawn at a time; another number would give other data


@dataclass(frozen=True)
class Form:
    """What a model needs to know of a task.

    Args:
        input_kind: token numbers or real vectors.
        input_size: number of symbols, or size of a vector.
        target_kind: classes or real values.
        target_size: number of classes; 1 for values.
        chance: what a constant answer gets: the loss, cross-entropy in nats or mean squared error, and with classes the
            accuracy.
    """

    input_kind: Literal["tokens", "vectors"]
    input_size: int
    target_kind: Literal["classes", "values"]
    target_size: int
    chance: dict[str, float]


class ArrayTask(ABC):
    """A task with an input at every step, and a target at those that count."""

    name: ClassVar[str]

    @property
    @abstractmethod
    def form(self) -> Form:
        """What a model needs to know."""

    @property
    @abstractmethod
    def lengths(self) -> dict[str, int]:
        """The splits, and for each the length that :meth:`draw` takes."""

    @abstractmethod
    def draw(self, rng: Generator, count: int, length: int) -> tuple[NDArray, NDArray]:
        """Draw inputs ``(count, T)`` or ``(count, T, size)``, and targets of all steps ``(count, T)``."""

    def scored(self, split: str) -> NDArray[np.bool_]:
        """Say which steps of a split count, ``(T,)``; here, the last one."""
        length = self.lengths[split]
        return np.arange(length) == length - 1

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return tuple(self.lengths)

    def facts(self) -> dict[str, Any]:
        """What is to be known of the data as a whole."""
        return asdict(self.form)

    def write(self, folder: Path, split: str, count: int, seed: int) -> dict[str, Any]:
        """Write one split, of any size in little memory; returns its facts."""
        scored, rng = self.scored(split), default_rng([seed, *split.encode()])
        np.save(folder / f"{split}.scored.npy", scored)
        files: list[NDArray] = []
        for begin in range(0, count, _TOGETHER):
            end = min(begin + _TOGETHER, count)
            inputs, targets = self.draw(rng, end - begin, self.lengths[split])
            parts = {"inputs": inputs, "targets": targets[:, scored]}
            files = files or [
                open_memmap(folder / f"{split}.{name}.npy", "w+", part.dtype, (count, *part.shape[1:]))
                for name, part in parts.items()
            ]
            for file, part in zip(files, parts.values(), strict=True):
                file[begin:end] = part
        return {"sequences": count, "steps": len(scored), "scored": int(scored.sum())}


def named_by_length(lengths: Sequence[int]) -> dict[str, int]:
    """Name test sets after their lengths: ``test50``, ``test200``.

    Raises:
        ValueError: if a length is given twice.
    """
    if len(set(lengths)) < len(lengths):
        raise ValueError(f"every test set needs a length of its own, got {', '.join(map(str, lengths))}")
    return {f"test{length}": length for length in lengths}

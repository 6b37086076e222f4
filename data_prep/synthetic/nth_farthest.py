"""N-th farthest: which of eight vectors is the n-th farthest from the one labelled m?

Santoro et al. (2018), "Relational recurrent neural networks", Sec. 4.1 and A.1.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from data_prep.synthetic.arrays import ArrayTask, Form

VECTORS, SIZE = 8, 16


@dataclass(frozen=True)
class NthFarthest(ArrayTask):
    """Eight steps of 40 numbers: a vector from U(-1, 1), its label, n and m, the last three one-hot.

    The labels are a random order of 1 to 8; n and m, from 1 to 8, stay the same in all steps. The target, at the last
    step, is the label of the n-th farthest vector (Euclidean) from the one labelled m. With n = 8 that is m itself.
    Classes are the labels minus 1.
    """

    name: ClassVar[str] = "nth_farthest"

    @property
    def form(self) -> Form:
        chance = {"loss": math.log(VECTORS), "accuracy": 1 / VECTORS}
        return Form("vectors", SIZE + 3 * VECTORS, "classes", VECTORS, chance)

    @property
    def lengths(self) -> dict[str, int]:
        return dict.fromkeys(("train", "valid", "test"), VECTORS)

    def draw(self, rng: Generator, count: int, length: int) -> tuple[NDArray, NDArray]:
        rows, one_hot = np.arange(count), np.eye(VECTORS, dtype=np.float32)
        vectors = rng.uniform(-1, 1, size=(count, length, SIZE)).astype(np.float32)
        labels = rng.permuted(np.tile(np.arange(VECTORS), (count, 1)), axis=1)
        n, m = rng.integers(VECTORS, size=(2, count))
        centre = vectors[rows, (labels == m[:, None]).argmax(axis=1)]
        distances = np.square(vectors - centre[:, None]).sum(axis=-1, dtype=np.float64)
        farthest = np.argsort(-distances, axis=1)  # position of the farthest vector first
        question = np.concatenate([one_hot[n], one_hot[m]], axis=1)[:, None].repeat(length, axis=1)
        targets = np.zeros((count, length), dtype=np.uint8)
        targets[:, -1] = labels[rows, farthest[rows, n]]
        return np.concatenate([vectors, one_hot[labels], question], axis=-1), targets

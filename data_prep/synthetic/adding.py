"""Adding: a stream of numbers, two of which are marked; their sum is asked for at the end.

Hochreiter and Schmidhuber (1997), "Long short-term memory", Sec. 5.4, in the form of Goyal et al. (2021), "Recurrent
Independent Mechanisms", Table 5.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from data_prep.synthetic.arrays import ArrayTask, Form, named_by_length

_CHANNELS = (2, 3)
_CHANCE = 1 / 6
"""Variance of the sum of two numbers from U(0, 1): the mean squared error of the constant answer 1."""


@dataclass(frozen=True)
class Adding(ArrayTask):
    """Inputs are values from U(0, 1) and marks; one number in each half of the sequence is marked.

    Args:
        length: steps in training and validation, even.
        test_length: the same for each test set, which is named after it: ``test50``, ``test200``.
        channels: 3 (the authors' code): value, mark of the first number, mark of the second. 2 (the paper's text):
            value, mark of either.

    Raises:
        ValueError: if a length is odd or less than 2 or given twice for the tests, or channels is neither 2 nor 3.
    """

    name: ClassVar[str] = "adding"
    length: int = 50
    test_length: tuple[int, ...] = (50, 200)
    channels: int = 3

    def __post_init__(self) -> None:
        for length in self.lengths.values():
            if length < 2 or length % 2:
                raise ValueError(f"length must be an even number of steps, at least 2, got {length}")
        if self.channels not in _CHANNELS:
            raise ValueError(f"channels must be 2 or 3, got {self.channels}")

    @property
    def form(self) -> Form:
        return Form("vectors", self.channels, "values", 1, {"loss": _CHANCE})

    @property
    def lengths(self) -> dict[str, int]:
        return {"train": self.length, "valid": self.length, **named_by_length(self.test_length)}

    def draw(self, rng: Generator, count: int, length: int) -> tuple[NDArray, NDArray]:
        half, rows = length // 2, np.arange(count)
        inputs = np.zeros((count, length, self.channels), dtype=np.float32)
        inputs[..., 0] = rng.random((count, length), dtype=np.float32)
        targets = np.zeros((count, length), dtype=np.float32)
        for number in range(2):
            marked = number * half + rng.integers(half, size=count)
            inputs[rows, marked, min(1 + number, self.channels - 1)] = 1
            targets[:, -1] += inputs[rows, marked, 0]
        return inputs, targets

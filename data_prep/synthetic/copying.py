"""Copying: ten symbols, a dormant span, a sign, and then the symbols again from memory.

Goyal et al. (2021), "Recurrent Independent Mechanisms", Sec. 4.1 and D.1, in the authors' code: symbols are 1 to 8 (the
paper says 0 to 8), 0 is blank, 9 asks for the copy.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from data_prep.synthetic.arrays import ArrayTask, Form, named_by_length

COPIED = 10
"""Symbols in a sequence."""
_SYMBOLS = 8
_BLANK, _RECALL = 0, 9


@dataclass(frozen=True)
class Copying(ArrayTask):
    """Input ``s, 0 ... 0, 9, 0 ... 0``, target ``0 ... 0, s``; what counts are the last ten steps.

    Args:
        delay: the dormant span in training and validation, in steps: ``delay - 1`` blanks and the sign 9. A sequence
            has ``delay + 20`` steps.
        test_delay: the same for each test set, which is named after it: ``test50``, ``test200``.
        train_on_all_steps: let every step count in training, as in the authors' code, also those where the target is
            blank. Validation and test sets are not affected.

    Raises:
        ValueError: if a delay is less than 1, or one is given twice for the tests.
    """

    name: ClassVar[str] = "copying"
    delay: int = 50
    test_delay: tuple[int, ...] = (50, 200)
    train_on_all_steps: bool = False

    def __post_init__(self) -> None:
        for delay in self.lengths.values():
            if delay < 1:
                raise ValueError(f"delay must be at least 1 step, got {delay}")

    @property
    def form(self) -> Form:
        return Form("tokens", 10, "classes", 10, {"loss": math.log(_SYMBOLS), "accuracy": 1 / _SYMBOLS})

    @property
    def lengths(self) -> dict[str, int]:
        return {"train": self.delay, "valid": self.delay, **named_by_length(self.test_delay)}

    def scored(self, split: str) -> NDArray[np.bool_]:
        scored = np.ones(self.lengths[split] + 2 * COPIED, dtype=np.bool_)
        if split != "train" or not self.train_on_all_steps:
            scored[:-COPIED] = False
        return scored

    def draw(self, rng: Generator, count: int, length: int) -> tuple[NDArray, NDArray]:
        symbols = rng.integers(1, _SYMBOLS, size=(count, COPIED), dtype=np.uint8, endpoint=True)
        inputs = np.full((count, length + 2 * COPIED), _BLANK, dtype=np.uint8)
        targets = inputs.copy()
        inputs[:, :COPIED] = symbols
        inputs[:, COPIED + length - 1] = _RECALL
        targets[:, -COPIED:] = symbols
        return inputs, targets

"""Memorisation: a number is to be copied, reversed or said twice.

Zaremba and Sutskever (2014), "Learning to execute", in the form of Santoro et al. (2018), "Relational recurrent neural
networks", Sec. 4.2 and A.2.
"""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import ClassVar

from data_prep.synthetic.strings import DIGITS, StringTask, check_curriculum, number

OPERATIONS: dict[str, Callable[[str], str]] = {
    "copy": lambda digits: digits,
    "reverse": lambda digits: digits[::-1],
    "double": lambda digits: digits * 2,
}


@dataclass(frozen=True)
class Memorisation(StringTask):
    """Question: a number. Answer: its digits, in order, reversed or twice.

    Args:
        operation: "copy", "reverse" or "double".
        length: most digits of the number.
        curriculum: see :class:`StringTask`.

    Raises:
        ValueError: if an argument is none of the choices, or length is less than 1.
    """

    name: ClassVar[str] = "memorisation"
    sides: ClassVar[tuple[str, str]] = ("number", "answer")
    alphabet: ClassVar[str] = DIGITS

    operation: str = "copy"
    length: int = 10
    curriculum: str = "mix"

    def __post_init__(self) -> None:
        if self.operation not in OPERATIONS:
            raise ValueError(f"operation must be one of {', '.join(OPERATIONS)}, got {self.operation!r}")
        if self.length < 1:
            raise ValueError(f"length must be at least 1 digit, got {self.length}")
        check_curriculum(self.curriculum)

    def draw(self, rng: Random, *, mixed: bool) -> tuple[str, str]:
        digits = str(number(rng, rng.randint(1, self.length) if mixed else self.length))
        return digits, OPERATIONS[self.operation](digits)

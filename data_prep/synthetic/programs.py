"""Program evaluation: what is the value of a small program?

Zaremba and Sutskever (2014), "Learning to execute", in the form of Santoro et al. (2018), "Relational recurrent neural
networks", Sec. 4.2 and A.2, whose text reduces the answer modulo ``10 ** length``. The answers that it prints need
``10 ** (length + 1)``, which is what is done here.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import ClassVar, NamedTuple

from data_prep.synthetic.strings import DIGITS, StringTask, check_curriculum, number

_MOST_ROUNDS = 9


class Term(NamedTuple):
    """An expression and its value."""

    text: str
    value: int


class Operation(NamedTuple):
    """How an expression is made of others: their number, and a function that may draw."""

    operands: int
    build: Callable[..., Term]


def _add(rng: Random, a: Term, b: Term) -> Term:
    return Term(f"{a.text}+{b.text}", a.value + b.value)


def _subtract(rng: Random, a: Term, b: Term) -> Term:
    return Term(f"{a.text}-{b.text}", a.value - b.value)


def _multiply(rng: Random, a: Term, b: Term) -> Term:
    return Term(f"{a.text}*{b.text}", a.value * b.value)


def _choose(rng: Random, a: Term, b: Term, c: Term, d: Term) -> Term:
    sign = rng.choice("<>")
    holds = b.value < c.value if sign == "<" else b.value > c.value
    return Term(f"{a.text}if{b.text}{sign}{c.text}else{d.text}", a.value if holds else d.value)


def _repeat(rng: Random, a: Term, b: Term) -> Term:
    rounds = rng.randint(1, _MOST_ROUNDS)
    return Term(f"x={a.text}for[{rounds}]x+={b.text}", a.value + rounds * b.value)


ADD, SUBTRACT, MULTIPLY, IF, FOR = (
    Operation(2, _add), Operation(2, _subtract), Operation(2, _multiply), Operation(4, _choose), Operation(2, _repeat),
)  # fmt: skip
OPERATIONS: dict[str, tuple[Operation, ...]] = {
    "addition": (ADD,),
    "control": (IF, FOR),
    "control_paper": (ADD, SUBTRACT, IF),
    "full": (ADD, SUBTRACT, MULTIPLY, IF, FOR),
}


@dataclass(frozen=True)
class Programs(StringTask):
    """Question: a program without spaces, as ``(82930-31249)if10000<20000else76957``. Answer: its value, in decimal.

    A program has ``nesting`` operations, each on fresh numbers of ``length`` digits and on the program so far, in
    parentheses, which is its first operand. ``x=a for[r]x+=b`` adds b to a r times, 1 to 9. The answer is the value
    modulo ``10 ** (length + 1)``, never negative.

    Args:
        operations: "addition"; "control" (if, for; as Sonnet has it); "control_paper" (addition, subtraction, if; the
            program so far is any operand, as in the paper's samples); "full" (addition, subtraction, multiplication,
            if, for).
        length: most digits of a number.
        nesting: most operations.
        curriculum: see :class:`StringTask`; "mix" draws length and nesting.

    Raises:
        ValueError: if an argument is none of the choices, or length or nesting is less than 1.
    """

    name: ClassVar[str] = "programs"
    sides: ClassVar[tuple[str, str]] = ("program", "answer")
    alphabet: ClassVar[str] = DIGITS + "+-*()<>=[]efilorsx"

    operations: str = "full"
    length: int = 5
    nesting: int = 2
    curriculum: str = "mix"

    def __post_init__(self) -> None:
        if self.operations not in OPERATIONS:
            raise ValueError(f"operations must be one of {', '.join(OPERATIONS)}, got {self.operations!r}")
        for name, value in (("length", self.length), ("nesting", self.nesting)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        check_curriculum(self.curriculum)

    def draw(self, rng: Random, *, mixed: bool) -> tuple[str, str]:
        length = rng.randint(1, self.length) if mixed else self.length
        nesting = rng.randint(1, self.nesting) if mixed else self.nesting
        term = program(rng, OPERATIONS[self.operations], length, nesting, any_slot=self.operations == "control_paper")
        return term.text, str(term.value % 10 ** (length + 1))


def program(rng: Random, operations: Sequence[Operation], length: int, nesting: int, *, any_slot: bool) -> Term:
    """Draw a program; ``any_slot``: the program so far becomes any operand, not always the first."""
    term: Term | None = None
    for _ in range(nesting):
        operation = rng.choice(operations)
        numbers = [number(rng, length) for _ in range(operation.operands)]
        operands = [Term(str(value), value) for value in numbers]
        if term is not None:
            operands[rng.randrange(len(operands)) if any_slot else 0] = Term(f"({term.text})", term.value)
        term = operation.build(rng, *operands)
    assert term is not None
    return term

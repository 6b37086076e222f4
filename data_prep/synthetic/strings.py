"""Data sets of character strings: a question and its answer, binarised for fairseq's ``translation``.

Every character is a token, both sides have the same dictionary, and the names of the sides take the place of languages:
``fairseq-train DIR -s program -t answer``. The same lines are in ``text/``, to read. Sequences are drawn independently,
as in the papers: where few are possible, one of a test set may occur in training.
"""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from data_prep import indexed
from data_prep.subword import END

_TOGETHER = 10_000  # pairs encoded at a time
_SPECIAL = 4  # fairseq's own symbols, before the lines of a dictionary
CURRICULA = ("mix", "none")
DIGITS = "0123456789"


class StringTask(ABC):
    """A task whose inputs and targets are strings.

    Attributes:
        name: of the task.
        sides: the names of question and answer.
        alphabet: all characters that may occur.
        splits: the names of the splits.
        curriculum: how hard the sequences of ``train`` are: "mix" draws each one's size uniformly up to the maximum
            (Zaremba and Sutskever, 2014, "Learning to execute", Sec. 4), "none" takes the maximum. The other splits
            always have it.
    """

    name: ClassVar[str]
    sides: ClassVar[tuple[str, str]]
    alphabet: ClassVar[str]
    splits: ClassVar[tuple[str, ...]] = ("train", "valid", "test")
    curriculum: str

    @abstractmethod
    def draw(self, rng: Random, *, mixed: bool) -> tuple[str, str]:
        """Draw a question and its answer; ``mixed``: of a random size up to the maximum."""

    def facts(self) -> dict[str, Any]:
        """What is to be known of the data as a whole; the chance level is that of each split."""
        return {"sides": self.sides}

    def write(self, folder: Path, split: str, count: int, seed: int) -> dict[str, Any]:
        """Write one split, of any size in little memory, and the dictionaries; returns the facts of the split."""
        (folder / "text").mkdir(exist_ok=True)
        paths = [folder / "text" / f"{split}.{side}" for side in self.sides]
        rng, mixed = Random(f"{seed} {split}"), split == "train" and self.curriculum == "mix"
        with open(paths[0], "w", encoding="ascii") as questions, open(paths[1], "w", encoding="ascii") as answers:
            for _ in range(count):
                question, answer = self.draw(rng, mixed=mixed)
                questions.write(f"{question}\n")
                answers.write(f"{answer}\n")
        for side, path in zip(self.sides, paths, strict=True):
            lines = "".join(f"{character} 1\n" for character in self.alphabet)
            (folder / f"dict.{side}.txt").write_text(lines, encoding="ascii")
            indexed.write(folder / f"{split}.{'-'.join(self.sides)}.{side}", encode(path, self.alphabet))
        return {"pairs": count, "chance": {"character_accuracy": constant_answer(paths[1])}}


def constant_answer(answers: Path) -> float:
    """The share of all characters, the end of a line counted as one, that the best constant answer has right."""
    seen: list[Counter[str]] = []
    characters = 0
    with open(answers, encoding="ascii") as file:
        for line in file:
            characters += len(line)
            seen.extend(Counter() for _ in range(len(line) - len(seen)))
            for place, character in enumerate(line):
                seen[place][character] += 1
    best = before = 0
    for counts in seen:
        best = max(best, before + counts.pop("\n", 0))  # an answer that ends here
        before += max(counts.values(), default=0)
    return best / characters


def encode(path: Path, alphabet: str) -> Iterator[tuple[NDArray, NDArray[np.int32]]]:
    """Yield some lines at a time as :func:`data_prep.indexed.write` takes them, a token for every character."""
    numbers = np.zeros(256, dtype=indexed.token_type(_SPECIAL + len(alphabet)))
    numbers[list(alphabet.encode("ascii"))] = np.arange(_SPECIAL, _SPECIAL + len(alphabet))
    numbers[ord("\n")] = END
    with open(path, "rb") as file:
        while lines := list(islice(file, _TOGETHER)):
            tokens = numbers[np.frombuffer(b"".join(lines), dtype=np.uint8)]
            yield tokens, np.fromiter(map(len, lines), np.int32, len(lines))


def number(rng: Random, digits: int) -> int:
    """Draw a number of so many digits, the first of which is not 0."""
    return rng.randint(10 ** (digits - 1), 10**digits - 1)


def check_curriculum(curriculum: str) -> None:
    """Raise ValueError unless this is one of :data:`CURRICULA`."""
    if curriculum not in CURRICULA:
        raise ValueError(f"curriculum must be one of {', '.join(CURRICULA)}, got {curriculum!r}")

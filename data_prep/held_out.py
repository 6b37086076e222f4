"""The test segments that must not be in the training text, and what else the filters of a language pair share."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

_HEAD = 32  # characters that are folded first
_START = 16  # folded characters that tell most segments apart


def fold(segment: str) -> str:
    """Return the letters and digits of a segment without case."""
    return "".join(filter(str.isalnum, segment.casefold()))


@dataclass(frozen=True)
class HeldOut:
    """The normalised test segments of one language. ``folded`` is how they fold, ``starts`` how that begins."""

    exact: frozenset[str]
    folded: frozenset[str]
    starts: frozenset[str]

    @classmethod
    def make(cls, segments: Iterable[str]) -> Self:
        """Make it of normalised segments."""
        exact = frozenset(segments)
        folded = frozenset(map(fold, exact))
        return cls(exact, folded, frozenset(form[:_START] for form in folded))

    def holds(self, segment: str) -> bool:
        """Say whether the segment is a test segment, character by character."""
        return segment in self.exact

    def holds_folded(self, segment: str, min_chars: int) -> bool:
        """Say whether the segment folds like a test segment, to at least ``min_chars`` characters.

        To fold a whole segment takes long, and how the first characters fold is how all of them begin.
        """
        start = fold(segment[:_HEAD])[:_START]
        if len(start) == _START and start not in self.starts:
            return False
        folded = fold(segment)
        return len(folded) >= min_chars and folded in self.folded


@dataclass(frozen=True)
class Context:
    """What the filters of a language pair need to know: the languages, and the test segments of either side."""

    langs: tuple[str, str]
    held_out: tuple[HeldOut, HeldOut]

    @classmethod
    def make(cls, langs: tuple[str, str], held_out: tuple[Iterable[str], Iterable[str]] = ((), ())) -> Self:
        """Make it of the normalised test segments in the source and the target language."""
        sources, targets = held_out
        return cls(langs, (HeldOut.make(sources), HeldOut.make(targets)))

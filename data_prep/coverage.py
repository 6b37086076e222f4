"""How much of some small texts occurs in a large one: the n-grams of test sets in the training text."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

WORDS_AND_SIGNS = re.compile(r"\w+|[^\w\s]|\n")
"""Runs of letters and digits, and other signs one by one; a line end is kept."""
WORDS = re.compile(r"[^ \n]+|\n")
"""What spaces separate, for text that is tokenised already; a line end is kept."""


@dataclass(frozen=True)
class Share:
    """How many running n-grams (``tokens``) and different ones (``types``) a text has, and how many were seen."""

    tokens: int
    seen_tokens: int
    types: int
    seen_types: int


class Coverage:
    """Marks the n-grams of some texts that occur in another text, which is shown to it block by block.

    Exact, and its memory grows with the small texts only. A word has a number, 0 if it is in none of the small texts;
    an n-gram has one too, found by the number of its first n-1 words and that of its last word. So most n-grams of the
    large text are out of the search after a word or two. No n-gram reaches over a line end.

    Args:
        texts: by name the small texts, each with its lines separated by ``\\n``.
        words: finds words and line ends.
        order: the longest n-grams.
    """

    def __init__(self, texts: Mapping[str, str], words: re.Pattern[str], order: int = 4) -> None:
        self._pattern = words
        found = sorted(set(chain.from_iterable(map(words.findall, texts.values()))) - {"\n"})
        self._words = {word: number for number, word in enumerate(found, start=1)}
        numbers = {name: self._number(text) for name, text in texts.items()}
        self._keys: list[NDArray[np.int64]] = []  # of the n-grams of 2, 3, ... words, sorted
        for _ in range(2, order + 1):
            self._keys.append(np.unique(np.concatenate([self._longer_keys(words) for words in numbers.values()])))
        self._ngrams = {name: list(self._find(words)) for name, words in numbers.items()}
        sizes = [len(self._words), *map(len, self._keys)]
        self._seen = [np.zeros(size + 1, dtype=bool) for size in sizes]

    def show(self, text: str) -> None:
        """Mark what occurs in ``text``, lines separated by ``\\n``."""
        for seen, ngrams in zip(self._seen, self._find(self._number(text)), strict=True):
            seen[ngrams] = True

    def shares(self, name: str) -> list[Share]:
        """Return the shares of a small text for n = 1, 2, ..."""
        return [_share(ngrams[ngrams > 0], seen) for ngrams, seen in zip(self._ngrams[name], self._seen, strict=True)]

    def _number(self, text: str) -> NDArray[np.int64]:
        words = self._pattern.findall(text)
        return np.fromiter((self._words.get(word, 0) for word in words), dtype=np.int64, count=len(words))

    def _find(self, words: NDArray[np.int64]) -> Iterable[NDArray[np.int64]]:
        """Yield for n = 1, 2, ... the number of the n-gram that begins at every word, 0 for an unknown one."""
        ngrams = words
        yield ngrams
        for keys in self._keys:
            places, wanted = self._candidates(ngrams, words)
            ngrams = np.zeros(max(len(ngrams) - 1, 0), dtype=np.int64)
            found = np.searchsorted(keys, wanted)
            known = np.append(keys, -1)[found] == wanted
            ngrams[places[known]] = found[known] + 1
            yield ngrams

    def _longer_keys(self, words: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the keys of the n-grams that are a word longer than those known so far."""
        *_, longest = self._find(words)
        return self._candidates(longest, words)[1]

    def _candidates(
        self, ngrams: NDArray[np.int64], words: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return where a known n-gram is followed by a known word, and the key of both together."""
        following = words[len(words) - len(ngrams) + 1 :]
        before = ngrams[: len(following)]
        places = np.flatnonzero((before > 0) & (following > 0))
        return places, before[places] * (len(self._words) + 1) + following[places]


def _share(ngrams: NDArray[np.int64], seen: NDArray[np.bool_]) -> Share:
    types = np.unique(ngrams)
    return Share(len(ngrams), int(seen[ngrams].sum()), len(types), int(seen[types].sum()))

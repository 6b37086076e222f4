"""Labels of the steps of a text, to compare the activity of units with."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np

CLASSES = ("end of sentence", "punctuation", "digits", "frequent", "other")
"""Of tokens: the symbols that end or begin a sentence, no letter or digit, digits and no letter, the most frequent
words or parts of words (mostly function words), all others (mostly content words)."""


def token_classes(tokens: Sequence[str], *, frequent: Collection[str], ends: Collection[str]) -> np.ndarray:
    """The class of each token, an index of :data:`CLASSES`.

    Args:
        tokens: words or SentencePiece's parts of words.
        frequent: those that count as frequent.
        ends: the symbols that stand for the end (or beginning) of a sentence.
    """
    return np.array([_token_class(token, frequent, ends) for token in tokens], dtype=np.int64)


def is_word(token: str) -> bool:
    """Whether a token has a letter."""
    return any(character.isalpha() for character in token)


def _token_class(token: str, frequent: Collection[str], ends: Collection[str]) -> int:
    if token in ends:
        return CLASSES.index("end of sentence")
    if is_word(token):
        return CLASSES.index("frequent" if token in frequent else "other")
    return CLASSES.index("digits" if any(character.isdigit() for character in token) else "punctuation")


def position_buckets(steps: int, buckets: int) -> np.ndarray:
    """The part of its sequence that each step lies in, ``(steps,)`` in ``[0, buckets)``: equal parts, in order.

    Raises:
        ValueError: if ``buckets`` is less than 1.
    """
    if buckets < 1:
        raise ValueError(f"buckets must be at least 1, got {buckets}")
    return np.arange(steps) * buckets // max(steps, 1)

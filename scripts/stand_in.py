"""Text of made-up words in the shape of WMT14's, in place of the real one: to run an experiment whose text is not here.

The words have the frequencies of Zipf's law, and the lengths of sentences those of WMT14. On average they are

- English to German 25.8 and 24.4 words (Luong et al., 2015, "Effective Approaches to Attention-based Neural Machine
  Translation", Sec. 4.1: 4.5 million pairs, 116 and 110 million words);
- English to French 25.3 and 29.0 (Sutskever et al., 2014, "Sequence to Sequence Learning with Neural Networks",
  Sec. 3.1: 12 million sentences, 304 and 348 million words).

They are spread by a gamma distribution of shape 3, and the length of a translation, around what its source lets expect,
by a factor whose logarithm has a standard deviation of 0.2. Both were measured on Europarl and newstest in the text of
configs/table8_formal.yaml: shapes of 2.7 to 3.3, deviations of 0.18 and 0.20.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from files import write_text
from numpy.typing import NDArray

AVERAGE_WORDS = {"en-de": (25.8, 24.4), "en-fr": (25.3, 29.0)}
OTHER_PAIRS = (25.0, 25.0)
LENGTH_SHAPE = 3.0
RATIO_DEVIATION = 0.2
TYPES = 25_000  # of a language; so many give translations of about 30 (German) and 35 subwords, as WMT14's have
ZIPF_OFFSET = 2.7  # of Mandelbrot's form of the law: a word's frequency is proportional to 1 / (rank + offset)
HELD_OUT = 100  # pairs of a validation or test set
SYLLABLES = [start + vowel + end for start in "bdfgklmnprstvz" for vowel in "aeiou" for end in ("", "l", "n", "r", "s")]
LONGER_FROM = (200, 8_000)  # ranks from which words have two syllables, and three


@functools.cache
def lexicon(language: str) -> tuple[str, ...]:
    """The different words of a language, the most frequent first."""
    rng = random.Random(language)
    words: dict[str, None] = {}
    while len(words) < TYPES:
        syllables = 1 + sum(len(words) >= rank for rank in LONGER_FROM)
        words["".join(rng.choices(SYLLABLES, k=syllables))] = None
    return tuple(words)


def lengths(pair: str, count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Words of ``count`` sentences and of their translations, each at least 1: two arrays of shape ``(count,)``."""
    source_mean, target_mean = AVERAGE_WORDS.get(pair, OTHER_PAIRS)
    source = rng.gamma(LENGTH_SHAPE, source_mean / LENGTH_SHAPE, count)
    factor = rng.lognormal(-(RATIO_DEVIATION**2) / 2, RATIO_DEVIATION, count)  # 1 on average
    target = source * (target_mean / source_mean) * factor
    return np.maximum(1, source.round()).astype(np.int64), np.maximum(1, target.round()).astype(np.int64)


def write_pairs(prefix: Path, pair: str, count: int, seed: int) -> dict[str, str]:
    """Write ``PREFIX.PAIR.LANG`` of both languages, aligned; the n-th word of one is the other's n-th, place by place.

    Returns:
        the files, as ``src`` and ``tgt`` of the data configuration.
    """
    rng = np.random.default_rng([seed, *pair.encode()])
    frequency = 1 / (np.arange(TYPES) + ZIPF_OFFSET)
    cumulated = np.cumsum(frequency / frequency.sum())
    source_lengths, target_lengths = lengths(pair, count, rng)
    sources = [np.searchsorted(cumulated[:-1], rng.random(length)) for length in source_lengths]
    targets = [
        ranks[np.arange(length) * len(ranks) // length] for ranks, length in zip(sources, target_lengths, strict=True)
    ]
    files = {}
    for side, language, lines in zip(("src", "tgt"), pair.split("-"), (sources, targets), strict=True):
        path = Path(f"{prefix}.{pair}.{language}")
        write_text(path, _text(lines, lexicon(language)))
        files[side] = str(path)
    return files


def _text(lines: Iterable[NDArray[np.int64]], words: tuple[str, ...]) -> str:
    return "".join(" ".join(words[rank] for rank in ranks) + "\n" for ranks in lines)


def data_config(data: dict[str, Any], folder: Path, pairs: int) -> dict[str, Any]:
    """Write stand-in text for every text of a ``data:`` mapping.

    Args:
        data: the mapping.
        folder: where the text goes (``text/``), and the prepared data (``data/``).
        pairs: training pairs of every language pair.

    Returns:
        the mapping with these texts as the only sources, and one worker, as it is little text; filters, subwords and
        shards stay.
    """
    text = folder / "text"
    made: dict[str, Any] = {}
    for pair, options in data["pairs"].items():
        tests = enumerate(options.get("tests") or {}, start=3)
        made[pair] = {
            "train": [write_pairs(text / "train", pair, pairs, seed=1)],
            "valid": write_pairs(text / "valid", pair, HELD_OUT, seed=2),
            "tests": {name: write_pairs(text / name, pair, HELD_OUT, seed) for seed, name in tests},
        }
    kept = {key: value for key, value in data.items() if key not in ("downloads", "grammar")}
    return {**kept, "out": str(folder / "data"), "pairs": made, "workers": 1}

"""The figures of a folder of binarised data: sizes, lengths, unknown words, overlap of training and test text."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep import indexed
from data_prep.coverage import WORDS, WORDS_AND_SIGNS, Coverage, Share
from data_prep.decode import Decoder
from data_prep.prepared import Split, dictionary, find_splits
from data_prep.progress import progress
from data_prep.subword import END, UNKNOWN

EXAMPLES = 10
_BLOCK = 20_000  # segments read together


@dataclass(frozen=True)
class SideFigures:
    """One side of a split. No number counts ``</s>``.

    Args:
        segments: number of segments.
        tokens: number of subwords, or of words where there are no subwords.
        unknown: how many of the tokens the dictionary does not hold.
        words: number of words, where a word is what white space separates.
        lengths: how many segments have 0, 1, 2, ... tokens.
    """

    segments: int
    tokens: int
    unknown: int
    words: int
    lengths: NDArray[np.int64]

    def length(self, share: float) -> int:
        """Return the smallest length that at least this share of the segments does not exceed."""
        return int(np.searchsorted(np.cumsum(self.lengths), share * self.segments))


@dataclass(frozen=True)
class PairFigures:
    """A language pair, or text in one language.

    Args:
        pair: for example ``en-de``; empty for text in one language.
        langs: its languages; one without a name for text in one language.
        subwords: whether the tokens are pieces of words.
        sides: figures by split and language.
        coverage: by split other than training and by language, what training text holds of its n-grams, n = 1, 2, ...
        read: number of training segments that were compared with the other splits ...
        total: ... and of those that there are.
        examples: training segments by their number (from 0), a text for each language.
    """

    pair: str
    langs: tuple[str, ...]
    subwords: bool
    sides: dict[str, dict[str, SideFigures]]
    coverage: dict[str, dict[str, list[Share]]]
    read: int
    total: int
    examples: dict[int, list[str]]


class _Side:
    """The binarised text of one side of a split, its parts one after the other, and its decoder."""

    def __init__(self, split: Split, lang: str, decoder: Decoder) -> None:
        self.name = f"{split.name} {split.pair} {lang}".rstrip()
        self.decoder = decoder
        self._texts = [indexed.read(split.prefix(place, lang)) for place in split.parts]
        self._begins = list(accumulate(map(len, self._texts), initial=0))

    def __len__(self) -> int:
        return self._begins[-1]

    def blocks(self) -> Iterator[tuple[NDArray, NDArray[np.int32]]]:
        """Yield the tokens and the sizes of some segments at a time."""
        for text in self._texts:
            begin = 0
            for start in range(0, len(text), _BLOCK):
                sizes = np.asarray(text.sizes[start : start + _BLOCK])
                end = begin + int(sizes.sum(dtype=np.int64))
                yield np.asarray(text.tokens[begin:end]), sizes
                begin = end

    def tokens(self, numbers: NDArray[np.int64]) -> NDArray:
        """Return the tokens of segments given by their numbers."""
        places = np.searchsorted(self._begins, numbers, side="right") - 1
        segments = [np.empty(0, np.int64)]
        for place, number in zip(places.tolist(), numbers.tolist(), strict=True):
            segments.append(self._texts[place][number - self._begins[place]])
        return np.concatenate(segments)

    def sample(self, count: int) -> Iterator[str]:
        """Yield the text of ``count`` segments at a regular stride, some at a time."""
        for start in range(0, count, _BLOCK):
            chosen = np.arange(start, min(start + _BLOCK, count))
            yield self.decoder.text(self.tokens(chosen * len(self) // count))

    def figures(self) -> SideFigures:
        """Count segments, tokens and words.

        Raises:
            ValueError: if a token is beyond the dictionary or a segment has not even its end.
        """
        counts, lengths = np.zeros(len(self.decoder), np.int64), np.zeros(1, np.int64)
        for tokens, sizes in self.blocks():
            if tokens.max() >= len(counts) or sizes.min() < 1:
                raise ValueError(
                    f"{self.name}: damaged (a segment without its end, or token {tokens.max()}, while the dictionary "
                    f"ends at {len(counts) - 1}); see `python -m data_prep verify`"
                )
            found = np.bincount(tokens, minlength=len(counts))
            counts += found
            lengths = _sum(lengths, np.bincount(sizes - 1))
        return SideFigures(
            segments=len(self),
            tokens=int(counts.sum() - counts[END]),
            unknown=int(counts[UNKNOWN]),
            words=int(counts[self.decoder.starts_word].sum()),
            lengths=lengths,
        )


def inspect(folder: Path, *, sample: int, seed: int) -> list[PairFigures]:
    """Compute the figures of every language pair in a folder.

    Args:
        folder: binarised data, as ``prepare`` writes them, or text in one language from ``fairseq-preprocess``.
        sample: how many training segments are compared with the other splits, at a regular stride; 0 for all.
        seed: of the choice of examples.

    Raises:
        ValueError: if the folder holds no binarised training data, or data that cannot be read.
    """
    splits: dict[str, dict[str, Split]] = {}
    for split in find_splits(folder) if folder.is_dir() else []:
        splits.setdefault(split.pair, {})[split.name] = split
    if not splits:
        raise ValueError(f"{folder}: no binarised data; expected a folder that prepare has written")
    return [_inspect_pair(folder, pair, found, sample, seed) for pair, found in splits.items()]


def _inspect_pair(folder: Path, pair: str, splits: dict[str, Split], sample: int, seed: int) -> PairFigures:
    if "train" not in splits:
        raise ValueError(
            f"{folder}: no training data of {pair or 'its text'}; expected {'train.' + pair}*.bin and .idx"
        )
    model = folder / "spm.model"
    subwords = model.is_file()
    langs = splits["train"].langs
    dictionaries = {lang: dictionary(splits["train"].folders[0], lang) for lang in langs}
    decoders = {lang: Decoder(path, model if subwords else None) for lang, path in dictionaries.items()}
    texts = {name: {lang: _Side(split, lang, decoders[lang]) for lang in langs} for name, split in splits.items()}
    for name, sides in texts.items():
        _require_aligned(folder, name, sides)
    figures = {name: {lang: side.figures() for lang, side in sides.items()} for name, sides in texts.items()}
    train = texts.pop("train")
    total = len(train[langs[0]])
    read = min(sample or total, total)
    coverage: dict[str, dict[str, list[Share]]] = {name: {} for name in texts}
    for lang in langs if texts else ():
        held_out = {name: sides[lang] for name, sides in texts.items()}
        for name, shares in _coverage(train[lang], held_out, read, subwords).items():
            coverage[name][lang] = shares
    return PairFigures(
        pair=pair,
        langs=langs,
        subwords=subwords,
        sides=figures,
        coverage=coverage,
        read=read,
        total=total,
        examples=_examples(train, seed),
    )


def _require_aligned(folder: Path, name: str, sides: dict[str, _Side]) -> None:
    if len(set(map(len, sides.values()))) > 1:
        counts = ", ".join(f"{lang} {len(side)}" for lang, side in sides.items())
        raise ValueError(
            f"{folder}: the sides of {name} differ in their segments ({counts}); see `python -m data_prep verify`"
        )


def _coverage(train: _Side, held_out: dict[str, _Side], read: int, subwords: bool) -> dict[str, list[Share]]:
    """Return what some training text holds of the n-grams of the other splits, in one language."""
    texts = {name: "".join(side.sample(len(side))) for name, side in held_out.items()}
    coverage = Coverage(texts, WORDS_AND_SIGNS if subwords else WORDS)
    with progress(train.name, "segments", read) as shown:
        for text in train.sample(read):
            coverage.show(text)
            shown.add(text.count("\n"))
    return {name: coverage.shares(name) for name in texts}


def _examples(train: dict[str, _Side], seed: int) -> dict[int, list[str]]:
    total = len(next(iter(train.values())))
    chosen = np.random.default_rng(seed).choice(total, size=min(EXAMPLES, total), replace=False)
    chosen.sort()
    texts = [side.decoder.lines(side.tokens(chosen)) for side in train.values()]
    return {number: list(lines) for number, *lines in zip(chosen.tolist(), *texts, strict=True)}


def _sum(first: NDArray[np.int64], second: NDArray[np.int64]) -> NDArray[np.int64]:
    """Add counts of which one may be shorter."""
    total = np.zeros(max(len(first), len(second)), np.int64)
    total[: len(first)] += first
    total[: len(second)] += second
    return total

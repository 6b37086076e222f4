"""The training text of a language pair on its way: cleaned in chunks, freed of repeats, dealt out to splits.

A chunk is done when its ``.json`` is there; a run that was killed goes on with the first one missing. What is in a
chunk depends on the text and the options alone, not on the number of workers or on kills.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep import dedupe
from data_prep.clean import normalise_with_rules
from data_prep.config import Corpus
from data_prep.detokenize import detokenizer
from data_prep.filters import Check, Filter
from data_prep.folder import written_whole
from data_prep.held_out import Context
from data_prep.tally import Tally

CHUNK = 20_000  # pairs read
CHUNK_CHARS = 16_000_000  # of both sides; a chunk of long lines ends earlier
VALID, NOWHERE = -1, -2
_EXAMPLES = 10


@dataclass(frozen=True)
class Cleaning:
    """What all chunks of a language pair share."""

    langs: tuple[str, str]
    filters: tuple[Filter, ...]
    context: Context

    def build(self) -> list[tuple[str, Check]]:
        """Make the filters that look at one pair at a time, by name, ready to be asked."""
        return [(check.name, check.build(self.context)) for check in self.filters if check.per_pair]

    @cached_property
    def checks(self) -> list[tuple[str, Check]]:
        """What :meth:`build` makes, once in each process."""
        return self.build()

    def __getstate__(self) -> dict[str, Any]:
        return {key: getattr(self, key) for key in ("langs", "filters", "context")}


@dataclass(frozen=True)
class RawChunk:
    """Pairs to be cleaned, and where they go: ``<prefix>.src``, ``.tgt``, ``.keys`` and ``.json``.

    ``tokenised`` tells of each pair whether it is to be detokenised.
    """

    prefix: Path
    pairs: list[tuple[str, str]]
    tokenised: list[bool]


def clean_chunk(cleaning: Cleaning, chunk: RawChunk) -> int:
    """Normalise and filter the pairs of a chunk and write what is left; returns how many were read."""
    tally, kept = Tally(), []
    restore = [detokenizer(lang) for lang in cleaning.langs] if any(chunk.tokenised) else []
    for (src, tgt), tokenised in zip(chunk.pairs, chunk.tokenised, strict=True):
        if tokenised:
            src, tgt = restore[0](src), restore[1](tgt)
        src, tgt = _normalised(src, tally), _normalised(tgt, tally)
        reason = next((name for name, drops in cleaning.checks if drops(src, tgt)), None)
        if reason:
            tally.drop(reason, src, tgt)
        else:
            kept.append((src, tgt))
    for suffix, side in (("src", 0), ("tgt", 1)):
        _file(chunk.prefix, suffix).write_text("".join(f"{pair[side]}\n" for pair in kept), "utf-8", newline="\n")
    _file(chunk.prefix, "keys").write_bytes(b"".join(dedupe.key(*pair) for pair in kept))
    facts = {"read": len(chunk.pairs), "kept": len(kept), "detokenized": sum(chunk.tokenised)}
    with written_whole(_file(chunk.prefix, "json")) as path:
        path.write_text(json.dumps({**facts, "tally": tally.to_json()}, ensure_ascii=False), encoding="utf-8")
    return len(chunk.pairs)


def _normalised(line: str, tally: Tally) -> str:
    cleaned, rules = normalise_with_rules(line)
    for rule in rules:
        tally.change(rule, line, cleaned)
    return cleaned


def raw_chunks(folder: Path, corpus: Corpus, triples: Iterable[tuple[str, str, str]]) -> Iterator[RawChunk]:
    """Yield the chunks of a corpus that are not done yet.

    Args:
        folder: where the chunks of this corpus go.
        corpus: for its labels.
        triples: source, target and label.
    """
    wanted = corpus.detokenize if isinstance(corpus.detokenize, tuple) else ()
    for number, part in enumerate(_portions(triples)):
        prefix = folder / f"{number:06d}"
        if not _file(prefix, "json").exists():
            tokenised = [corpus.detokenize is True or label in wanted for _, _, label in part]
            yield RawChunk(prefix, [(src, tgt) for src, tgt, _ in part], tokenised)


def _portions(triples: Iterable[tuple[str, str, str]]) -> Iterator[list[tuple[str, str, str]]]:
    """Cut the text into lists of ``CHUNK`` pairs or about ``CHUNK_CHARS`` characters, what comes first."""
    part, chars = [], 0
    for triple in triples:
        part.append(triple)
        chars += len(triple[0]) + len(triple[1])
        if len(part) == CHUNK or chars >= CHUNK_CHARS:
            yield part
            part, chars = [], 0
    if part:
        yield part


def finish(name: str, folder: Path) -> None:
    """Mark the chunks of a corpus as complete.

    Raises:
        ValueError: if no pair is left in them.
    """
    paths = _done(folder)
    if not any(_facts(path)["kept"] for path in paths):
        facts = [_facts(path) for path in paths]
        tally = sum((Tally.from_json(fact["tally"]) for fact in facts), Tally())
        dropped = {reason: found.count for reason, found in tally.dropped.items()}
        raise ValueError(
            f"{name}: no training pair is left of {sum(fact['read'] for fact in facts)}; dropped: {dropped}"
        )
    with written_whole(folder / "finished") as path:
        path.write_text(str(len(paths)))


def is_finished(folder: Path) -> bool:
    """Tell whether the chunks of a corpus are complete."""
    mark = folder / "finished"
    return mark.is_file() and mark.read_text() == str(len(_done(folder)))


def _facts(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _done(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.json"))


def _file(prefix: Path, suffix: str) -> Path:
    return prefix.with_name(f"{prefix.name}.{suffix}")


@dataclass(frozen=True)
class CleanedChunk:
    """What is left of a chunk: ``kept`` pairs. ``begin``: how many pairs are in the chunks before."""

    prefix: Path
    kept: int
    begin: int

    def __len__(self) -> int:
        return self.kept

    def facts(self) -> dict[str, Any]:
        """Read what is known of the chunk: pairs read, kept and detokenised, and the tally of its cleaning."""
        return _facts(_file(self.prefix, "json"))

    def pairs(self) -> list[tuple[str, str]]:
        """Read the text."""
        sides = [_file(self.prefix, suffix).read_text("utf-8").split("\n")[:-1] for suffix in ("src", "tgt")]
        return list(zip(*sides, strict=True))


@dataclass
class TrainingText:
    """The cleaned text of a language pair.

    Args:
        corpora: chunks by corpus, in order.
        first: of every pair whether it is the first of its kind, shape ``(pairs,)``.
        valid_every: see :class:`data_prep.config.PairOptions`.
        shards: see :class:`data_prep.config.DataConfig`.
    """

    corpora: list[list[CleanedChunk]]
    first: NDArray[np.bool_]
    valid_every: int
    shards: int

    @property
    def chunks(self) -> list[CleanedChunk]:
        """The chunks of all corpora."""
        return [chunk for corpus in self.corpora for chunk in corpus]

    @property
    def training_pairs(self) -> int:
        """How many pairs are for training."""
        kept = int(self.first.sum())
        return kept - (kept // self.valid_every if self.valid_every else 0)

    def check_sizes(self) -> None:
        """Check that every shard and the validation text get at least one pair.

        Raises:
            ValueError: if one does not.
        """
        kept = int(self.first.sum())
        if kept < self.valid_every:
            raise ValueError(f"valid.every: {self.valid_every}, but there are only {kept} training pairs")
        if self.training_pairs < self.shards:
            raise ValueError(f"shards: {self.shards}, but there are only {self.training_pairs} training pairs")

    def destinations(self) -> Iterator[tuple[CleanedChunk, NDArray[np.int16]]]:
        """Yield every chunk, and where each of its pairs goes: the number of a shard, ``VALID`` or ``NOWHERE``."""
        before = 0  # pairs kept so far
        for chunk in self.chunks:
            first = self.first[chunk.begin : chunk.begin + len(chunk)]
            rank = before + np.cumsum(first)  # the first pair that is kept has rank 1
            before += int(first.sum())
            every = self.valid_every
            shard = (rank - 1 - (rank // every if every else 0)) % self.shards
            goes = np.where(rank % every == 0, VALID, shard) if every else shard
            yield chunk, np.where(first, goes, NOWHERE).astype(np.int16)

    def sentences(self, at_most: int) -> Iterator[str]:
        """Yield training sentences of both sides, all (0) or ``at_most`` of them, pairs drawn evenly."""
        pairs, before = self.training_pairs, 0
        wanted = min(max(at_most // 2, 1), pairs) if at_most else pairs
        for chunk, goes in self.destinations():
            rank = before + np.cumsum(goes >= 0)
            before += int((goes >= 0).sum())
            drawn = (goes >= 0) & (rank * wanted // pairs != (rank - 1) * wanted // pairs)
            if drawn.any():
                for pair in compress(chunk.pairs(), drawn):
                    yield from pair

    def repeats(self, chunks: Sequence[CleanedChunk]) -> tuple[int, list[tuple[str, str]]]:
        """Return how many pairs of the chunks are repeats, and the first of them."""
        count, examples = 0, list[tuple[str, str]]()
        for chunk in chunks:
            again = np.flatnonzero(~self.first[chunk.begin : chunk.begin + len(chunk)])
            count += len(again)
            if len(again) and len(examples) < _EXAMPLES:
                pairs = chunk.pairs()
                examples += [pairs[index] for index in again[: _EXAMPLES - len(examples)]]
        return count, examples


def collect(folders: Sequence[Path], *, deduplicate: bool, valid_every: int, shards: int) -> TrainingText:
    """Put the chunks of all corpora together and mark what is repeated among them."""
    begin, corpora = 0, []
    for folder in folders:
        chunks = []
        for path in _done(folder):
            chunks.append(CleanedChunk(path.with_suffix(""), _facts(path)["kept"], begin))
            begin += len(chunks[-1])
        corpora.append(chunks)
    keys = [_file(chunk.prefix, "keys") for chunks in corpora for chunk in chunks]
    first = dedupe.first_occurrences(keys) if deduplicate else np.ones(begin, dtype=np.bool_)
    return TrainingText(corpora, first, valid_every, shards)

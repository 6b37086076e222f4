"""The ``data:`` part of an experiment file as frozen dataclasses that refuse values they cannot use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data_prep import filters
from data_prep.formats import PairSource

_PAIR = re.compile(r"([A-Za-z]{2,3}(?:_[A-Za-z]+)?)-([A-Za-z]{2,3}(?:_[A-Za-z]+)?)")
_TEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_DOWNLOADS = Path("downloads")


@dataclass(frozen=True)
class HubSource:
    """A split of a data set that the ``datasets`` library reads: a name on the hub, or a folder made with it."""

    hub: str
    split: str
    config: str = ""
    revision: str = ""


@dataclass(frozen=True)
class DatasetSplit:
    """``train``, ``valid`` or ``test`` of an entry of the catalogue (:mod:`data_prep.datasets`)."""

    dataset: str
    split: str


Source = PairSource | HubSource | DatasetSplit


@dataclass(frozen=True)
class Text:
    """Parallel text: what the sources hold, one after the other."""

    sources: tuple[Source, ...]


@dataclass(frozen=True)
class Corpus(Text):
    """Parallel training text.

    Args:
        labels: a file aligned with the text, with a label a line.
        detokenize: labels of the tokenised lines, or ``True`` when all lines are tokenised.
        name: what the report calls the corpus; found from its first file when missing.
    """

    labels: str = ""
    detokenize: tuple[str, ...] | bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.detokenize, tuple) and self.detokenize and not self.labels:
            raise ValueError(
                f"corpus {self.name or _name(self.sources[0])}: detokenize names labels, but there is no 'labels' "
                "file; give one, or detokenize: true for all lines"
            )
        if not self.name:
            object.__setattr__(self, "name", _name(self.sources[0]))


@dataclass(frozen=True)
class PairOptions:
    """All text of one language pair.

    Args:
        train: the training corpora.
        valid: validation text, or ``None`` where it is held out of the training text.
        valid_every: every so manieth training pair that the filters keep is for validation; 0 holds none out.
        tests: test sets by name.
    """

    train: tuple[Corpus, ...]
    valid: Text | None = None
    valid_every: int = 0
    tests: Mapping[str, Text] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train: expected at least one corpus, got none")
        if self.valid is None:
            _at_least("valid.every", self.valid_every, 2)
        for name in self.tests:
            if not _TEST_NAME.fullmatch(str(name)):
                raise ValueError(f"tests: {name!r} cannot name a folder; expected letters, digits, '.', '_' or '-'")

    @property
    def texts(self) -> list[Text]:
        """Training corpora, validation, tests."""
        return [*self.train, *([self.valid] if self.valid else []), *self.tests.values()]


@dataclass(frozen=True)
class SubwordOptions:
    """The joint SentencePiece model.

    Args:
        vocab_size: pieces, SentencePiece's three special ones included; small text may fill fewer.
        character_coverage: share of the characters of the text that get a piece of their own, in ``(0, 1]``.
        model_type: ``bpe`` or ``unigram``.
        byte_fallback: spell characters without a piece as bytes instead of the unknown symbol.
        sample_sentences: train on at most this many sentences, drawn evenly from all text; 0 takes all.
        user_symbols: pieces that are never cut, such as ``<sep>``.
    """

    vocab_size: int = 8000
    character_coverage: float = 1.0
    model_type: str = "bpe"
    byte_fallback: bool = False
    sample_sentences: int = 1_000_000
    user_symbols: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _at_least("subword.vocab_size", self.vocab_size, 8)
        if self.sample_sentences != 0 and self.sample_sentences <= 100:  # SentencePiece's own limit
            raise ValueError(
                f"subword.sample_sentences: expected 0 (all) or more than 100, got {self.sample_sentences}"
            )
        if not 0 < self.character_coverage <= 1:
            raise ValueError(
                f"subword.character_coverage: expected more than 0 and at most 1, got {self.character_coverage}"
            )
        if self.model_type not in ("bpe", "unigram"):
            raise ValueError(f"subword.model_type: expected 'bpe' or 'unigram', got {self.model_type!r}")
        reserved = {"<s>", "<pad>", "</s>", "<unk>"} & set(self.user_symbols)
        if reserved:
            raise ValueError(f"subword.user_symbols: {', '.join(sorted(reserved))} are fairseq's own; give other names")
        for symbol in self.user_symbols:
            if not symbol or symbol.split() != [symbol] or self.user_symbols.count(symbol) > 1:
                raise ValueError(f"subword.user_symbols: expected different words without white space, got {symbol!r}")


@dataclass(frozen=True)
class GrammarText:
    """Text that the embedded grammar writes to ``out`` before anything is read; numbers are in sentence pairs."""

    domain: str
    out: Path
    pairs: int
    valid_pairs: int = 0
    test_pairs: int = 0
    seed: int = 1


@dataclass(frozen=True)
class DataConfig:
    """Parallel data: the text of every language pair, how to clean it, how to cut it, where it goes.

    Args:
        out: the folder to make.
        pairs: text by language pair, such as ``en-de``; all have the same source language.
        downloads: where archives of the catalogue lie, or are downloaded to.
        seed: of the SentencePiece model.
        grammar: text to be written first.
        clean: the filters of the training text, in the order in which they are asked.
        shards: parts that the training text is dealt out to, pair by pair; fairseq reads one an epoch.
        workers: processes; the result does not depend on it.
    """

    out: Path
    pairs: Mapping[str, PairOptions]
    downloads: Path = _DOWNLOADS
    seed: int = 1
    grammar: tuple[GrammarText, ...] = ()
    clean: tuple[filters.Filter, ...] = filters.DEFAULT
    subword: SubwordOptions = field(default_factory=SubwordOptions)
    shards: int = 1
    workers: int = 1

    def __post_init__(self) -> None:
        _at_least("workers", self.workers, 1)
        _at_least("shards", self.shards, 1)
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed: expected 0 to {2**32 - 1}, got {self.seed}")
        if not self.pairs:
            raise ValueError("pairs: expected at least one language pair such as en-de, got none")
        sources = {split_pair(pair)[0] for pair in self.pairs}
        if len(sources) > 1:
            raise ValueError(
                f"pairs: all share one source language and its dictionary, got {', '.join(sorted(self.pairs))}"
            )

    @property
    def source_lang(self) -> str:
        return split_pair(next(iter(self.pairs)))[0]

    @property
    def target_langs(self) -> list[str]:
        return [split_pair(pair)[1] for pair in self.pairs]

    @property
    def languages(self) -> list[str]:
        """The source language, then the target languages in order."""
        return [self.source_lang, *self.target_langs]


@dataclass(frozen=True)
class MonolingualConfig:
    """Text of one language for language models, a token between every two spaces; see :class:`DataConfig`.

    Args:
        out: the folder to make.
        train: location of the training text; its words make the dictionary.
        valid: location of the validation text.
        test: location of the test text.
        dataset: an entry of the catalogue in place of the three.
        downloads: where archives of the catalogue lie, or are downloaded to.
        workers: processes.
    """

    out: Path
    train: str = ""
    valid: str = ""
    test: str = ""
    dataset: str = ""
    downloads: Path = _DOWNLOADS
    workers: int = 1

    def __post_init__(self) -> None:
        _at_least("workers", self.workers, 1)
        given = [self.train, self.valid, self.test]
        if bool(self.dataset) == any(given) or (any(given) and not all(given)):
            raise ValueError("text: expected the keys train, valid and test, or dataset alone")


Config = DataConfig | MonolingualConfig


def override(config: Config, *, out: Path | None = None, workers: int | None = None) -> Config:
    """Return the configuration with the values given on the command line."""
    changed = config if out is None else replace(config, out=out)
    return changed if workers is None else replace(changed, workers=workers)


def split_pair(pair: str) -> tuple[str, str]:
    """Split ``en-de`` into its languages.

    Raises:
        ValueError: if it does not look like that or both languages are the same.
    """
    match = _PAIR.fullmatch(str(pair))
    if not match or match[1] == match[2]:
        raise ValueError(f"pairs: {pair!r} is not a language pair; expected SRC-TGT with two languages, such as en-de")
    return match[1], match[2]


def _name(source: Source) -> str:
    """Name a corpus: by its folder where it is two plain files, else by what it is read from."""
    if isinstance(source, HubSource):
        return source.hub
    if isinstance(source, DatasetSplit):
        return source.dataset
    path = Path(source.files[0].split("::")[-1])
    return path.parent.name or path.stem


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")

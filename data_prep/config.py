"""The ``data:`` part of an experiment file as frozen dataclasses that refuse what they do not know."""

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml

CORPORA = "{corpora}/"
EXPERIMENT_KEYS = ("name", "data", "corpora_root", "train", "evaluate")
_PAIR = re.compile(r"([A-Za-z]{2,3}(?:_[A-Za-z]+)?)-([A-Za-z]{2,3}(?:_[A-Za-z]+)?)")
_TEST_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class TextPair:
    """Two aligned text files."""

    src: Path
    tgt: Path


@dataclass(frozen=True)
class Corpus(TextPair):
    """Two aligned training files.

    Args:
        labels: a third file, aligned too, with a label a line.
        detokenize: labels of the tokenised lines, or ``True`` when all lines are tokenised.
        name: what the report calls the corpus; the name of its folder when missing.
    """

    labels: Path | None = None
    detokenize: tuple[str, ...] | bool = False
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.detokenize, tuple) and self.detokenize and not self.labels:
            raise ValueError(
                f"corpus {self.src}: detokenize names labels, but there is no 'labels' file; "
                "give one, or detokenize: true for all lines"
            )
        if not self.name:
            object.__setattr__(self, "name", self.src.parent.name or self.src.stem)


@dataclass(frozen=True)
class PairOptions:
    """All text of one language pair."""

    train: tuple[Corpus, ...]
    valid: TextPair
    tests: Mapping[str, TextPair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.train:
            raise ValueError("train: expected at least one corpus, got none")
        for name in self.tests:
            if not _TEST_NAME.fullmatch(name):
                raise ValueError(f"tests: {name!r} cannot name a folder; expected letters, digits, '.', '_' or '-'")

    @property
    def texts(self) -> list[TextPair]:
        """Every pair of files: training corpora, validation, tests."""
        return [*self.train, self.valid, *self.tests.values()]


@dataclass(frozen=True)
class CleanOptions:
    """Filters of the training text. ``max_words`` counts words a side, ``max_ratio`` the longer side by the shorter."""

    max_words: int = 100
    max_ratio: float = 3.0
    deduplicate: bool = True
    drop_test_overlap: bool = True

    def __post_init__(self) -> None:
        _at_least("clean.max_words", self.max_words, 1)
        _at_least("clean.max_ratio", self.max_ratio, 1)


@dataclass(frozen=True)
class SubwordOptions:
    """The joint SentencePiece model.

    Args:
        vocab_size: pieces, SentencePiece's three special ones included; small text may fill fewer.
        character_coverage: share of the characters of the text that get a piece of their own, in ``(0, 1]``.
        model_type: ``bpe`` or ``unigram``.
        byte_fallback: spell characters without a piece as bytes instead of the unknown symbol.
        sample_sentences: train on this many sentences drawn by the seed; 0 takes all.
    """

    vocab_size: int = 8000
    character_coverage: float = 1.0
    model_type: str = "bpe"
    byte_fallback: bool = False
    sample_sentences: int = 0

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
    """What ``prepare`` makes: the text of every language pair, how to clean it, how to cut it, where it goes."""

    out: Path
    pairs: Mapping[str, PairOptions]
    seed: int = 1
    grammar: tuple[GrammarText, ...] = ()
    clean: CleanOptions = field(default_factory=CleanOptions)
    subword: SubwordOptions = field(default_factory=SubwordOptions)
    workers: int = 1

    def __post_init__(self) -> None:
        _at_least("workers", self.workers, 1)
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

    def input_files(self) -> list[Path]:
        """Every text file that is read, without repeats, in order."""
        texts = [text for options in self.pairs.values() for text in options.texts]
        found = [path for text in texts for path in (text.src, text.tgt, getattr(text, "labels", None)) if path]
        return list(dict.fromkeys(found))


def split_pair(pair: str) -> tuple[str, str]:
    """Split ``en-de`` into its languages.

    Raises:
        ValueError: if it does not look like that or both languages are the same.
    """
    match = _PAIR.fullmatch(str(pair))
    if not match or match[1] == match[2]:
        raise ValueError(f"pairs: {pair!r} is not a language pair; expected SRC-TGT with two languages, such as en-de")
    return match[1], match[2]


def load(path: Path, corpora: Path | None = None) -> DataConfig:
    """Read the ``data:`` part of an experiment file.

    Args:
        path: the YAML file.
        corpora: what ``{corpora}/`` stands for; overrides ``corpora_root`` in the file.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not YAML, or a key or value in it is not understood; the message says which.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such configuration file")
    try:
        experiment = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not readable as YAML: {error}") from error
    if not isinstance(experiment, dict) or not isinstance(experiment.get("data"), dict):
        raise ValueError(f"{path}: expected a mapping with a 'data:' mapping in it")
    for key in experiment:
        if key not in EXPERIMENT_KEYS:
            raise ValueError(f"{path}: unknown key {key!r}; known keys: {', '.join(EXPERIMENT_KEYS)}")
    data = dict(experiment["data"])
    if not data.get("out"):
        name = experiment.get("name")
        if not name:
            raise ValueError(f"{path}: 'data.out' is missing, and so is the 'name' to derive runs/NAME/data from")
        data["out"] = f"runs/{name}/data"
    root = corpora or (Path(str(experiment["corpora_root"])) if experiment.get("corpora_root") else None)
    try:
        return parse(data, root)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse(data: Mapping[str, Any], corpora: Path | None = None) -> DataConfig:
    """Make the configuration of a ``data:`` mapping; see :func:`load`."""
    return _Parser(corpora).data(data)


def override(config: DataConfig, *, out: Path | None = None, workers: int | None = None) -> DataConfig:
    """Return the configuration with the values given on the command line."""
    changes: dict[str, Any] = {"out": out, "workers": workers}
    return replace(config, **{key: value for key, value in changes.items() if value is not None})


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, where the plain loader keeps the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class _Parser:
    """Builds the dataclasses from plain mappings; knows what ``{corpora}/`` stands for."""

    corpora: Path | None

    def data(self, data: Mapping[str, Any]) -> DataConfig:
        values = _checked(DataConfig, data, "data")
        pairs = _mapping(values["pairs"], "data.pairs")
        values["pairs"] = {pair: self.pair(options, f"data.pairs.{pair}") for pair, options in pairs.items()}
        values["out"] = self.path(values["out"], "data.out")
        values["grammar"] = tuple(
            self.grammar(text, f"data.grammar[{index}]")
            for index, text in enumerate(_list(values.get("grammar") or [], "data.grammar"))
        )
        for key, kind in (("clean", CleanOptions), ("subword", SubwordOptions)):
            values[key] = kind(**_checked(kind, _mapping(values.get(key) or {}, f"data.{key}"), f"data.{key}"))
        return DataConfig(**values)

    def pair(self, options: Any, where: str) -> PairOptions:
        values = _checked(PairOptions, _mapping(options, where), where)
        train = _list(values["train"], f"{where}.train")
        tests = _mapping(values.get("tests") or {}, f"{where}.tests")
        return PairOptions(
            train=tuple(self.corpus(corpus, f"{where}.train[{index}]") for index, corpus in enumerate(train)),
            valid=TextPair(**self.text(TextPair, values["valid"], f"{where}.valid")),
            tests={
                name: TextPair(**self.text(TextPair, text, f"{where}.tests.{name}")) for name, text in tests.items()
            },
        )

    def corpus(self, corpus: Any, where: str) -> Corpus:
        values = self.text(Corpus, corpus, where)
        detokenize = values.get("detokenize", False)
        if not isinstance(detokenize, bool):
            values["detokenize"] = tuple(str(label) for label in _list(detokenize, f"{where}.detokenize"))
        return Corpus(**values)

    def text(self, kind: type, text: Any, where: str) -> dict[str, Any]:
        values = _checked(kind, _mapping(text, where), where)
        for key in ("src", "tgt", "labels"):
            if values.get(key) is not None:
                values[key] = self.path(values[key], f"{where}.{key}")
        return values

    def grammar(self, text: Any, where: str) -> GrammarText:
        values = _checked(GrammarText, _mapping(text, where), where)
        return GrammarText(**{**values, "out": self.path(values["out"], f"{where}.out")})

    def path(self, value: Any, where: str) -> Path:
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError(f"{where}: expected a path, got {value!r}")
        if not str(value).startswith(CORPORA):
            return Path(value)
        if self.corpora is None:
            raise ValueError(
                f"{where}: {value} needs the corpora folder; give --corpora DIR or corpora_root in the file"
            )
        return self.corpora / str(value).removeprefix(CORPORA)


def _checked(kind: type, mapping: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the mapping when its keys are fields of the dataclass, plain values have the field's type, none lacks."""
    known = {spec.name: spec for spec in fields(kind)}
    for key in mapping:
        if key not in known:
            raise ValueError(f"{where}: unknown key {key!r}; known keys: {', '.join(known)}")
    for name, spec in known.items():
        if spec.default is MISSING and spec.default_factory is MISSING and mapping.get(name) is None:
            raise ValueError(f"{where}: the key {name!r} is missing")
    for key, value in mapping.items():
        _check_type(known[key].type, value, f"{where}.{key}")
    return dict(mapping)


def _check_type(kind: Any, value: Any, where: str) -> None:
    """Check numbers, switches and words; paths and nested parts are checked where they are made."""
    accepted: tuple[type, ...] = {int: (int,), float: (int, float), bool: (bool,), str: (str,)}.get(kind, (object,))
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind in (int, float)):
        raise ValueError(f"{where}: expected {kind.__name__}, got {value!r}")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{where}: expected a mapping, got {value!r}")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list | tuple):
        raise ValueError(f"{where}: expected a list, got {value!r}")
    return list(value)


def _at_least(name: str, value: float, least: float) -> None:
    if value < least:
        raise ValueError(f"{name}: expected at least {least}, got {value}")

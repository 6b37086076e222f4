"""Reading the ``data:`` part of an experiment file; keys and values that are not understood are refused by name."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from data_prep import filters
from data_prep.config import (
    Config,
    Corpus,
    DataConfig,
    DatasetSplit,
    GrammarText,
    HubSource,
    MonolingualConfig,
    PairOptions,
    Source,
    SubwordOptions,
    Text,
)
from data_prep.datasets import find
from data_prep.formats import PairSource

CORPORA = "{corpora}/"
EXPERIMENT_KEYS = ("name", "data", "corpora_root", "train", "evaluate")


def load(path: Path, corpora: Path | None = None, out: Path | None = None) -> Config:
    """Read the ``data:`` part of an experiment file.

    Args:
        path: the YAML file.
        corpora: what ``{corpora}/`` stands for; overrides ``corpora_root`` in the file.
        out: overrides ``data.out``.

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
    if out is not None:
        data["out"] = str(out)
    elif not data.get("out"):
        name = experiment.get("name")
        if not name:
            raise ValueError(f"{path}: 'data.out' is missing, and so is the 'name' to derive runs/NAME/data from")
        data["out"] = f"runs/{name}/data"
    root = corpora or (Path(str(experiment["corpora_root"])) if experiment.get("corpora_root") else None)
    try:
        return parse(data, root)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def parse(data: Mapping[str, Any], corpora: Path | None = None) -> Config:
    """Make the configuration of a ``data:`` mapping; see :func:`load`. With ``text:`` it is a monolingual one."""
    parser = _Parser(corpora)
    return parser.monolingual(data) if "text" in data else parser.parallel(data)


class _Loader(yaml.SafeLoader):
    """YAML that refuses a key given twice, where the plain loader keeps the last one silently."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        merged = "tag:yaml.org,2002:merge"  # of `<<: *other`
        given = [key for key, _ in node.value if key.tag != merged]
        keys = [self.construct_object(key, deep=True) for key in given]  # type: ignore[no-untyped-call]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.constructor.ConstructorError(None, None, f"the key {twice!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep)


@dataclass(frozen=True)
class _Parser:
    """Builds the dataclasses from plain mappings; knows what ``{corpora}/`` stands for."""

    corpora: Path | None

    def parallel(self, data: Mapping[str, Any]) -> DataConfig:
        values = _checked(DataConfig, data, "data")
        pairs = _mapping(values["pairs"], "data.pairs")
        values["pairs"] = {pair: self.pair(options, f"data.pairs.{pair}") for pair, options in pairs.items()}
        self.make_paths(values, "data")
        values["grammar"] = tuple(
            self.grammar(text, f"data.grammar[{index}]")
            for index, text in enumerate(_list(values.get("grammar") or [], "data.grammar"))
        )
        if values.get("clean") is not None:
            values["clean"] = filters.parse(_list(values["clean"], "data.clean"))
        else:
            values.pop("clean", None)
        values["subword"] = self.subword(values.get("subword") or {})
        return DataConfig(**values)

    def monolingual(self, data: Mapping[str, Any]) -> MonolingualConfig:
        text = _mapping(data["text"], "data.text")
        for key in text:
            if key not in ("train", "valid", "test", "dataset"):
                raise ValueError(f"data.text: unknown key {key!r}; known keys: train, valid, test, dataset")
        for key in data:
            if key not in ("text", "out", "downloads", "workers"):
                raise ValueError(f"data: unknown key {key!r} beside 'text'; known keys: text, out, downloads, workers")
        splits = {key: text[key] if key == "dataset" else self.location(text[key], f"data.text.{key}") for key in text}
        values = _checked(MonolingualConfig, {**{k: v for k, v in data.items() if k != "text"}, **splits}, "data")
        self.make_paths(values, "data")
        return MonolingualConfig(**values)

    def make_paths(self, values: dict[str, Any], where: str) -> None:
        for key in ("out", "downloads"):
            if key in values:
                values[key] = Path(self.location(values[key], f"{where}.{key}"))

    def pair(self, options: Any, where: str) -> PairOptions:
        options = _mapping(options, where)
        if "dataset" in options:
            return self.dataset(options, where)
        values = _checked(_Pair, options, where)
        train = _list(values["train"], f"{where}.train")
        tests = _mapping(values.get("tests") or {}, f"{where}.tests")
        valid = _mapping(values["valid"], f"{where}.valid")
        every = _checked(_Every, valid, f"{where}.valid")["every"] if "every" in valid else 0
        return PairOptions(
            train=tuple(self.corpus(corpus, f"{where}.train[{index}]") for index, corpus in enumerate(train)),
            valid=None if "every" in valid else self.text(valid, "valid", f"{where}.valid"),
            valid_every=every,
            tests={str(name): self.text(text, "test", f"{where}.tests.{name}") for name, text in tests.items()},
        )

    def dataset(self, options: Mapping[str, Any], where: str) -> PairOptions:
        """Take all of a data set: its training, validation and test text."""
        dataset = find(_checked(_Dataset, options, where)["dataset"])

        def split(name: str) -> tuple[DatasetSplit]:
            return (DatasetSplit(dataset.name, name),)

        tests = {name: Text(split(name)) for name in dataset.tests}
        return PairOptions((Corpus(split("train")),), Text(split("valid")), tests=tests)

    def text(self, text: Any, split: str, where: str) -> Text:
        return Text(self.sources(_mapping(text, where), split, where))

    def corpus(self, corpus: Any, where: str) -> Corpus:
        about = {}
        corpus = dict(_mapping(corpus, where))
        for key in ("labels", "detokenize", "name"):
            if corpus.get(key) is not None:
                about[key] = corpus[key]
            corpus.pop(key, None)
        if "labels" in about:
            about["labels"] = self.location(about["labels"], f"{where}.labels")
        if "detokenize" in about and not isinstance(about["detokenize"], bool):
            about["detokenize"] = tuple(map(str, _list(about["detokenize"], f"{where}.detokenize")))
        try:
            return Corpus(self.sources(corpus, "train", where), **about)
        except ValueError as error:
            if "known keys:" not in str(error):
                raise
            raise ValueError(f"{error}, labels, detokenize, name") from error

    def sources(self, text: Mapping[str, Any], split: str, where: str) -> tuple[Source, ...]:
        """Read the sources of a text: ``src`` and ``tgt``, or ``file``, or ``hub``, or ``dataset``."""
        if "hub" in text:
            return (HubSource(**_checked(HubSource, text, where)),)
        if "dataset" in text:
            return (DatasetSplit(**_checked(DatasetSplit, {"split": split, **text}, where)),)
        if "file" in text:
            values = _checked(_OneFile, text, where)
            files = [[self.location(file, f"{where}.file")] for file in _one_or_more(values.pop("file"))]
            if not files:
                raise ValueError(f"{where}.file: expected at least one file, got none")
        else:
            values = _checked(_TwoFiles, text, where)
            sides = [
                [self.location(file, f"{where}.{side}") for file in _one_or_more(values.pop(side))]
                for side in ("src", "tgt")
            ]
            if not all(sides) or len(sides[0]) != len(sides[1]):
                counts = f"src names {len(sides[0])} files and tgt {len(sides[1])}"
                raise ValueError(f"{where}: {counts}; expected as many, and at least one")
            files = [list(pair) for pair in zip(*sides, strict=True)]
        if values.get("columns") is not None:
            values["columns"] = _columns(values["columns"], f"{where}.columns")
        return tuple(PairSource(files=tuple(names), **values) for names in files)

    def subword(self, options: Any) -> SubwordOptions:
        values = _checked(SubwordOptions, _mapping(options, "data.subword"), "data.subword")
        if "user_symbols" in values:
            values["user_symbols"] = tuple(map(str, _list(values["user_symbols"], "data.subword.user_symbols")))
        return SubwordOptions(**values)

    def grammar(self, text: Any, where: str) -> GrammarText:
        values = _checked(GrammarText, _mapping(text, where), where)
        return GrammarText(**{**values, "out": Path(self.location(values["out"], f"{where}.out"))})

    def location(self, value: Any, where: str) -> str:
        if not isinstance(value, str | Path) or not str(value):
            raise ValueError(f"{where}: expected a path, got {value!r}")
        if not str(value).startswith(CORPORA):
            return str(value)
        if self.corpora is None:
            raise ValueError(
                f"{where}: {value} needs the corpora folder; give --corpora DIR or corpora_root in the file"
            )
        return str(self.corpora / str(value).removeprefix(CORPORA))


@dataclass(frozen=True)
class _Pair:
    train: Any
    valid: Any
    tests: Any = None


@dataclass(frozen=True)
class _TwoFiles:
    src: Any
    tgt: Any
    format: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class _OneFile:
    file: Any
    format: str | None = None
    columns: Any = None
    reference: str | None = None


@dataclass(frozen=True)
class _Every:
    every: int


@dataclass(frozen=True)
class _Dataset:
    dataset: str


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


def _one_or_more(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _columns(value: Any, where: str) -> tuple[str, str]:
    columns = [str(column) for column in _list(value, where)]
    if len(columns) != 2:
        raise ValueError(f"{where}: expected two, of source and target, got {value!r}")
    return columns[0], columns[1]

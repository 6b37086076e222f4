"""The filters that clean training text, and how an experiment file names them.

A filter is asked about normalised pairs; the first one that drops a pair is the reason that is counted. Its fields are
what an experiment file may set.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from data_prep.held_out import Context, fold
from data_prep.language import base, identifier, script_share

Check = Callable[[str, str], bool]
"""Takes source and target; ``True`` drops the pair."""


@dataclass(frozen=True)
class Filter(ABC):
    """A reason to drop pairs. ``per_pair`` is False where the answer depends on the pairs before."""

    name: ClassVar[str]
    per_pair: ClassVar[bool] = True

    @abstractmethod
    def build(self, context: Context) -> Check:
        """Make the function that is asked about every pair."""

    def spec(self) -> dict[str, dict[str, Any]]:
        """Return the filter as :func:`parse` reads it, all fields set."""
        return {self.name: {spec.name: _plain(getattr(self, spec.name)) for spec in fields(self)}}

    def _at_least(self, name: str, least: float) -> None:
        value = getattr(self, name)
        if not (math.isfinite(value) and value >= least):
            raise ValueError(f"{self.name}.{name}: expected at least {least}, got {value}")


@dataclass(frozen=True)
class Empty(Filter):
    """Drop pairs with an empty side."""

    name = "empty"

    def build(self, context: Context) -> Check:
        return lambda src, tgt: not (src and tgt)


@dataclass(frozen=True)
class Length(Filter):
    """Drop pairs with a side that is too short or too long, in words or characters; a maximum of 0 is no limit."""

    name = "length"
    min_words: int = 1
    max_words: int = 100
    min_chars: int = 1
    max_chars: int = 0

    def __post_init__(self) -> None:
        for unit in ("words", "chars"):
            self._at_least(f"min_{unit}", 0)
            self._at_least(f"max_{unit}", 0)
            least, most = getattr(self, f"min_{unit}"), getattr(self, f"max_{unit}")
            if 0 < most < least:
                raise ValueError(
                    f"length.max_{unit}: expected 0 (no limit) or at least min_{unit} = {least}, got {most}"
                )

    def build(self, context: Context) -> Check:
        min_words, max_words = self.min_words, self.max_words or math.inf
        min_chars, max_chars = self.min_chars, self.max_chars or math.inf

        def fits(side: str) -> bool:
            return min_chars <= len(side) <= max_chars and min_words <= _words(side) <= max_words

        return lambda src, tgt: not (fits(src) and fits(tgt))


@dataclass(frozen=True)
class Ratio(Filter):
    """Drop pairs whose longer side has more than ``max`` times the words, or ``max_chars`` times the characters.

    A ``max_chars`` of 0 does not look at the characters.
    """

    name = "ratio"
    max: float = 3.0
    max_chars: float = 0.0

    def __post_init__(self) -> None:
        self._at_least("max", 1)
        if self.max_chars != 0:
            self._at_least("max_chars", 1)

    def build(self, context: Context) -> Check:
        max_words, max_chars = self.max, self.max_chars

        def drops(src: str, tgt: str) -> bool:
            return _apart(_words(src), _words(tgt), max_words) or (
                max_chars != 0 and _apart(len(src), len(tgt), max_chars)
            )

        return drops


def _words(side: str) -> int:
    """Count the words; in a normalised text there is one plain space between two of them."""
    return side.count(" ") + 1 if side else 0


def _apart(one: int, other: int, ratio: float) -> bool:
    return one > ratio * other or other > ratio * one


@dataclass(frozen=True)
class Identical(Filter):
    """Drop pairs with the same text on both sides; ``fold``: also where only case, spaces or punctuation differ."""

    name = "identical"
    fold: bool = False

    def build(self, context: Context) -> Check:
        if not self.fold:
            return lambda src, tgt: src == tgt
        return lambda src, tgt: src == tgt or fold(src) == fold(tgt) != ""


@dataclass(frozen=True)
class Script(Filter):
    """Drop pairs with a side that has less than ``min_share`` of its letters in a script of its language."""

    name = "script"
    min_share: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.min_share <= 1:
            raise ValueError(f"script.min_share: expected more than 0 and at most 1, got {self.min_share}")

    def build(self, context: Context) -> Check:
        min_share = self.min_share
        src_share, tgt_share = map(script_share, context.langs)
        return lambda src, tgt: src_share(src) < min_share or tgt_share(tgt) < min_share


@dataclass(frozen=True)
class Language(Filter):
    """Drop pairs with a side of at least ``min_chars`` characters that looks like another language of ``candidates``.

    Takes about 0.1 ms a side. The languages of the pair are always candidates.
    """

    name = "language"
    min_chars: int = 40
    candidates: tuple[str, ...] = ("cs", "da", "de", "en", "es", "fi", "fr", "it", "nl", "pl", "pt", "ru", "sv")

    def __post_init__(self) -> None:
        self._at_least("min_chars", 1)

    def build(self, context: Context) -> Check:
        min_chars = self.min_chars
        src_lang, tgt_lang = map(base, context.langs)
        identify = identifier(frozenset({src_lang, tgt_lang, *self.candidates}))

        def drops(src: str, tgt: str) -> bool:
            return (len(src) >= min_chars and identify(src) != src_lang) or (
                len(tgt) >= min_chars and identify(tgt) != tgt_lang
            )

        return drops


@dataclass(frozen=True)
class TestOverlap(Filter):
    """Drop pairs with a side that is a test segment; ``fold``: also if only case, spaces or punctuation differ.

    Segments with fewer than ``min_chars`` letters and digits have to be equal character by character.
    """

    __test__ = False  # pytest takes it for a test otherwise
    name = "test_overlap"
    fold: bool = True
    min_chars: int = 10

    def __post_init__(self) -> None:
        self._at_least("min_chars", 1)

    def build(self, context: Context) -> Check:
        sources, targets = context.held_out
        if not self.fold:
            return lambda src, tgt: sources.holds(src) or targets.holds(tgt)
        min_chars = self.min_chars

        def drops(src: str, tgt: str) -> bool:
            return (
                sources.holds(src)
                or targets.holds(tgt)
                or sources.holds_folded(src, min_chars)
                or targets.holds_folded(tgt, min_chars)
            )

        return drops


@dataclass(frozen=True)
class Duplicate(Filter):
    """Drop pairs that came before, both sides equal.

    A pair alone never is a repeat: :mod:`data_prep.dedupe` finds them when all other filters have been asked.
    """

    name = "duplicate"
    per_pair = False

    def build(self, context: Context) -> Check:
        return lambda src, tgt: False


FILTERS: dict[str, type[Filter]] = {
    kind.name: kind for kind in (Empty, Length, Ratio, Identical, Script, Language, TestOverlap, Duplicate)
}
"""All filters by name."""

DEFAULT: tuple[Filter, ...] = (Empty(), Length(), Ratio(), TestOverlap(), Duplicate())
"""What is asked where an experiment file names no filters."""


def parse(specs: Iterable[Any], where: str = "data.clean") -> tuple[Filter, ...]:
    """Make the filters of a list as YAML has it.

    Args:
        specs: names (``empty``) and mappings of one name to its fields (``{length: {max_words: 80}}``).
        where: what an error message calls the list.

    Raises:
        ValueError: if a filter, a field or a value is not understood, a filter is given twice, or ``duplicate`` is not
            the last one; the message says where and what is known.
    """
    found: dict[str, Filter] = {}
    for index, spec in enumerate(specs):
        made = _parse_one(spec, f"{where}[{index}]")
        if made.name in found:
            raise ValueError(f"{where}[{index}]: the filter {made.name!r} is given twice")
        found[made.name] = made
    not_last = next((name for name in list(found)[:-1] if not found[name].per_pair), None)
    if not_last:
        raise ValueError(f"{where}: the filter {not_last!r} must come last, after {list(found)[-1]!r}")
    return tuple(found.values())


def _parse_one(spec: Any, where: str) -> Filter:
    if isinstance(spec, str):
        spec = {spec: None}
    if not isinstance(spec, Mapping) or len(spec) != 1:
        raise ValueError(f"{where}: expected a name such as empty or {{length: {{max_words: 80}}}}, got {spec!r}")
    ((name, values),) = spec.items()
    if name not in FILTERS:
        raise ValueError(f"{where}: unknown filter {name!r}; known filters: {', '.join(FILTERS)}")
    if not isinstance(values, Mapping | None):
        raise ValueError(f"{where}.{name}: expected a mapping, got {values!r}")
    kinds = {spec.name: spec.type for spec in fields(FILTERS[name])}
    for key in values or {}:
        if key not in kinds:
            known = f"known fields: {', '.join(kinds)}" if kinds else "this filter has no fields"
            raise ValueError(f"{where}.{name}: unknown field {key!r}; {known}")
    checked = {key: _checked(kinds[key], value, f"{where}.{name}.{key}") for key, value in (values or {}).items()}
    try:
        return FILTERS[name](**checked)
    except ValueError as error:
        raise ValueError(f"{where}.{error}") from error


def _checked(kind: Any, value: Any, where: str) -> Any:
    """Return the value of a field when it has the right type; a list of words as a tuple."""
    if kind not in (int, float, bool):
        if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
            raise ValueError(f"{where}: expected a list of words, got {value!r}")
        return tuple(value)
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise ValueError(f"{where}: expected {kind.__name__}, got {value!r}")
    return kind(value)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value

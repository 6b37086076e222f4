"""Counts of what cleaning did, with the first examples of each kind; those of parts add up to those of the whole."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from data_prep.clean import RULES
from data_prep.filters import Filter

_EXAMPLES = 10
_EXAMPLE_CHARS = 200

Example = tuple[str, str]


@dataclass
class Found:
    """How often something was found, and the first examples."""

    count: int = 0
    examples: list[Example] = field(default_factory=list)

    def add(self, one: str, other: str) -> None:
        """Count one more; long text is cut in the example."""
        self.count += 1
        if len(self.examples) < _EXAMPLES:
            self.examples.append((one[:_EXAMPLE_CHARS], other[:_EXAMPLE_CHARS]))

    def __add__(self, later: "Found") -> "Found":
        return Found(self.count + later.count, (self.examples + later.examples)[:_EXAMPLES])


@dataclass
class Tally:
    """What the filters dropped, by filter, and what the normalisation changed, by rule.

    ``Tally() + first + second`` is the tally of the text of ``first`` followed by that of ``second``.
    """

    dropped: dict[str, Found] = field(default_factory=dict)
    changed: dict[str, Found] = field(default_factory=dict)

    def drop(self, reason: str, src: str, tgt: str) -> None:
        """Count a pair that a filter dropped."""
        self.dropped.setdefault(reason, Found()).add(src, tgt)

    def change(self, rule: str, before: str, after: str) -> None:
        """Count a line that a rule of the normalisation changed; one may be counted under several rules."""
        self.changed.setdefault(rule, Found()).add(before, after)

    def __add__(self, later: "Tally") -> "Tally":
        return Tally(_merged(self.dropped, later.dropped), _merged(self.changed, later.changed))

    def to_json(self) -> dict[str, Any]:
        """Return it as plain data for :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Self:
        """Make it of what :meth:`to_json` gave, or of that after a round trip through JSON."""
        return cls(*(_read(data[kind]) for kind in ("dropped", "changed")))

    def report(self, filters: Iterable[Filter], found_later: Mapping[str, tuple[int, list[Example]]]) -> dict[str, Any]:
        """Return counts and examples, zeros too: ``dropped``, ``dropped_examples``, ``changed``, ``changed_examples``.

        Args:
            filters: those that were asked; the order of the report.
            found_later: count and examples of filters that were not asked pair by pair.
        """
        later = {name: Found(count, examples) for name, (count, examples) in found_later.items()}
        known = _merged(self.dropped, later)
        dropped = {check.name: known.get(check.name, Found()) for check in filters}
        changed = {name: self.changed.get(name, Found()) for name in RULES}
        report: dict[str, Any] = {}
        for kind, found in (("dropped", dropped), ("changed", changed)):
            report[kind] = {name: one.count for name, one in found.items()}
            report[f"{kind}_examples"] = {name: one.examples for name, one in found.items() if one.examples}
        return report


def _merged(found: Mapping[str, Found], later: Mapping[str, Found]) -> dict[str, Found]:
    return {name: found.get(name, Found()) + later.get(name, Found()) for name in {**found, **later}}


def _read(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Found]:
    return {
        name: Found(one["count"], [(first, second) for first, second in one["examples"]]) for name, one in found.items()
    }

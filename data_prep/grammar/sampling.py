"""Random choices that both registers share: weighted lemmas, noun phrases and adjuncts that make sense together."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import accumulate
from random import Random
from typing import Literal, TypeVar

from data_prep.grammar import lexicon
from data_prep.grammar.lexicon import Adjective, Adverb, Noun, Verb
from data_prep.grammar.syntax import NP, PP, Adjunct, Determiner, Phrase, Tense

Register = Literal["chamber", "talk"]
Entry = TypeVar("Entry", Noun, Verb, Adjective, Adverb)

# How often a lemma of the table's register (chamber, both, talk) is drawn.
_WEIGHTS: dict[str, dict[str, float]] = {
    "chamber": {"c": 1.0, "b": 0.8, "t": 0.15},
    "talk": {"c": 0.03, "b": 0.7, "t": 1.0},
}
_OWNED_ISSUES = {
    "problem",
    "situation",
    "interest",
    "security",
    "freedom",
    "success",
    "mistake",
    "economy",
    "policy",
    "right",
}
_ABOUT = {"report", "statement", "debate", "conference", "negotiation", "article", "book", "letter", "document"}
_AGAINST = {"strategy", "measure", "law", "programme", "plan", "agreement"}
_RELATIONAL = {
    "new",
    "old",
    "young",
    "public",
    "political",
    "economic",
    "social",
    "national",
    "international",
    "regional",
}
_RELATIONAL |= {"European", "French", "German", "legal", "common", "modern"}
_CITIES = ("city", "region", "capital", "country")
_TENSE_KINDS: dict[str, tuple[str, ...]] = {
    "past": ("past",),
    "perfect": (),
    "present": ("now", "habit"),
    "future": ("future",),
}

PUNCTUAL = frozenset({"find", "lose", "receive", "forget", "arrive", "leave", "disappear", "give"})  # no progressive

Weighted = tuple[tuple[Entry, ...], tuple[float, ...]]


class Sampler:
    """Draws parts of sentences for a register."""

    def __init__(self, rng: Random, register: Register) -> None:
        self.rng = rng
        self.register: Register = register

    def chance(self, probability: float) -> bool:
        """Toss a coin."""
        return self.rng.random() < probability

    def pick(self, entries: Sequence[str], weights: Sequence[float] | None = None) -> str:
        """Draw one of some words."""
        return self.rng.choices(entries, weights)[0]

    def tense(self, *weighted: tuple[Tense, float]) -> Tense:
        """Draw a tense."""
        tenses, weights = zip(*weighted, strict=True)
        return self.rng.choices(tenses, weights)[0]

    def noun(self, tags: frozenset[str]) -> Noun:
        """Draw a noun of one of the classes."""
        return self._draw(_nouns(tags, self.register))

    def verb(self, frames: frozenset[str]) -> Verb:
        """Draw a verb with one of the frames."""
        return self._draw(_verbs(frames, self.register))

    def adjective(self, noun: Noun, *, before: bool | None = None) -> Adjective | None:
        """Draw an adjective that suits a noun, None if there is none."""
        pool = _adjectives(noun.tags, before, self.register)
        return self._draw(pool) if pool[0] else None

    def predicative(self, tags: frozenset[str]) -> Adjective | None:
        """Draw an adjective to be said of a noun of these classes; those of origin and topic only stand beside it."""
        pool = _adjectives(tags, None, self.register, True)
        return self._draw(pool) if pool[0] else None

    def adverb(self, kinds: frozenset[str]) -> Adverb:
        """Draw an adverb of one of the kinds."""
        return self._draw(_adverbs(kinds, self.register))

    def _draw(self, pool: "Weighted[Entry]") -> Entry:
        return self.rng.choices(pool[0], cum_weights=pool[1])[0]

    def noun_phrase(self, tags: frozenset[str], determiners: dict[Determiner, float], *, adjective: float = 0.3) -> NP:
        """Draw a noun phrase; determiners that do not suit the noun become *the* (mass nouns: no counting)."""
        noun = self.noun(tags)
        determiner = self.rng.choices(list(determiners), list(determiners.values()))[0]
        plural = not noun.mass and self._plural(determiner)
        if noun.mass and determiner in ("a", "every", "all", "many", "some", "two", "three", "bare"):
            determiner = "bare" if "stuff" in noun.tags and determiner != "every" else "the"
        if determiner == "bare" and not noun.mass:
            plural = True
        return NP(noun, determiner, plural, self.adjectives(noun, adjective))

    def _plural(self, determiner: Determiner) -> bool:
        if determiner in ("all", "many", "some", "two", "three", "bare"):
            return True
        return determiner not in ("a", "every") and self.chance(0.25)

    def adjectives(self, noun: Noun, probability: float) -> tuple[Adjective, ...]:
        """Draw no, one or (rarely, of both French positions) two adjectives."""
        if not self.chance(probability):
            return ()
        if self.chance(0.12):
            both = (self.adjective(noun, before=True), self.adjective(noun, before=False))
            return tuple(adjective for adjective in both if adjective)
        one = self.adjective(noun)
        return (one,) if one else ()

    def expanded(self, phrase: NP, probability: float) -> NP:
        """Maybe add a genitive or a prepositional phrase that suits the noun."""
        if not self.chance(probability):
            return phrase
        noun = phrase.noun
        if noun.en in _ABOUT and self.chance(0.5):
            topic = self.noun_phrase(frozenset({"issue", "doc"}), {"the": 1, "this": 0.2}, adjective=0.3)
            return replace(phrase, modifier=PP(lexicon.preposition("about"), topic))
        if noun.en in _AGAINST and self.chance(0.3):
            topic = self.noun_phrase(frozenset({"problem"}), {"the": 1}, adjective=0.3)
            return replace(phrase, modifier=PP(lexicon.preposition("against"), topic))
        if "doc" in noun.tags:
            owner = self.noun_phrase(frozenset({"inst", "office"}), {"the": 1, "this": 0.1, "our": 0.1}, adjective=0.25)
        elif noun.en in _OWNED_ISSUES:
            owner = self.noun_phrase(frozenset({"inst", "citizen"}), {"the": 1, "our": 0.1}, adjective=0.25)
        elif "build" in noun.tags:
            city = lexicon.noun(self.pick(_CITIES))
            owner = NP(city, "the", False, self.adjectives(city, 0.2))
        else:
            return phrase
        return replace(phrase, of=owner)

    def time(self, tense: Tense, *, event: float = 0.3, habit: bool = True) -> Adjunct | None:
        """Draw an adjunct of time (or reason) that goes with a tense, None if there is none."""
        if tense in ("past", "future") and self.chance(event):
            preposition = lexicon.preposition(self.pick(("after", "before", "during")))
            return PP(preposition, self.noun_phrase(frozenset({"event"}), {"the": 1, "this": 0.15}, adjective=0.2))
        if tense in ("past", "perfect") and self.register == "chamber" and self.chance(event):
            preposition = lexicon.preposition(self.pick(("because of", "despite")))
            return PP(preposition, self.noun_phrase(frozenset({"problem", "event"}), {"the": 1}, adjective=0.3))
        kinds = frozenset(kind for kind in _TENSE_KINDS.get(tense, ("future",)) if habit or kind != "habit")
        return self.adverb(kinds) if kinds else None

    def place(self) -> Adjunct:
        """Draw an adjunct of place."""
        if self.chance(0.35):
            return self.adverb(frozenset({"place"}))
        if self.chance(0.2):
            near = self.noun_phrase(frozenset({"build", "site"}), {"the": 1, "our": 0.1}, adjective=0.2)
            return PP(lexicon.preposition("near"), near)
        return PP(lexicon.preposition("in"), self.noun_phrase(frozenset({"place"}), {"the": 1, "this": 0.2, "a": 0.2}))


def same_noun(first: Phrase | None, second: Phrase | None) -> bool:
    """Whether two noun phrases have the same noun."""
    return isinstance(first, NP) and isinstance(second, NP) and first.noun is second.noun


def _weigh(entries: "list[Entry]", register: Register) -> "Weighted[Entry]":
    return tuple(entries), tuple(accumulate(_WEIGHTS[register][entry.register] for entry in entries))


@cache
def _nouns(tags: frozenset[str], register: Register) -> "Weighted[Noun]":
    return _weigh([noun for noun in lexicon.all_nouns() if noun.tags & tags], register)


@cache
def _verbs(frames: frozenset[str], register: Register) -> "Weighted[Verb]":
    return _weigh([verb for verb in lexicon.all_verbs() if verb.frame in frames], register)


@cache
def _adjectives(
    tags: frozenset[str], before: bool | None, register: Register, predicative: bool = False
) -> "Weighted[Adjective]":
    suiting = [adjective for adjective in lexicon.all_adjectives() if adjective.tags & tags]
    if predicative:
        suiting = [adjective for adjective in suiting if adjective.en not in _RELATIONAL]
    return _weigh([adjective for adjective in suiting if before in (None, adjective.fr_before)], register)


@cache
def _adverbs(kinds: frozenset[str], register: Register) -> "Weighted[Adverb]":
    return _weigh([adverb for adverb in lexicon.all_adverbs() if adverb.kind in kinds], register)

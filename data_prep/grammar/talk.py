"""The spoken register: short, with pronouns, questions, contractions and everyday topics."""

from dataclasses import replace
from random import Random

from data_prep.grammar.lexicon import Verb
from data_prep.grammar.sampling import PUNCTUAL, Sampler, same_noun
from data_prep.grammar.syntax import (
    NP,
    OPENERS,
    POSSESSIVES,
    Clause,
    Conjunction,
    Determiner,
    Name,
    Personal,
    Phrase,
    Predicate,
    Pronoun,
    Question,
    Sentence,
    Tense,
)

_NAMES = (Name("Anna", True), Name("Paul", False), Name("Laura", True), Name("Thomas", False))
_PRONOUNS: tuple[Pronoun, ...] = ("I", "you", "we", "she", "he", "they")
_PRONOUN_WEIGHTS = (4, 2, 2.5, 1.5, 1.5, 1)
_SUBJECTS: dict[Determiner, float] = {"my": 3, "your": 2, "the": 2, "our": 1, "his": 0.5, "her": 0.5}
_OBJECTS: dict[Determiner, float] = {"the": 4, "a": 2, "bare": 1, "this": 1.2, "my": 1, "your": 1}
_OBJECTS |= {"his": 0.4, "her": 0.4, "our": 0.4, "their": 0.3, "two": 0.3, "three": 0.2, "many": 0.2}
_NEGATED: dict[Determiner, float] = {"the": 4, "bare": 2, "this": 1, "my": 0.7, "your": 0.7}
_TENSES: tuple[tuple[Tense, float], ...] = (
    ("present", 4),
    ("perfect", 3),
    ("past", 1.2),
    ("future", 1.2),
    ("can", 1),
    ("must", 0.8),
    ("want", 1),
    ("would like", 0.8),
)
_ASKED: tuple[tuple[Tense, float], ...] = (("present", 4), ("perfect", 3), ("future", 1), ("can", 1), ("want", 1))
_PLAIN = frozenset({"object", "none", "recipient"})
_THINGS = frozenset({"wear", "small", "room", "fun", "animal", "veh", "food", "kin", "build"})
_CONJUNCTIONS: tuple[Conjunction, ...] = ("because", "if", "when")
_OWNABLE = frozenset({"kin", "obj", "small", "room", "fun", "animal", "doc", "stuff", "food", "text"})
_SENSED = {"see", "hear", "have", "understand"}  # states that one can want or will reach
_OPENER_NAMES = tuple(OPENERS)


class Talk(Sampler):
    """Draws sentences of this register."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng, "talk")

    def sentence(self) -> Sentence:
        """Draw a sentence."""
        kind = self.pick(("plain", "question", "copula", "there", "adverbial", "that"), (4, 3, 1.8, 0.7, 0.8, 0.9))
        clause = getattr(self, f"_{kind}")()
        opener = self.pick(_OPENER_NAMES[2:] if clause.question else _OPENER_NAMES) if self.chance(0.2) else ""
        return Sentence(clause, opener=opener, exclamation=not clause.question and self.chance(0.08))

    def subject(self, governing: Verb | None, pronoun: float = 0.65) -> Phrase:
        """Draw a subject: mostly a pronoun, else a name or a short phrase."""
        personal = governing is None or "pers" in governing.subjects or "kin" in governing.subjects
        if personal and self.chance(pronoun):
            return self.pronoun()
        if personal and self.chance(0.35):
            return self.rng.choice(_NAMES)
        tags = frozenset({"kin"}) if governing is None or (personal and self.chance(0.7)) else governing.subjects
        return self.noun_phrase(tags, _SUBJECTS, adjective=0.08)

    def pronoun(self) -> Personal:
        """Draw a personal pronoun."""
        return Personal(self.rng.choices(_PRONOUNS, _PRONOUN_WEIGHTS)[0])

    def noun_phrase(self, tags: frozenset[str], determiners: dict[Determiner, float], *, adjective: float = 0.3) -> NP:
        """Draw a noun phrase; only what a person may have gets a possessive, and only one mother and father."""
        phrase = super().noun_phrase(tags, determiners, adjective=adjective)
        if phrase.determiner not in POSSESSIVES:
            return phrase
        if not phrase.noun.tags & _OWNABLE:
            return replace(phrase, determiner="the")
        return replace(phrase, plural=False) if phrase.noun.en in ("mother", "father") else phrase

    def _plain(self, tense: Tense | None = None, question: Question = "") -> Clause:
        governing = self.verb(_PLAIN)
        tense = tense or self.tense(*(_ASKED if question else _TENSES))
        if governing.stative and (tense in ("perfect", "past") or governing.en not in _SENSED):
            tense = "present"
        if tense in ("want", "would like") and not governing.subjects & {"pers", "kin"}:
            tense = "future"
        if governing.en in PUNCTUAL and tense == "present":
            tense = "perfect"
        negative = self.chance(0.2 if not question else 0.12) and tense != "must"
        tree = Clause(self.subject(governing), governing, tense, negative=negative, question=question, spoken=True)
        tree = self._asked(self._with_object(tree, governing))
        dynamic = not governing.stative and tense == "present"
        habitual = dynamic and not negative and question in ("", "yes-no") and self.chance(0.4)
        if dynamic and not habitual:
            tree = replace(tree, progressive=True)
        if habitual and self.chance(0.6):
            return replace(tree, mid=self.adverb(frozenset({"mid"})))
        if tense == "perfect" and not negative and self.chance(0.2):
            return replace(tree, mid=self.adverb(frozenset({"mid_perfect"})))
        return self._placed(tree, habitual)

    def _with_object(self, tree: Clause, governing: Verb) -> Clause:
        if governing.frame == "none":
            return tree
        target = self.noun_phrase(governing.objects, _NEGATED if tree.negative else _OBJECTS, adjective=0.25)
        if target.determiner == "bare" and tree.negative and not governing.direct:
            target = replace(target, determiner="the")
        if same_noun(target, tree.subject):
            return self._with_object(tree, governing)
        tree = replace(tree, object=target)
        if governing.frame == "recipient":
            recipient = self.rng.choice(_NAMES) if self.chance(0.4) else None
            tree = replace(tree, recipient=recipient or self.noun_phrase(frozenset({"kin"}), _SUBJECTS, adjective=0.05))
        return tree

    def _asked(self, tree: Clause) -> Clause:
        """Ask others, not oneself, about what they do."""
        if tree.question == "yes-no" and tree.tense != "can" and tree.subject in (Personal("I"), Personal("we")):
            return replace(tree, subject=Personal("you"))
        return tree

    def _placed(self, tree: Clause, habitual: bool) -> Clause:
        if habitual:
            return replace(tree, times=(self.adverb(frozenset({"habit"})),))
        assert tree.verb is not None
        if tree.verb.frame == "none" and tree.verb.en != "come" and "pers" in tree.verb.subjects and self.chance(0.5):
            return replace(tree, places=(self.place(),))
        if tree.tense == "past" or (tree.tense not in ("perfect", "present") and self.chance(0.25)):
            return self._timed(tree)
        if tree.progressive and self.chance(0.15):
            return replace(tree, times=(self.adverb(frozenset({"now"})),))
        return tree

    def _timed(self, tree: Clause) -> Clause:
        adjunct = self.time(tree.tense, event=0.2, habit=False)
        assert adjunct is not None
        if not tree.question and self.chance(0.3):
            return replace(tree, front=adjunct)
        return replace(tree, times=(adjunct,))

    def _question(self) -> Clause:
        kind = self.pick(("yes-no", "why", "what", "who", "when"), (5, 1.5, 1, 1, 0.7))
        if kind == "yes-no":
            return self._plain(question="yes-no")
        if kind == "why":
            tense = self.tense(("present", 2), ("perfect", 1), ("want", 1))
            return replace(self._plain(tense, "why"), times=(), places=(), mid=None)
        tree = self._plain(self.tense(("future", 2), ("want", 1), ("can", 1)) if kind == "when" else None, "yes-no")
        tree = replace(tree, negative=False, mid=None)
        if kind == "when" and tree.tense != "present":
            return replace(tree, question="when", times=())
        if kind == "who" and tree.verb and "pers" in tree.verb.subjects and tree.verb.en != "have":
            return replace(tree, question="who", subject=None)
        if kind == "what" and tree.verb and tree.verb.direct and not tree.verb.objects & {"pers", "kin"}:
            dynamic = tree.tense == "present" and not tree.verb.stative
            return replace(tree, question="what", object=None, progressive=dynamic, times=())
        return self._question()

    def _copula(self) -> Clause:
        tense = self.tense(("present", 5), ("past", 1.5))
        negative = self.chance(0.2)
        question: Question = "yes-no" if self.chance(0.25) else ""
        subject: Phrase = (
            self.subject(None) if self.chance(0.45) else self.noun_phrase(_THINGS, _SUBJECTS, adjective=0.1)
        )
        tree = Clause(subject, None, tense, negative=negative, question=question, spoken=True)
        predicate = self._predicate(subject)
        return replace(self._asked(tree), predicate=predicate) if predicate else self._copula()

    def _predicate(self, subject: Phrase) -> Predicate | None:
        noun = getattr(subject, "noun", None)
        movable = noun is None or noun.tags & {"small", "animal", "pers"}
        if movable and self.chance(0.3):
            return Predicate(place=self.place())
        adjective = self.predicative(noun.tags if noun else frozenset({"kin", "pers"}))
        if adjective is None or adjective in getattr(subject, "adjectives", ()):
            return None
        return Predicate(adjective, self.adverb(frozenset({"degree"})) if self.chance(0.5) else None)

    def _there(self) -> Clause:
        negative = self.chance(0.35)
        determiners: dict[Determiner, float] = {"bare": 1}
        if not negative:
            determiners |= {"a": 2, "two": 0.5, "many": 0.7}
        tags = frozenset({"food", "drink", "animal", "build", "veh", "small"})
        question: Question = "yes-no" if not negative and self.chance(0.3) else ""
        what = self.noun_phrase(tags, determiners, adjective=0.25)
        places = (self.place(),)
        return Clause(None, None, negative=negative, object=what, places=places, question=question, spoken=True)

    def _adverbial(self) -> Clause:
        conjunction: Conjunction = self.rng.choice(_CONJUNCTIONS)
        if conjunction == "because":
            main, cause = self._plain(), self._copula() if self.chance(0.5) else self._plain()
            return replace(main, subordinate=replace(cause, question="", front=None), conjunction="because")
        if conjunction == "if":
            main, sub = self._plain(self.tense(("future", 1), ("can", 1))), self._copula()
            sub = replace(sub, question="", tense="present")
        else:
            main, sub = self._plain("past"), self._plain("past")
            main = replace(main, times=(), tense="past") if main.tense == "past" else self._plain("future")
            sub = replace(sub, times=(), front=None, negative=False)
            sub = replace(sub, subject=self.pronoun()) if isinstance(sub.subject, Name) else sub
        first = self.chance(0.4)
        main = replace(main, front=None, subordinate=sub, conjunction=conjunction, subordinate_first=first)
        return main if conjunction == "if" or main.tense == sub.tense == "past" else self._adverbial()

    def _that(self) -> Clause:
        governing = self.verb(frozenset({"that"}))
        if "pers" not in governing.subjects or governing.en == "forget":
            return self._that()
        subject = self.subject(governing, pronoun=0.9)
        inner = replace(self._copula() if self.chance(0.4) else self._plain(), question="", front=None)
        tree = Clause(subject, governing, complement=inner, spoken=True)
        if governing.en == "know" and self.chance(0.4):
            return replace(tree, negative=True, complementiser="whether")
        return tree if governing.stative else replace(tree, tense="perfect")

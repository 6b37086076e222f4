"""The register of parliament and news: long, nominal, passive, with subordinate clauses."""

from dataclasses import replace
from random import Random

from data_prep.grammar.lexicon import Adverb, Verb, verb
from data_prep.grammar.sampling import PUNCTUAL, Sampler, same_noun
from data_prep.grammar.syntax import (
    NP,
    OPENERS,
    POSSESSIVES,
    PP,
    Clause,
    Conjunction,
    Determiner,
    Pair,
    Personal,
    Phrase,
    Predicate,
    Pronoun,
    Sentence,
    Tense,
    relative,
)

_SUBJECTS: dict[Determiner, float] = {"the": 7, "a": 0.4, "this": 0.8, "many": 0.5, "some": 0.5, "all": 0.5, "our": 0.4}
_OBJECTS: dict[Determiner, float] = {
    "the": 6,
    "a": 2,
    "bare": 1,
    "this": 1,
    "many": 0.4,
    "two": 0.3,
    "three": 0.3,
    "our": 0.4,
}
_OBJECTS |= {"every": 0.15}
_NEGATED: dict[Determiner, float] = {"the": 6, "bare": 1.5, "this": 1, "our": 0.4}
_TENSES: tuple[tuple[Tense, float], ...] = (
    ("past", 4),
    ("perfect", 4),
    ("present", 1.5),
    ("future", 1.5),
    ("must", 0.8),
    ("can", 0.5),
    ("should", 0.8),
    ("want", 0.5),
)
_PLAIN = frozenset({"object", "recipient", "none"})
_CONJUNCTIONS: tuple[Conjunction, ...] = ("because", "although", "if", "when")
_UNPLANNED = {"lose", "find", "receive", "disappear", "arrive", "hesitate"}
_TOPICS = frozenset({"doc", "issue", "event", "build", "place"})


class Chamber(Sampler):
    """Draws sentences of this register."""

    def __init__(self, rng: Random) -> None:
        super().__init__(rng, "chamber")

    def sentence(self) -> Sentence:
        """Draw a sentence."""
        kind = self.pick(("adverbial", "that", "infinitive", "long", "joined", "quoted"), (3, 2.2, 1, 3.2, 1, 1))
        match kind:
            case "adverbial":
                return Sentence(self.with_adverbial())
            case "that":
                return Sentence(self.with_complement())
            case "infinitive":
                return Sentence(self.with_infinitive())
            case "joined":
                return self.joined()
            case "quoted":
                return self.quoted()
        return Sentence(self.clause(expand=0.7, relative_clause=0.5, time=0.7))

    def joined(self) -> Sentence:
        """Draw two main clauses of one tense."""
        tense = self.tense(*_TENSES[:4])
        first, second = (self.clause(tense=tense, expand=0.2, fronting=fronting) for fronting in (True, False))
        return Sentence(first, second, "but" if self.chance(0.4) else "and")

    def with_adverbial(self) -> Clause:
        """Draw a clause with an adverbial clause."""
        conjunction: Conjunction = self.rng.choice(_CONJUNCTIONS)
        first = conjunction != "because" and self.chance(0.5)
        if conjunction == "if":
            main_tense = self.tense(("future", 2), ("must", 1), ("should", 1), ("can", 1))
            sub_tense: Tense = "present"
        elif conjunction == "when":
            main_tense = sub_tense = "past"
        else:
            main_tense, sub_tense = (
                self.tense(*_TENSES),
                self.tense(("past", 2), ("perfect", 2), ("can", 0.5), ("want", 0.5)),
            )
        main = self.clause(tense=main_tense, expand=0.45, time=0.0)
        subordinate = self.clause(
            tense=sub_tense, expand=0.45, time=0.1 if first else 0.2, fronting=False, timed_present=False
        )
        return replace(main, subordinate=subordinate, conjunction=conjunction, subordinate_first=first)

    def with_complement(self) -> Clause:
        """Draw a clause that reports another."""
        reporting = self.verb(frozenset({"that"}))
        tense = self.tense(("past", 2), ("present", 1.5)) if reporting.en != "forget" else "past"
        subject: Phrase = self.subject(reporting)
        if "pers" in reporting.subjects and self.chance(0.3):
            subject = Personal(self.rng.choice(("I", "we", "they", "he", "she")))
        main = Clause(subject, reporting, tense)
        if reporting.en == "know" and self.chance(0.3):
            main = replace(main, negative=True, complementiser="whether")
        inner_tense = "past" if tense == "past" else self.tense(*_TENSES)
        inner = self.clause(tense=inner_tense, expand=0.5, time=0.3, fronting=False)
        if tense == "past" and self.chance(0.25):
            main = replace(main, front=self.time("past", event=0.5))
        return replace(main, complement=inner)

    def with_infinitive(self) -> Clause:
        """Draw a clause with an infinitive clause."""
        governing = self.verb(frozenset({"infinitive"}))
        subject = self.subject(governing)
        tense = self.tense(("past", 1), ("perfect", 1))
        done = self.clause(tense="must", expand=0.5, time=0.0, passive=False, negative=False, copulas=False)
        if done.verb and (done.verb.stative or done.verb.en in _UNPLANNED):
            return self.with_infinitive()
        inner = replace(done, subject=None, mid=None, progressive=False, front=None, times=())
        front = self.time(tense, event=0.5) if self.chance(0.5) else None
        return Clause(subject, governing, tense, complement=inner, front=front)

    def quoted(self) -> Sentence:
        """Draw a short spoken sentence that somebody is said to have uttered."""
        person = self.noun_phrase(frozenset({"pers"}), {"the": 1, "a": 0.3}, adjective=0.3)
        speaker = Clause(person, verb("say"), "past")
        pronoun: Pronoun = self.rng.choice(("I", "you", "he", "she", "we", "they"))
        clause = self.clause(
            tense=self.tense(("present", 2), ("perfect", 2), ("future", 1), ("can", 1)),
            expand=0.1,
            time=0.3,
            passive=False,
            fronting=False,
        )
        if "pers" not in (clause.verb.subjects if clause.verb else frozenset({"pers"})) or clause.predicate:
            return Sentence(clause, quoted_by=speaker)
        spoken = replace(clause, subject=Personal(pronoun), spoken=True)
        if self.chance(0.3) and pronoun in ("you", "they", "he", "she"):
            spoken = replace(spoken, question="yes-no", negative=False)
        if isinstance(spoken.object, NP) and spoken.object.determiner == "the" and self.chance(0.5):
            spoken = replace(spoken, object=replace(spoken.object, determiner=self.rng.choice(POSSESSIVES)))
        opener = self.rng.choice(tuple(OPENERS)[2 if spoken.question else 0 :]) if self.chance(0.2) else ""
        return Sentence(spoken, opener=opener, quoted_by=speaker)

    def subject(self, governing: Verb, *, expand: float = 0.2) -> Phrase:
        """Draw a subject that suits a verb."""
        phrase = self.noun_phrase(governing.subjects, _SUBJECTS, adjective=0.3)
        if self.chance(0.07):
            second = self.noun_phrase(governing.subjects, {"the": 1}, adjective=0.1)
            if not same_noun(phrase, second):
                return Pair(replace(phrase, adjectives=()), second)
        return self.expanded(phrase, expand)

    def clause(
        self,
        *,
        tense: Tense | None = None,
        expand: float,
        relative_clause: float = 0.0,
        time: float = 0.3,
        passive: bool | None = None,
        negative: bool | None = None,
        fronting: bool = True,
        timed_present: bool = True,
        copulas: bool = True,
    ) -> Clause:
        """Draw a clause without subordinate adverbial clauses.

        Args:
            tense: drawn if None.
            expand: probability of a genitive or prepositional phrase in the object.
            relative_clause: probability of a relative clause in the subject or object.
            time: probability of an adjunct of time.
            passive, negative: drawn if None.
            fronting: whether the adjunct of time may stand first.
            timed_present: whether the present may be progressive.
            copulas: whether a property may be ascribed instead of an action.
        """
        tense = tense or self.tense(*_TENSES)
        negated = self.chance(0.15) if negative is None else negative
        if copulas and self.chance(0.14):
            return self.copula(tense, negated, expand)
        governing = self.verb(_PLAIN)
        if governing.stative and tense in ("perfect", "want"):
            tense = "past"
        if tense == "want" and not governing.subjects & {"pers", "inst", "office", "citizen"}:
            tense = "past"
        if governing.en in PUNCTUAL and tense == "present":
            tense = "perfect"
        negated = negated and tense != "must"
        tree = Clause(self.subject(governing, expand=expand / 2), governing, tense, negative=negated)
        if governing.frame != "none":
            phrase = self.noun_phrase(governing.objects, _NEGATED if negated and not governing.en_object else _OBJECTS)
            if negated and phrase.determiner == "bare" and not governing.direct:
                phrase = replace(phrase, determiner="the")
            if same_noun(phrase, tree.subject):
                return self.clause(
                    tense=tense,
                    expand=expand,
                    relative_clause=relative_clause,
                    time=time,
                    passive=passive,
                    negative=negative,
                    fronting=fronting,
                    timed_present=timed_present,
                    copulas=copulas,
                )
            tree = replace(tree, object=self.expanded(phrase, expand))
        if governing.frame == "recipient":
            tree = replace(
                tree, recipient=self.noun_phrase(frozenset({"inst", "pers"}), {"the": 1, "our": 0.2}, adjective=0.15)
            )
        if governing.frame == "none" and governing.en != "come" and "pers" in governing.subjects and self.chance(0.7):
            tree = replace(tree, places=(self.place(),))
        if relative_clause and self.chance(relative_clause):
            tree = self._with_relative(tree)
        wants_passive = self.chance(0.35) if passive is None else passive
        if wants_passive and governing.passivisable:
            tree = self._passive(tree)
        return self._timed(tree, time, fronting, timed_present)

    def _passive(self, tree: Clause) -> Clause:
        """Turn an active clause into the passive."""
        if tree.tense in ("present", "want") or not isinstance(tree.object, NP) or tree.object.determiner == "bare":
            return tree
        keeps_agent = self.chance(0.45) and not tree.negative
        return replace(
            tree, subject=tree.object, object=None, passive=True, agent=tree.subject if keeps_agent else None
        )

    def _timed(self, tree: Clause, probability: float, fronting: bool, timed_present: bool) -> Clause:
        """Add times and adverbs, and the progressive that an unbounded English present needs."""
        dynamic = tree.verb is not None and not tree.verb.stative
        if tree.tense == "present" and dynamic:
            if timed_present and self.chance(0.5):
                tree = replace(tree, progressive=True)
            elif not tree.negative:
                tree = replace(tree, mid=self.adverb(frozenset({"mid"})))
            return tree
        if tree.tense == "perfect" and not tree.negative and self.chance(0.25):
            return replace(tree, mid=self.adverb(frozenset({"mid_perfect"})))
        adjunct = self.time(tree.tense, habit=False) if self.chance(probability) else None
        if adjunct is None:
            return tree
        if isinstance(adjunct, PP) and isinstance(adjunct.phrase, NP) and same_noun(adjunct.phrase, tree.object):
            return tree
        if fronting and self.chance(0.5):
            return replace(tree, front=adjunct)
        return replace(tree, times=(adjunct,))

    def _with_relative(self, tree: Clause) -> Clause:
        """Give the subject or the object a relative clause."""
        head = tree.object if self.chance(0.5) else tree.subject
        if not isinstance(head, NP) or head.of or head.modifier or head.determiner in ("bare", "every"):
            return tree
        made = self._relative_to(head)
        if made is None:
            return tree
        return replace(tree, object=made) if head is tree.object else replace(tree, subject=made)

    def _relative_to(self, head: NP) -> NP | None:
        """Draw a relative clause in which the noun can be the subject or the object, None if no verb was found."""
        for _ in range(20):
            governing = self.verb(frozenset({"object"}))
            tense = self.tense(("past", 1), ("perfect", 1)) if not governing.stative else "present"
            if head.noun.tags & governing.subjects:
                target = self.noun_phrase(governing.objects, {"the": 1, "this": 0.2}, adjective=0.3)
                if not same_noun(target, head):
                    return relative(head, Clause(None, governing, tense, gap="subject", object=target))
            if governing.direct and head.noun.tags & governing.objects:
                agent = self.noun_phrase(governing.subjects, {"the": 1}, adjective=0.2)
                if not same_noun(agent, head):
                    return relative(head, Clause(agent, governing, tense, gap="object"))
        return None

    def copula(self, tense: Tense, negative: bool, expand: float) -> Clause:
        """Draw a clause that ascribes a property."""
        subject = self.expanded(
            self.noun_phrase(_TOPICS, {"the": 6, "this": 1.5, "our": 0.5, "all": 0.4}, adjective=0.15), expand
        )
        adjective = self.predicative(subject.noun.tags)
        tense = tense if tense in ("present", "past", "future", "must", "should", "can") else "present"
        if adjective is None or adjective in subject.adjectives:
            return self.copula(tense, negative, expand)
        degree: Adverb | None = self.adverb(frozenset({"degree"})) if self.chance(0.4) else None
        return Clause(
            subject, None, tense, negative=negative and tense != "must", predicate=Predicate(adjective, degree)
        )

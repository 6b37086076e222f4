"""The abstract syntax that the three realisers share: phrases, clauses and sentences without words of any language."""

from dataclasses import dataclass, replace
from typing import Literal

from data_prep.grammar.lexicon import Adjective, Adverb, Noun, Preposition, Verb

Pronoun = Literal["I", "you", "he", "she", "we", "they"]
Determiner = Literal[
    "the",
    "a",
    "bare",
    "this",
    "my",
    "your",
    "his",
    "her",
    "our",
    "their",
    "every",
    "all",
    "many",
    "some",
    "two",
    "three",
]
Tense = Literal["present", "past", "perfect", "future", "can", "must", "should", "want", "would like"]
Question = Literal["", "yes-no", "what", "who", "where", "whither", "when", "why"]
Conjunction = Literal["because", "that", "whether", "if", "although", "when"]

POSSESSIVES: tuple[Determiner, ...] = ("my", "your", "his", "her", "our", "their")
PLURAL_DETERMINERS: tuple[Determiner, ...] = ("all", "many", "some", "two", "three")
MODALS: tuple[Tense, ...] = ("can", "must", "should", "want", "would like")


@dataclass(frozen=True, slots=True)
class NP:
    """A noun phrase.

    ``bare`` is the plural or mass noun without an English article (*des*, *du*). ``of`` is a genitive, ``modifier`` a
    prepositional phrase inside the phrase, ``relative`` a clause whose ``gap`` is this phrase.
    """

    noun: Noun
    determiner: Determiner = "the"
    plural: bool = False
    adjectives: tuple[Adjective, ...] = ()
    of: "NP | None" = None
    modifier: "PP | None" = None
    relative: "Clause | None" = None


@dataclass(frozen=True, slots=True)
class Name:
    """A person's name, the same in all languages."""

    text: str
    feminine: bool


@dataclass(frozen=True, slots=True)
class Personal:
    """A personal pronoun; only subjects and the objects of prepositions."""

    pronoun: Pronoun


@dataclass(frozen=True, slots=True)
class Pair:
    """Two phrases joined by *and*."""

    first: "NP | Name"
    second: "NP | Name"


Phrase = NP | Name | Personal | Pair


@dataclass(frozen=True, slots=True)
class PP:
    """A prepositional phrase."""

    preposition: Preposition
    phrase: Phrase


Adjunct = Adverb | PP


@dataclass(frozen=True, slots=True)
class Predicate:
    """What a copula says of its subject: an adjective with an optional degree, or a place."""

    adjective: Adjective | None = None
    degree: Adverb | None = None
    place: Adjunct | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Person, number and gender of a subject; ``feminine`` is the French gender."""

    person: int
    plural: bool
    feminine: bool


@dataclass(frozen=True, slots=True)
class Clause:
    """A clause.

    ``verb`` None is the copula if there is a ``predicate`` and *there is* if there is none. ``subject`` None is the
    understood one of an infinitive, the agentless position of ``question="who"`` or the gap of a relative clause.
    In the passive, ``subject`` is the promoted object and ``agent`` the optional *by*-phrase.

    Attributes:
        gap: which part of a relative clause the head noun is: empty, ``subject`` or ``object``.
        head: the agreement of that noun; see :func:`relative`.
        front: adjunct before the subject.
        mid: adverb beside the finite verb.
        times, places: adjuncts at the end of an English clause (German: before and after the object).
        complement: the clause of a ``that`` or ``infinitive`` verb, with ``complementiser`` in the first case.
        subordinate: an adverbial clause with its ``conjunction``, in front if ``subordinate_first``.
        spoken: English contractions, German perfect for the past.
    """

    subject: Phrase | None
    verb: Verb | None = None
    tense: Tense = "present"
    passive: bool = False
    negative: bool = False
    progressive: bool = False
    question: Question = ""
    gap: Literal["", "subject", "object"] = ""
    head: Agreement | None = None
    object: Phrase | None = None
    recipient: Phrase | None = None
    agent: Phrase | None = None
    predicate: Predicate | None = None
    front: Adjunct | None = None
    mid: Adverb | None = None
    times: tuple[Adjunct, ...] = ()
    places: tuple[Adjunct, ...] = ()
    complement: "Clause | None" = None
    complementiser: Conjunction = "that"
    subordinate: "Clause | None" = None
    conjunction: Conjunction = "because"
    subordinate_first: bool = False
    spoken: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One or two joined main clauses, with an optional opener (*Yes,*) or a quoting frame (*The man said: "..."*)."""

    clause: Clause
    second: Clause | None = None
    joined_by: Literal["and", "but"] = "and"
    opener: str = ""
    quoted_by: Clause | None = None
    exclamation: bool = False


OPENERS: dict[str, tuple[str, str, str]] = {
    "Yes,": ("Yes ,", "Ja ,", "Oui ,"),
    "No,": ("No ,", "Nein ,", "Non ,"),
    "And": ("And", "Und", "Et"),
    "But": ("But", "Aber", "Mais"),
    "Mum,": ("Mum ,", "Mama ,", "Maman ,"),
    "Listen,": ("Listen ,", "Hör zu ,", "Écoute ,"),
    "Sorry,": ("Sorry ,", "Entschuldigung ,", "Pardon ,"),
}


def agreement(phrase: Phrase | None) -> Agreement:
    """Find what a verb agrees with; an absent subject counts as third person singular."""
    match phrase:
        case None:
            return Agreement(3, False, False)
        case Personal(pronoun):
            person = {"I": 1, "we": 1, "you": 2}.get(pronoun, 3)
            return Agreement(person, pronoun in ("we", "they"), pronoun == "she")
        case Name(_, feminine):
            return Agreement(3, False, feminine)
        case Pair(first, second):
            return Agreement(3, True, agreement(first).feminine and agreement(second).feminine)
        case NP():
            return Agreement(3, phrase.plural, phrase.noun.fr_gender == "f")


def subject_agreement(tree: Clause) -> Agreement:
    """Find what the verb of a clause agrees with."""
    return tree.head if tree.gap == "subject" and tree.head else agreement(tree.subject)


def relative(head: NP, clause: Clause) -> NP:
    """Attach a relative clause to a noun phrase."""
    return replace(head, relative=replace(clause, head=agreement(head)))


def finish(text: str) -> str:
    """Capitalise the first letter of a sentence, behind an opening quotation mark if there is one."""
    for index, letter in enumerate(text):
        if letter.isalpha():
            return text[:index] + letter.upper() + text[index + 1 :]
    return text


def join_words(words: list[str]) -> str:
    """Join words, each comma attached and dropped where it doubles or meets another mark."""
    kept: list[str] = []
    for index, word in enumerate(words):
        if word == ",":
            following = words[index + 1] if index + 1 < len(words) else "."
            if not kept or following in (",", ".", "?", "!", "”", "“", "»") or kept[-1].endswith(","):
                continue
            kept[-1] += ","
        elif word in (".", "?", "!"):
            kept[-1] += word
        else:
            kept.append(word)
    return " ".join(kept)

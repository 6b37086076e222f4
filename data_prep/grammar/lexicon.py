"""The lemmas: dataclasses for each part of speech, read from the tables in nouns.py, verbs.py and modifiers.py."""

from dataclasses import dataclass
from functools import cache

from data_prep.grammar import modifiers, nouns, verbs


@dataclass(frozen=True, slots=True, eq=False)
class Noun:
    """A noun; ``*_plural`` of a mass noun is never used."""

    en: str
    en_plural: str
    de: str
    de_genitive: str
    de_plural: str
    de_gender: str
    weak: bool
    fr: str
    fr_plural: str
    fr_gender: str
    mass: bool
    register: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Verb:
    """A verb with its principal parts and what it governs.

    ``en_object`` and ``fr_object`` are the preposition of the object, empty for a direct one; ``de_object`` is
    ``a``/``d`` for a case alone or ``preposition:case``. ``frame``: none, object, recipient, that or infinitive.
    """

    en: str
    en_past: str
    en_participle: str
    en_object: str
    de: str
    de_prefix: str
    de_third: str
    de_past: str
    de_participle: str
    de_sein: bool
    de_object: str
    fr: str
    fr_etre: bool
    fr_object: str
    frame: str
    stative: bool
    passive: bool
    register: str
    subjects: frozenset[str]
    objects: frozenset[str]

    @property
    def direct(self) -> bool:
        """Whether the object is a direct (accusative) one in all three languages."""
        return self.frame in ("object", "recipient") and (self.en_object, self.de_object, self.fr_object) == (
            "",
            "a",
            "",
        )

    @property
    def passivisable(self) -> bool:
        """Whether the direct object may become the subject of a passive."""
        return self.direct and self.frame == "object" and self.passive and not self.stative


@dataclass(frozen=True, slots=True, eq=False)
class Adjective:
    """An adjective; ``de`` is the predicative form, ``de_stem`` what endings attach to; ``fr_vowel`` as in *bel*."""

    en: str
    de: str
    de_stem: str
    fr: tuple[str, str, str, str]
    fr_vowel: str
    fr_before: bool
    register: str
    tags: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Adverb:
    """An adverb or a fixed adverbial; ``kind`` says where it stands and with which tenses it goes."""

    en: str
    de: str
    fr: str
    kind: str
    register: str


@dataclass(frozen=True, slots=True, eq=False)
class Preposition:
    """A preposition with its German case."""

    en: str
    de: str
    de_case: str
    fr: str


def rows(table: str, columns: int) -> list[list[str]]:
    """Split a table into cells.

    Raises:
        ValueError: if a line does not have ``columns`` cells; the message gives the line.
    """
    found = [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()]
    for cells in found:
        if len(cells) != columns:
            raise ValueError(f"lexicon line {' | '.join(cells)!r}: expected {columns} cells, got {len(cells)}")
    return found


@cache
def all_nouns() -> tuple[Noun, ...]:
    """Read the nouns."""
    return tuple(_noun(cells) for cells in rows(nouns.NOUNS, 5))


@cache
def all_verbs() -> tuple[Verb, ...]:
    """Read the verbs."""
    return tuple(_verb(cells) for cells in rows(verbs.VERBS, 6))


@cache
def all_adjectives() -> tuple[Adjective, ...]:
    """Read the adjectives."""
    return tuple(_adjective(cells) for cells in rows(modifiers.ADJECTIVES, 5))


@cache
def all_adverbs() -> tuple[Adverb, ...]:
    """Read the adverbs and fixed adverbials."""
    return tuple(Adverb(*cells) for cells in rows(modifiers.ADVERBS, 5))


@cache
def all_prepositions() -> tuple[Preposition, ...]:
    """Read the prepositions."""
    return tuple(Preposition(en, *_split(german), fr) for en, german, fr in rows(modifiers.PREPOSITIONS, 3))


@cache
def noun(en: str) -> Noun:
    """Find a noun by its English singular."""
    return next(entry for entry in all_nouns() if entry.en == en)


@cache
def verb(en: str) -> Verb:
    """Find a verb by its English infinitive, with its preposition if it has one (``wait for``)."""
    return next(entry for entry in all_verbs() if f"{entry.en} {entry.en_object}".strip() == en)


@cache
def adjective(en: str) -> Adjective:
    """Find an adjective by its English form."""
    return next(entry for entry in all_adjectives() if entry.en == en)


@cache
def adverb(en: str) -> Adverb:
    """Find an adverb by its English form."""
    return next(entry for entry in all_adverbs() if entry.en == en)


@cache
def preposition(en: str) -> Preposition:
    """Find a preposition by its English form."""
    return next(entry for entry in all_prepositions() if entry.en == en)


def count_lemmas() -> int:
    """Count the different entries of all tables."""
    tables = (all_nouns(), all_verbs(), all_adjectives(), all_adverbs(), all_prepositions())
    return sum(len({(entry.en, entry.de) for entry in table}) for table in tables)


def _split(german: str) -> tuple[str, str]:
    word, case = german.split(":")
    return word, case


def _noun(cells: list[str]) -> Noun:
    english, german, french, register, tags = cells
    en, *en_rest = english.split()
    gender, de, genitive, de_plural = german.split()
    fr_gender, fr, *fr_rest = french.replace("_", " ").split(" ")
    fr_plural = fr_rest[0] if fr_rest else fr + ("" if fr[-1] in "sxz" else "s")
    aspirated = "*" if fr_gender.endswith("!") else ""
    return Noun(
        en=en,
        en_plural=en_rest[0] if en_rest else english_plural(en),
        de=de,
        de_genitive=genitive,
        de_plural=de_plural,
        de_gender=gender[0],
        weak=gender.endswith("*"),
        fr=aspirated + fr,
        fr_plural=aspirated + fr_plural,
        fr_gender=fr_gender[0],
        mass=de_plural == "-",
        register=register,
        tags=frozenset(tags.split()),
    )


def _verb(cells: list[str]) -> Verb:
    english, german, french, register, subjects, government = cells
    en_forms, *en_rest = english.split()
    en, *irregular = en_forms.split("/")
    past = irregular[0] if irregular else english_past(en)
    infinitive, third, de_past, participle, *de_rest = german.split()
    prefix, _, base = infinitive.rpartition("+")
    fr, *fr_rest = french.split()
    frame, _, objects = government.partition(":")
    return Verb(
        en=en,
        en_past=past,
        en_participle=irregular[1] if len(irregular) > 1 else past,
        en_object=en_rest[0] if en_rest else "",
        de=base,
        de_prefix=prefix,
        de_third=third,
        de_past=de_past,
        de_participle=participle,
        de_sein="sein" in de_rest,
        de_object=next((word for word in de_rest if word != "sein"), "a"),
        fr=fr,
        fr_etre="être" in fr_rest,
        fr_object=next((word for word in fr_rest if word != "être"), ""),
        frame=frame.rstrip("~!"),
        stative="~" in frame,
        passive="!" not in frame,
        register=register,
        subjects=frozenset(subjects.split()),
        objects=frozenset(objects.split()),
    )


def _adjective(cells: list[str]) -> Adjective:
    english, german, french, register, tags = cells
    de, _, stem = german.partition("/")
    forms, *flags = french.split()
    masculine, feminine, *rest = forms.split("/")
    plural = rest[0] if rest else masculine + ("" if masculine[-1] in "sx" else "s")
    return Adjective(
        en=english,
        de=de,
        de_stem=stem or de,
        fr=(masculine, feminine, plural, feminine + "s"),
        fr_vowel=rest[1] if len(rest) > 1 else "",
        fr_before="b" in flags,
        register=register,
        tags=frozenset(tags.split()),
    )


def english_plural(noun: str) -> str:
    """Form the regular plural."""
    if noun[-1] == "y" and noun[-2] not in "aeou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")


def english_past(verb: str) -> str:
    """Form the regular past."""
    if verb[-1] == "y" and verb[-2] not in "aeou":
        return verb[:-1] + "ied"
    return verb + ("d" if verb[-1] == "e" else "ed")

"""German: morphology and word order (verb second, verb last, sentence bracket)."""

from data_prep.grammar.lexicon import Adjective, Adverb, Noun, Verb
from data_prep.grammar.syntax import (
    NP,
    OPENERS,
    PP,
    Agreement,
    Clause,
    Name,
    Pair,
    Personal,
    Phrase,
    Sentence,
    finish,
    join_words,
    subject_agreement,
)

_CASES = "nadg"  # nominative, accusative, dative, genitive
_DEFINITE = {"m": "der den dem des", "f": "die die der der", "n": "das das dem des", "p": "die die den der"}
_DIESER = {"m": "er en em es", "f": "e e er er", "n": "es es em es", "p": "e e en er"}
_EIN = {"m": " en em es", "f": "e e er er", "n": "  em es", "p": "e e en er"}
_STRONG = {"m": "er en em en", "f": "e e er er", "n": "es es em en", "p": "e e en er"}
_WEAK = {"m": "e en en en", "f": "e e en en", "n": "e e en en", "p": "en en en en"}
_MIXED = {"m": "er en en en", "f": "e e en en", "n": "es es en en", "p": "en en en en"}
_EIN_WORDS = {"a": "ein", "no": "kein", "my": "mein", "your": "dein", "his": "sein", "her": "ihr", "our": "unser"}
_EIN_WORDS["their"] = "ihr"
_UNINFLECTED = {"bare": [], "two": ["zwei"], "three": ["drei"]}
_PERSONAL = {
    "I": "ich mich mir",
    "you": "du dich dir",
    "he": "er ihn ihm",
    "she": "sie sie ihr",
    "we": "wir uns uns",
    "they": "sie sie ihnen",
}
_CONTRACTED = {("in", "dem"): "im", ("an", "dem"): "am", ("von", "dem"): "vom"}
_CONJUNCTIONS = {"because": "weil", "that": "dass", "whether": "ob", "if": "wenn", "although": "obwohl"}
_QUESTIONS = {"what": "was", "who": "wer", "where": "wo", "whither": "wohin", "when": "wann", "why": "warum"}
# person and number: 1s 2s 3s 1p/3p
_AUXILIARIES = {
    "haben": "habe hast hat haben",
    "sein": "bin bist ist sind",
    "werden": "werde wirst wird werden",
    "können": "kann kannst kann können",
    "müssen": "muss musst muss müssen",
    "sollen": "sollte solltest sollte sollten",
    "wollen": "will willst will wollen",
    "möchten": "möchte möchtest möchte möchten",
    "war": "war warst war waren",
    "wurde": "wurde wurdest wurde wurden",
    "wissen": "weiß weißt weiß wissen",
    "mögen": "mag magst mag mögen",
}
_MODALS = {"can": "können", "must": "müssen", "should": "sollen", "want": "wollen", "would like": "möchten"}


def sentence(tree: Sentence) -> str:
    """Write a sentence."""
    words = [*OPENERS[tree.opener][1].split()] if tree.opener else []
    words += main_clause(tree.clause)
    if tree.second:
        words += [",", {"and": "und", "but": "aber"}[tree.joined_by], *main_clause(tree.second)]
    mark = "?" if tree.clause.question else "!" if tree.exclamation else "."
    text = finish(join_words([*words, mark]))
    if tree.quoted_by:
        return f"{finish(join_words(main_clause(tree.quoted_by)))}: „{text}“"
    return text


def main_clause(tree: Clause) -> list[str]:
    """Put a main clause in order: something before the finite verb, or nothing in a yes-no question."""
    finite, closing = verb_words(tree)
    subject = _subject(tree)
    before: list[str] = []
    after = _after(tree)
    if tree.subordinate:
        words = [",", *subordinate_clause(tree.subordinate, _conjunction(tree)), ","]
        before, after = (words, after) if tree.subordinate_first else ([], after + words)
    if tree.front:
        before = adjunct(tree.front)
    if tree.question == "who":
        before, subject = ["wer"], []
    elif tree.question not in ("", "yes-no"):
        before = [_QUESTIONS[tree.question]]
    if not before and tree.question != "yes-no":
        before, subject = subject, []
    return [*before, finite, *subject, *_middle(tree), *closing, *after]


def subordinate_clause(tree: Clause, opening: list[str]) -> list[str]:
    """Put a subordinate clause in order: the finite verb last."""
    finite, closing = verb_words(tree)
    if tree.verb and tree.verb.de_prefix and closing == [tree.verb.de_prefix]:
        finite, closing = closing[0] + finite, []
    after = _after(tree)
    if tree.subordinate:
        after += [",", *subordinate_clause(tree.subordinate, _conjunction(tree))]
    front = adjunct(tree.front) if tree.front else []
    return [*opening, *_subject(tree), *front, *_middle(tree), *closing, finite, *after]


def _subject(tree: Clause) -> list[str]:
    if tree.verb is None and tree.predicate is None:
        return ["es"]
    return phrase(tree.subject, "n") if tree.subject else []


def _conjunction(tree: Clause) -> list[str]:
    if tree.conjunction == "when":
        past = tree.subordinate is not None and tree.subordinate.tense in ("past", "perfect")
        return ["als" if past else "wenn"]
    return [_CONJUNCTIONS[tree.conjunction]]


def _after(tree: Clause) -> list[str]:
    """Write what follows the closing bracket: complement clauses."""
    if not tree.complement or not tree.verb:
        return []
    if tree.verb.frame == "infinitive":
        return [",", *_infinitive(tree.complement), ","]
    return [",", *subordinate_clause(tree.complement, [_CONJUNCTIONS[tree.complementiser]]), ","]


def _infinitive(tree: Clause) -> list[str]:
    assert tree.verb is not None
    verb = [tree.verb.de_prefix + "zu" + tree.verb.de] if tree.verb.de_prefix else ["zu", tree.verb.de]
    return [*_middle(tree), *verb]


def _middle(tree: Clause) -> list[str]:
    """Order the middle field: times, recipient, object, *nicht*, prepositional object, places, predicate."""
    words: list[str] = []
    for item in tree.times:
        words += adjunct(item)
    mid = tree.mid.de.split() if tree.mid else []
    negation = ["nicht"] if tree.negative else []
    preposition, _, case = tree.verb.de_object.rpartition(":") if tree.verb else ("", "", "a")
    if tree.recipient:
        words += phrase(tree.recipient, "d")
    if tree.object and not preposition:
        negated = tree.negative and isinstance(tree.object, NP) and tree.object.determiner == "bare"
        negation = [] if negated else negation
        target = phrase(tree.object, case, negated=negated)
        words += [*target, *mid, *negation] if _definite(tree.object) else [*mid, *target, *negation]
    else:
        words += [*mid, *negation]
    if tree.object and preposition:
        words += _contract([preposition, *phrase(tree.object, case)], tree.object)
    if tree.agent:
        words += _contract(["von", *phrase(tree.agent, "d")], tree.agent)
    for item in tree.places:
        words += adjunct(item)
    if tree.predicate:
        words += adjunct(tree.predicate.degree) if tree.predicate.degree else []
        words += [tree.predicate.adjective.de] if tree.predicate.adjective else []
        words += adjunct(tree.predicate.place) if tree.predicate.place else []
    return words


def _definite(tree: Phrase) -> bool:
    return not isinstance(tree, NP) or tree.determiner not in ("a", "bare", "many", "some", "two", "three")


def verb_words(tree: Clause) -> tuple[str, list[str]]:
    """Give the finite form and the closing bracket (in the order of a main clause)."""
    subject = subject_agreement(tree)
    if tree.verb is None:
        there = tree.predicate is None
        return _copula(tree, Agreement(3, False, False) if there else subject, there)
    verb = tree.verb
    infinitive, participle = [verb.de_prefix + verb.de], [verb.de_participle]
    auxiliary = "sein" if verb.de_sein else "haben"
    if tree.passive:
        infinitive, participle, auxiliary = [*participle, "werden"], [*participle, "worden"], "sein"
    if tree.tense == "perfect" or (tree.tense == "past" and tree.spoken):
        return _auxiliary(auxiliary, subject), participle
    if tree.tense == "future":
        return _auxiliary("werden", subject), infinitive
    if tree.tense in _MODALS:
        return _auxiliary(_MODALS[tree.tense], subject), infinitive
    if tree.passive:
        return _auxiliary("wurde" if tree.tense == "past" else "werden", subject), [verb.de_participle]
    form = _preterite(verb, subject) if tree.tense == "past" else present(verb, subject)
    return form, [verb.de_prefix] if verb.de_prefix else []


def _copula(tree: Clause, subject: Agreement, there: bool) -> tuple[str, list[str]]:
    infinitive = "geben" if there else "sein"
    if tree.tense == "future":
        return _auxiliary("werden", subject), [infinitive]
    if tree.tense in _MODALS:
        return _auxiliary(_MODALS[tree.tense], subject), [infinitive]
    if there:
        return {"past": "gab", "perfect": "hat"}.get(tree.tense, "gibt"), ["gegeben"] if tree.tense == "perfect" else []
    if tree.tense == "perfect":
        return _auxiliary("sein", subject), ["gewesen"]
    return _auxiliary("war" if tree.tense == "past" else "sein", subject), []


def _auxiliary(name: str, subject: Agreement) -> str:
    return _AUXILIARIES[name].split()[3 if subject.plural else subject.person - 1]


def _preterite(verb: Verb, subject: Agreement) -> str:
    past = verb.de_past
    if subject.plural:
        return past + ("n" if past.endswith("e") else "en")
    return past if subject.person != 2 else past + ("t" if past.endswith("s") else "st")


def present(verb: Verb, subject: Agreement) -> str:
    """Conjugate in the present: the third person is stored, the second follows from it."""
    if verb.de in _AUXILIARIES:
        return _auxiliary(verb.de, subject)
    if subject.plural:
        return verb.de
    if subject.person == 3:
        return verb.de_third
    if subject.person == 1:
        return verb.de[:-1] if verb.de.endswith("en") else verb.de[:-1] + "e"
    stem, third = verb.de.removesuffix("n").removesuffix("e"), verb.de_third
    if stem.endswith(("s", "ß", "z", "x")) or third.endswith(("est", "sst", "ßt")):
        return third
    if stem.endswith(("t", "d")) and not third.endswith("et"):
        return third + "st"
    return third[:-1] + "st"


def adjunct(tree: Adverb | PP) -> list[str]:
    """Write an adverb or a prepositional phrase."""
    if isinstance(tree, Adverb):
        return tree.de.split()
    words = tree.preposition.de.split("_")
    return _contract([*words, *phrase(tree.phrase, tree.preposition.de_case)], tree.phrase)


def _contract(words: list[str], tree: Phrase) -> list[str]:
    if isinstance(tree, NP) and tree.determiner == "the" and (words[0], words[1]) in _CONTRACTED:
        return [_CONTRACTED[words[0], words[1]], *words[2:]]
    return words


def phrase(tree: Phrase, case: str, *, negated: bool = False) -> list[str]:
    """Write a noun phrase in a case (``n a d g``); ``negated`` turns a bare one into *kein*."""
    match tree:
        case Personal(pronoun):
            return [_PERSONAL[pronoun].split()["nad".index(case)]]
        case Name(text, _):
            return [text]
        case Pair(first, second):
            return [*phrase(first, case), "und", *phrase(second, case)]
        case NP():
            return _noun_phrase(tree, case, negated)


def _noun_phrase(tree: NP, case: str, negated: bool) -> list[str]:
    key = "p" if tree.plural else tree.noun.de_gender
    words, endings = _determiner("no" if negated else tree.determiner, key, case)
    words = [
        *words,
        *(inflected(adjective, endings) for adjective in tree.adjectives),
        noun_form(tree.noun, tree.plural, case),
    ]
    if tree.of:
        words += phrase(tree.of, "g")
    if tree.modifier:
        words += adjunct(tree.modifier)
    if tree.relative:
        pronoun = _relative_pronoun(tree, key)
        words += [",", *subordinate_clause(tree.relative, pronoun), ","]
    return words


def _determiner(name: str, key: str, case: str) -> tuple[list[str], str]:
    """Give the determiner and the ending of adjectives after it."""
    index = _CASES.index(case)
    weak, strong = _WEAK[key].split()[index], _STRONG[key].split()[index]
    if name in _UNINFLECTED:
        return _UNINFLECTED[name], strong
    if name == "the":
        return [_DEFINITE[key].split()[index]], weak
    if name in _EIN_WORDS:
        return [_EIN_WORDS[name] + _EIN[key].split(" ")[index]], _MIXED[key].split()[index]
    if name in ("many", "some"):
        return [{"many": "viel", "some": "einig"}[name] + strong], strong
    return [{"this": "dies", "every": "jed", "all": "all"}[name] + _DIESER[key].split()[index]], weak


def inflected(adjective: Adjective, ending: str) -> str:
    """Inflect an attributive adjective."""
    return adjective.de_stem.removesuffix("e") + ending


def noun_form(noun: Noun, plural: bool, case: str) -> str:
    """Decline a noun."""
    if plural:
        return noun.de_plural + ("n" if case == "d" and not noun.de_plural.endswith(("n", "s")) else "")
    if case == "g" or (noun.weak and case != "n"):
        return noun.de_genitive
    return noun.de


def _relative_pronoun(tree: NP, key: str) -> list[str]:
    assert tree.relative is not None
    case = "n" if tree.relative.gap == "subject" else "a"
    return ["die" if key == "p" else _DEFINITE[key].split()[_CASES.index(case)]]

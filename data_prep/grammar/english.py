"""English: morphology and word order."""

from data_prep.grammar.lexicon import Adverb
from data_prep.grammar.syntax import (
    MODALS,
    NP,
    OPENERS,
    PP,
    Clause,
    Name,
    Pair,
    Personal,
    Phrase,
    Sentence,
    agreement,
    finish,
    join_words,
    subject_agreement,
)

_OBLIQUE = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them", "you": "you"}
_DOUBLED = {"forget"}
_NOT = {"can": "can't", "must": "mustn't", "should": "shouldn't", "will": "won't", "would": "wouldn't"}
_SHORT = {"am": "'m", "are": "'re", "have": "'ve", "will": "'ll", "is": "'s", "has": "'s", "would": "'d"}


def sentence(tree: Sentence) -> str:
    """Write a sentence."""
    words = [*OPENERS[tree.opener][0].split()] if tree.opener else []
    words += clause(tree.clause)
    if tree.second:
        words += [",", tree.joined_by, *clause(tree.second)]
    mark = "?" if tree.clause.question else "!" if tree.exclamation else "."
    text = finish(join_words([*words, mark]))
    if tree.quoted_by:
        return f"{finish(join_words(clause(tree.quoted_by)))}: “{text}”"
    return text


def clause(tree: Clause) -> list[str]:
    """Put a main or subordinate clause in order: English has the same order in both, apart from questions."""
    before: list[str] = []
    after: list[str] = []
    if tree.subordinate:
        words = [tree.conjunction, *clause(tree.subordinate)]
        before, after = ([*words, ","], []) if tree.subordinate_first else ([], words)
    if tree.front:
        before += [*adjunct(tree.front), ","]
    return before + _core(tree) + after


def _core(tree: Clause) -> list[str]:
    finite, *rest = verb_words(tree)
    subject = phrase(tree.subject) if tree.subject else []
    if tree.verb is None and tree.predicate is None:
        subject = ["there"]
    middle = [tree.mid.en] if tree.mid else []
    body = [*rest, *complements(tree)]
    if tree.question in ("", "who"):
        subject = ["who"] if tree.question == "who" else subject
        if finite == "":
            return [*subject, *middle, *body]
        if tree.negative and tree.spoken and finite == "am":
            return ["I'm", "not", *middle, *body]
        if tree.negative:
            return [*subject, *_negated(finite, tree.spoken), *middle, *body]
        if tree.spoken and isinstance(tree.subject, Personal) and finite in _SHORT:
            return [subject[0] + _SHORT[finite], *middle, *body]
        return [*subject, finite, *middle, *body]
    opening = {"yes-no": [], "whither": ["where"]}.get(tree.question, [tree.question])
    negation = _negated(finite, tree.spoken) if tree.negative else [finite]
    if len(negation) == 2:
        return [*opening, negation[0], *subject, "not", *middle, *body]
    return [*opening, *negation, *subject, *middle, *body]


def verb_words(tree: Clause) -> list[str]:
    """Give the auxiliary (empty if there is none) and then the other verb forms."""
    subject = subject_agreement(tree)
    if tree.verb is None and tree.predicate is None:
        subject = agreement(tree.object)
    be = _be(subject.person, subject.plural)
    third = subject.person == 3 and not subject.plural
    plain = "be" if tree.verb is None or tree.passive else tree.verb.en
    participle = "been" if plain == "be" else tree.verb.en_participle if tree.verb else ""
    tail = [tree.verb.en_participle] if tree.passive and tree.verb else []
    match tree.tense:
        case "future":
            return ["will", plain, *tail]
        case "perfect":
            return ["has" if third else "have", participle, *tail]
        case "want":
            return _with_do(["wants" if third else "want", "to", plain, *tail], tree, third, "want")
        case "would like":
            return ["would", "like", "to", plain, *tail]
        case tense if tense in MODALS:
            return [tense, plain, *tail]
    past = tree.tense == "past"
    if plain == "be":
        return [("were" if subject.plural or subject.person == 2 else "was") if past else be, *tail]
    assert tree.verb is not None
    if tree.progressive:
        return [be, ing(tree.verb.en)]
    form = tree.verb.en_past if past else third_person(tree.verb.en) if third else tree.verb.en
    return _with_do([form], tree, third, tree.verb.en)


def _with_do(forms: list[str], tree: Clause, third: bool, infinitive: str) -> list[str]:
    """Add *do* where a question or a negation needs it."""
    if tree.question in ("", "who") and not tree.negative:
        return ["", *forms]
    do = "did" if tree.tense == "past" else "does" if third else "do"
    return [do, infinitive, *forms[1:]]


def _be(person: int, plural: bool) -> str:
    return "are" if plural or person == 2 else "am" if person == 1 else "is"


def _negated(finite: str, spoken: bool) -> list[str]:
    if spoken and finite != "am":
        return [_NOT.get(finite, finite + "n't")]
    return ["cannot"] if finite == "can" else [finite, "not"]


def complements(tree: Clause) -> list[str]:
    """Write everything after the verb, up to the adverbial clause."""
    words: list[str] = []
    if tree.predicate:
        words += adjunct(tree.predicate.degree) if tree.predicate.degree else []
        words += [tree.predicate.adjective.en] if tree.predicate.adjective else []
        words += adjunct(tree.predicate.place) if tree.predicate.place else []
    preposition = tree.verb.en_object.split() if tree.verb and not tree.passive else []
    if tree.object:
        words += [*preposition, *phrase(tree.object, oblique=True, negated=tree.negative)]
    elif tree.gap == "object" or tree.question == "what":
        words += preposition
    if tree.recipient:
        words += ["to", *phrase(tree.recipient, oblique=True)]
    if tree.agent:
        words += ["by", *phrase(tree.agent, oblique=True)]
    for item in (*tree.places, *tree.times):
        words += adjunct(item)
    if tree.complement and tree.verb:
        if tree.verb.frame == "infinitive":
            words += ["to", *_infinitive(tree.complement)]
        else:
            words += [tree.complementiser, *clause(tree.complement)]
    return words


def _infinitive(tree: Clause) -> list[str]:
    return [tree.verb.en if tree.verb else "be", *complements(tree)]


def adjunct(tree: Adverb | PP) -> list[str]:
    """Write an adverb or a prepositional phrase."""
    if isinstance(tree, Adverb):
        return tree.en.split()
    return [*tree.preposition.en.split(), *phrase(tree.phrase, oblique=True)]


def phrase(tree: Phrase, *, oblique: bool = False, negated: bool = False) -> list[str]:
    """Write a noun phrase; ``negated`` turns a bare one into *any*."""
    match tree:
        case Personal(pronoun):
            return [_OBLIQUE[pronoun] if oblique else pronoun]
        case Name(text, _):
            return [text]
        case Pair(first, second):
            return [*phrase(first), "and", *phrase(second)]
        case NP():
            return _noun_phrase(tree, negated)


def _noun_phrase(tree: NP, negated: bool) -> list[str]:
    noun = tree.noun.en_plural if tree.plural else tree.noun.en
    words = [*(adjective.en for adjective in tree.adjectives), noun]
    match tree.determiner:
        case "bare":
            words = ["any", *words] if negated else words
        case "a":
            words = [_article(words[0]), *words]
        case "this":
            words = ["these" if tree.plural else "this", *words]
        case "all":
            words = ["all", "the", *words]
        case other:
            words = [other, *words]
    if tree.of:
        words += ["of", *phrase(tree.of)]
    if tree.modifier:
        words += adjunct(tree.modifier)
    if tree.relative:
        words += ["who" if "pers" in tree.noun.tags and tree.relative.gap == "subject" else "that"]
        words += clause(tree.relative)
    return words


def _article(following: str) -> str:
    if following.startswith(("uni", "use", "Euro")):
        return "a"
    return "an" if following[0] in "aeiouAEIOU" else "a"


def third_person(verb: str) -> str:
    """Form the third person singular of the present."""
    if verb == "have":
        return "has"
    if verb[-1] == "y" and verb[-2] not in "aeou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "ch", "sh", "o")) else "s")


def ing(verb: str) -> str:
    """Form the present participle."""
    if verb.endswith("ie"):
        return verb[:-2] + "ying"
    if verb.endswith("e") and not verb.endswith("ee"):
        return verb[:-1] + "ing"
    return verb + (verb[-1] if verb in _DOUBLED else "") + "ing"

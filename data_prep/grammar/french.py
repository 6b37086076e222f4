"""French: morphology, agreement, elision and contraction."""

from functools import cache

from data_prep.grammar.lexicon import Adjective, Adverb
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
    agreement,
    finish,
    join_words,
    subject_agreement,
)

_SUBJECTS = {"I": "je", "you": "tu", "he": "il", "she": "elle", "we": "nous", "they": "ils"}
_STRESSED = {"I": "moi", "you": "toi", "he": "lui", "she": "elle", "we": "nous", "they": "eux"}
# masculine (before a vowel too), feminine, plural; ``a~b`` is b before a vowel
_DETERMINERS = {
    "the": "le la les",
    "a": "un une des",
    "this": "ce~cet cette ces",
    "my": "mon ma~mon mes",
    "your": "ton ta~ton tes",
    "his": "son sa~son ses",
    "her": "son sa~son ses",
    "our": "notre notre nos",
    "their": "leur leur leurs",
    "every": "chaque chaque chaque",
}
_COUNTED = {"many": ["beaucoup", "de"], "some": ["quelques"], "two": ["deux"], "three": ["trois"]}
_CONJUNCTIONS = {
    "because": "parce que",
    "that": "que",
    "whether": "si",
    "if": "si",
    "although": "même si",
    "when": "quand",
}
_QUESTIONS = {
    "yes-no": "est-ce que",
    "what": "qu'est-ce que",
    "who": "qui",
    "where": "où est-ce que",
    "whither": "où est-ce que",
    "when": "quand est-ce que",
    "why": "pourquoi est-ce que",
}
_MODALS = {"can": "pouvoir", "must": "devoir", "should": "devrait", "want": "vouloir", "would like": "voudrait"}
_VOWELS = frozenset("aeiouâàéèêëîïôûœAEIOUÉÈÊh")
_ELIDED = {"le": "l'", "la": "l'", "de": "d'", "que": "qu'", "ne": "n'", "je": "j'"}
_CONTRACTED = {("de", "le"): "du", ("de", "les"): "des", ("à", "le"): "au", ("à", "les"): "aux"}

# Present (je tu il nous ils), future stem and participle by the end of the infinitive; ``-`` is what precedes it.
# The first match counts, so longer endings come first.
_MODELS = {
    "être": "suis es est sommes sont ser été",
    "avoir": "ai as a avons ont aur eu",
    "pouvoir": "peux peux peut pouvons peuvent pourr pu",
    "devoir": "dois dois doit devons doivent devr dû",
    "vouloir": "veux veux veut voulons veulent voudr voulu",
    "savoir": "sais sais sait savons savent saur su",
    "venir": "-viens -viens -vient -venons -viennent -viendr -venu",
    "tenir": "-tiens -tiens -tient -tenons -tiennent -tiendr -tenu",
    "recevoir": "reçois reçois reçoit recevons reçoivent recevr reçu",
    "voir": "-vois -vois -voit -voyons -voient -verr -vu",
    "partir": "pars pars part partons partent partir parti",
    "dormir": "dors dors dort dormons dorment dormir dormi",
    "ouvrir": "-ouvre -ouvres -ouvre -ouvrons -ouvrent -ouvrir -ouvert",
    "offrir": "-offre -offres -offre -offrons -offrent -offrir -offert",
    "prendre": "-prends -prends -prend -prenons -prennent -prendr -pris",
    "mettre": "-mets -mets -met -mettons -mettent -mettr -mis",
    "connaître": "connais connais connaît connaissons connaissent connaîtr connu",
    "disparaître": "disparais disparais disparaît disparaissons disparaissent disparaîtr disparu",
    "lire": "-lis -lis -lit -lisons -lisent -lir -lu",
    "écrire": "écris écris écrit écrivons écrivent écrir écrit",
    "dire": "dis dis dit disons disent dir dit",
    "rire": "ris ris rit rions rient rir ri",
    "croire": "crois crois croit croyons croient croir cru",
    "boire": "bois bois boit buvons boivent boir bu",
    "truire": "-truis -truis -truit -truisons -truisent -truir -truit",
    "suivre": "-suis -suis -suit -suivons -suivent -suivr -suivi",
    "résoudre": "résous résous résout résolvons résolvent résoudr résolu",
    "interrompre": "interromps interromps interrompt interrompons interrompent interrompr interrompu",
    "envoyer": "envoie envoies envoie envoyons envoient enverr envoyé",
    "essayer": "essaie essaies essaie essayons essaient essaier essayé",
    "nettoyer": "nettoie nettoies nettoie nettoyons nettoient nettoier nettoyé",
    "rejeter": "rejette rejettes rejette rejetons rejettent rejetter rejeté",
    "acheter": "achète achètes achète achetons achètent achèter acheté",
    "protéger": "protège protèges protège protégeons protègent protéger protégé",
    "espérer": "espère espères espère espérons espèrent espérer espéré",
    "ger": "-ge -ges -ge -geons -gent -ger -gé",
    "cer": "-ce -ces -ce -çons -cent -cer -cé",
    "er": "-e -es -e -ons -ent -er -é",
    "dre": "-ds -ds -d -dons -dent -dr -du",
    "ir": "-is -is -it -issons -issent -ir -i",
}
_FUTURE = ("ai", "as", "a", "ons", "ont")
_CONDITIONAL = ("ais", "ais", "ait", "ions", "aient")


def sentence(tree: Sentence) -> str:
    """Write a sentence."""
    words = [*OPENERS[tree.opener][2].split()] if tree.opener else []
    words += main_clause(tree.clause)
    if tree.second:
        words += [",", {"and": "et", "but": "mais"}[tree.joined_by], *main_clause(tree.second)]
    mark = " ?" if tree.clause.question else " !" if tree.exclamation else "."
    text = finish(_text(words)) + mark
    if tree.quoted_by:
        return f"{finish(_text(main_clause(tree.quoted_by)))} : « {text} »"
    return text


def _text(words: list[str]) -> str:
    return join_words(attach(words)).removesuffix(",")


def main_clause(tree: Clause) -> list[str]:
    """Put a main clause in order, with its adverbial clause and question words."""
    before: list[str] = []
    after: list[str] = []
    if tree.subordinate:
        words = [*_CONJUNCTIONS[tree.conjunction].split(), *main_clause(tree.subordinate)]
        before, after = ([*words, ","], []) if tree.subordinate_first else ([], words)
    if tree.front:
        before += [*adjunct(tree.front), ","]
    question = _QUESTIONS[tree.question].split() if tree.question else []
    return before + question + _core(tree) + after


def _core(tree: Clause) -> list[str]:
    there = tree.verb is None and tree.predicate is None
    subject = ["il"] if there else phrase(tree.subject, subject=True) if tree.subject else []
    finite, rest = verb_words(tree)
    negation = ["pas"] if tree.negative else []
    words = ["ne"] if tree.negative else []
    words += ["y"] if there and tree.tense not in _MODALS else []
    middle = tree.mid.fr.split() if tree.mid else []
    if there and tree.tense in _MODALS:
        rest = ["y", *rest]
    return [*subject, *words, finite, *negation, *middle, *rest, *complements(tree)]


def verb_words(tree: Clause) -> tuple[str, list[str]]:
    """Give the finite form and the participles or infinitives after it."""
    subject = subject_agreement(tree)
    there = tree.verb is None and tree.predicate is None
    main = tree.verb.fr if tree.verb else "avoir" if there else "être"
    subject = Agreement(3, False, False) if there else subject
    ending = agreeing(participle(main), subject)
    if tree.passive:
        main, tail = "être", [ending]
    else:
        tail = []
    if tree.tense in _MODALS:
        modal = _MODALS[tree.tense]
        finite = conjugated(modal, subject) if modal.endswith("oir") else _conditional(modal, subject)
        return finite, [main, *tail]
    if tree.tense == "future":
        return _future(main, subject), tail
    if tree.tense in ("past", "perfect"):
        if tree.tense == "past" and not tree.passive and (tree.verb is None or tree.verb.stative):
            return _imperfect(main, subject), tail
        if tree.verb and tree.verb.fr_etre and not tree.passive:
            return conjugated("être", subject), [ending]
        return conjugated("avoir", subject), [_past_participle(tree, main), *tail]
    return conjugated(main, subject), tail


def _past_participle(tree: Clause, main: str) -> str:
    """Give the participle after *avoir*: it agrees with a direct object in front of it."""
    if tree.gap == "object" and tree.head and tree.verb and not tree.verb.fr_object and not tree.passive:
        return agreeing(participle(main), tree.head)
    return participle(main)


def agreeing(word: str, subject: Agreement) -> str:
    """Add the endings of a participle."""
    word += "e" if subject.feminine else ""
    return word + ("s" if subject.plural and not word.endswith("s") else "")


@cache
def paradigm(infinitive: str) -> tuple[str, ...]:
    """Give je, tu, il, nous, ils, future stem and participle."""
    if infinitive in _MODELS:
        return tuple(form.lstrip("-") for form in _MODELS[infinitive].split())
    for ending, forms in _MODELS.items():
        if infinitive.endswith(ending):
            stem = infinitive.removesuffix(ending)
            return tuple(form.replace("-", stem) for form in forms.split())
    raise ValueError(f"no French conjugation for {infinitive!r}")


def participle(infinitive: str) -> str:
    """Give the past participle."""
    return paradigm(infinitive)[6]


def conjugated(infinitive: str, subject: Agreement) -> str:
    """Conjugate in the present."""
    return paradigm(infinitive)[_slot(subject)]


def _slot(subject: Agreement) -> int:
    return {1: 3, 3: 4}[subject.person] if subject.plural else subject.person - 1


def _future(infinitive: str, subject: Agreement) -> str:
    return paradigm(infinitive)[5] + _FUTURE[_slot(subject)]


def _conditional(third: str, subject: Agreement) -> str:
    return third.removesuffix("ait") + _CONDITIONAL[_slot(subject)]


def _imperfect(infinitive: str, subject: Agreement) -> str:
    """Conjugate in the imperfect, the past of states; its stem is that of *nous* but for *être*."""
    stem = "ét" if infinitive == "être" else paradigm(infinitive)[3].removesuffix("ons")
    ending = _CONDITIONAL[_slot(subject)]
    return (stem[:-1] if stem.endswith("ge") and ending[0] == "i" else stem) + ending


def complements(tree: Clause) -> list[str]:
    """Write everything after the verb, up to the adverbial clause."""
    words: list[str] = []
    if tree.predicate:
        words += adjunct(tree.predicate.degree) if tree.predicate.degree else []
        if tree.predicate.adjective:
            words += [adjective_form(tree.predicate.adjective, subject_agreement(tree))]
        words += adjunct(tree.predicate.place) if tree.predicate.place else []
    if tree.object:
        preposition = [] if tree.passive or not tree.verb or not tree.verb.fr_object else [tree.verb.fr_object]
        words += _governed(preposition, tree.object, negated=tree.negative)
    if tree.recipient:
        words += _governed(["à"], tree.recipient)
    if tree.agent:
        words += _governed(["par"], tree.agent)
    for item in (*tree.places, *tree.times):
        words += adjunct(item)
    if tree.complement and tree.verb:
        if tree.verb.frame == "infinitive":
            words += [tree.verb.fr_object, *_infinitive(tree.complement)]
        else:
            words += [*_CONJUNCTIONS[tree.complementiser].split(), *main_clause(tree.complement)]
    return words


def _infinitive(tree: Clause) -> list[str]:
    return [tree.verb.fr if tree.verb else "être", *complements(tree)]


def adjunct(tree: Adverb | PP) -> list[str]:
    """Write an adverb or a prepositional phrase."""
    if isinstance(tree, Adverb):
        return tree.fr.split()
    return _governed(tree.preposition.fr.split("_"), tree.phrase)


def _governed(preposition: list[str], tree: Phrase, *, negated: bool = False) -> list[str]:
    """Write a preposition and its phrase; *de* repeats in a pair and swallows *des* and *du*."""
    if isinstance(tree, Pair) and preposition and preposition[-1] in ("de", "à"):
        return [*_governed(preposition, tree.first), "et", *_governed(preposition[-1:], tree.second)]
    return [*preposition, *phrase(tree, negated=negated, after_de=preposition[-1:] == ["de"])]


def phrase(tree: Phrase, *, subject: bool = False, negated: bool = False, after_de: bool = False) -> list[str]:
    """Write a noun phrase; ``negated`` turns a bare one into *de*, ``after_de`` drops its partitive."""
    match tree:
        case Personal(pronoun):
            return [(_SUBJECTS if subject else _STRESSED)[pronoun]]
        case Name(text, _):
            return [text]
        case Pair(first, second):
            return [*phrase(first), "et", *phrase(second)]
        case NP():
            return _noun_phrase(tree, negated, after_de)


def _noun_phrase(tree: NP, negated: bool, after_de: bool) -> list[str]:
    agree = agreement(tree)
    before = [adjective_form(a, agree, attributive=True) for a in tree.adjectives if a.fr_before]
    behind = [adjective_form(a, agree) for a in tree.adjectives if not a.fr_before]
    noun = tree.noun.fr_plural if tree.plural else tree.noun.fr
    determiner = _determiner(tree, agree, bool(before), negated, after_de)
    words = [*determiner, *before, *noun.split(), *behind]
    if tree.of:
        words += _governed(["de"], tree.of)
    if tree.modifier:
        words += adjunct(tree.modifier)
    if tree.relative:
        words += [*_relative_pronoun(tree), *main_clause(tree.relative)]
    return words


def _determiner(tree: NP, agree: Agreement, adjective_first: bool, negated: bool, after_de: bool) -> list[str]:
    index = 2 if tree.plural else int(agree.feminine)
    name = tree.determiner
    if name == "bare":
        if after_de:
            return []
        if negated or (tree.plural and adjective_first):
            return ["de"]
        return ["des"] if tree.plural else ["de", ("le", "la")[index]]
    if name == "all":
        return ["toutes" if agree.feminine else "tous", "les"]
    if name in _COUNTED:
        return _COUNTED[name]
    return [_DETERMINERS[name].split()[index]]


def adjective_form(adjective: Adjective, agree: Agreement, *, attributive: bool = False) -> str:
    """Inflect an adjective; before its noun a masculine may change before a vowel (*bel*)."""
    form = adjective.fr[2 * agree.plural + agree.feminine]
    changes = attributive and adjective.fr_vowel and not agree.plural and not agree.feminine
    return f"{form}~{adjective.fr_vowel}" if changes else form


def _relative_pronoun(tree: NP) -> list[str]:
    assert tree.relative is not None
    return ["qui" if tree.relative.gap == "subject" else "que"]


def attach(words: list[str]) -> list[str]:
    """Elide (*l'homme*), contract (*du*) and choose the forms before a vowel (*cet*)."""
    done: list[str] = []
    for word, following in zip(words, [*words[1:], "."], strict=True):
        vowel = following[0] in _VOWELS or following == "y"
        if "~" in word:
            word = word.split("~")[vowel]
        if word == "si" and following in ("il", "ils"):
            word = "s'"
        elif vowel and word in _ELIDED:
            word = _ELIDED[word]
        done.append(word.lstrip("*"))
    return _contract(_glue(done))


def _glue(words: list[str]) -> list[str]:
    """Join an elided word to the next one."""
    glued: list[str] = []
    for word in words:
        if glued and glued[-1].endswith("'"):
            glued[-1] += word
        else:
            glued.append(word)
    return glued


def _contract(words: list[str]) -> list[str]:
    contracted: list[str] = []
    for word in words:
        if contracted and (contracted[-1], word) in _CONTRACTED:
            contracted[-1] = _CONTRACTED[contracted[-1], word]
        else:
            contracted.append(word)
    return contracted

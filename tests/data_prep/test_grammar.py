"""The embedded grammar: exact sentences of hand-built trees, properties of drawn ones, and the files."""

import hashlib
import json
import re
from dataclasses import replace
from itertools import islice, pairwise
from unittest import mock

import pytest

from data_prep import __main__ as command
from data_prep.grammar import corpus, lexicon, stamp, write_corpus
from data_prep.grammar.lexicon import adjective, adverb, noun, preposition, verb
from data_prep.grammar.syntax import NP, PP, Clause, Pair, Personal, Predicate, Sentence, relative

COMMITTEE, PROPOSAL, MINISTER, LAW = (NP(noun(word)) for word in ("committee", "proposal", "minister", "law"))
PARLIAMENT, MAN = NP(noun("parliament")), NP(noun("man"))
BUDGET = NP(noun("budget"), adjectives=(adjective("new"),))
REJECTED = Clause(MINISTER, verb("reject"), "past", object=BUDGET)
ADOPTED = Clause(COMMITTEE, verb("adopt"), "perfect", object=PROPOSAL)
KEYS = NP(noun("key"), plural=True)
ME, YOU, HE, SHE, WE, THEY = (Personal(word) for word in ("I", "you", "he", "she", "we", "they"))

GOLDEN = {
    "because, verb last, negation": (
        replace(ADOPTED, negative=True, subordinate=REJECTED),
        "The committee has not adopted the proposal because the minister rejected the new budget.",
        "Der Ausschuss hat den Vorschlag nicht angenommen, weil der Minister den neuen Haushalt ablehnte.",
        "Le comité n'a pas adopté la proposition parce que le ministre a rejeté le nouveau budget.",
    ),
    "fronted clause, inversion": (
        replace(
            ADOPTED,
            tense="future",
            subordinate=replace(REJECTED, tense="present"),
            conjunction="if",
            subordinate_first=True,
        ),
        "If the minister rejects the new budget, the committee will adopt the proposal.",
        "Wenn der Minister den neuen Haushalt ablehnt, wird der Ausschuss den Vorschlag annehmen.",
        "Si le ministre rejette le nouveau budget, le comité adoptera la proposition.",
    ),
    "si before il": (
        Clause(
            WE,
            verb("stay"),
            "future",
            subordinate=Clause(HE, None, predicate=Predicate(adjective("sick")), spoken=True),
            conjunction="if",
            spoken=True,
        ),
        "We'll stay if he's sick.",
        "Wir werden bleiben, wenn er krank ist.",
        "Nous resterons s'il est malade.",
    ),
    "fronted adverb, separable verb": (
        replace(REJECTED, front=adverb("yesterday")),
        "Yesterday, the minister rejected the new budget.",
        "Gestern lehnte der Minister den neuen Haushalt ab.",
        "Hier, le ministre a rejeté le nouveau budget.",
    ),
    "passive with agent, genitive": (
        Clause(replace(LAW, plural=True, of=COMMITTEE), verb("adopt"), "perfect", passive=True, agent=PARLIAMENT),
        "The laws of the committee have been adopted by the parliament.",
        "Die Gesetze des Ausschusses sind vom Parlament angenommen worden.",
        "Les lois du comité ont été adoptées par le parlement.",
    ),
    "passive modal, verb last": (
        Clause(MINISTER, verb("say"), "past", complement=Clause(LAW, verb("amend"), "must", passive=True)),
        "The minister said that the law must be amended.",
        "Der Minister sagte, dass das Gesetz geändert werden muss.",
        "Le ministre a dit que la loi doit être modifiée.",
    ),
    "object relative, participle agreement": (
        Clause(
            relative(LAW, Clause(PARLIAMENT, verb("adopt"), "perfect", gap="object")),
            verb("receive"),
            "future",
            object=NP(noun("money"), "bare"),
        ),
        "The law that the parliament has adopted will receive money.",
        "Das Gesetz, das das Parlament angenommen hat, wird Geld bekommen.",
        "La loi que le parlement a adoptée recevra de l'argent.",
    ),
    "subject relative, weak noun, dative plural": (
        Clause(
            relative(
                NP(noun("president")),
                Clause(None, verb("help"), "perfect", gap="subject", object=NP(noun("child"), plural=True)),
            ),
            verb("hesitate"),
            "past",
        ),
        "The president who has helped the children hesitated.",
        "Der Präsident, der den Kindern geholfen hat, zögerte.",
        "Le président qui a aidé les enfants a hésité.",
    ),
    "infinitive clause, zu inside": (
        Clause(PARLIAMENT, verb("decide"), "perfect", complement=Clause(None, verb("reject"), object=LAW)),
        "The parliament has decided to reject the law.",
        "Das Parlament hat beschlossen, das Gesetz abzulehnen.",
        "Le parlement a décidé de rejeter la loi.",
    ),
    "kein and pas de": (
        Clause(SHE, verb("have"), negative=True, object=NP(noun("money"), "bare"), spoken=True),
        "She doesn't have any money.",
        "Sie hat kein Geld.",
        "Elle n'a pas d'argent.",
    ),
    "il n'y a pas": (
        Clause(
            None,
            None,
            negative=True,
            object=NP(noun("shop"), "bare", True),
            spoken=True,
            places=(PP(preposition("in"), NP(noun("village"))),),
        ),
        "There aren't any shops in the village.",
        "Es gibt keine Geschäfte im Dorf.",
        "Il n'y a pas de magasins dans le village.",
    ),
    "de before a preposed adjective": (
        Clause(THEY, verb("buy"), "perfect", object=NP(noun("car"), "bare", True, (adjective("new"),)), spoken=True),
        "They've bought new cars.",
        "Sie haben neue Autos gekauft.",
        "Ils ont acheté de nouvelles voitures.",
    ),
    "negative question": (
        Clause(
            YOU,
            verb("like"),
            negative=True,
            question="yes-no",
            object=NP(noun("song"), "the", False, (adjective("new"),)),
            spoken=True,
        ),
        "Don't you like the new song?",
        "Magst du das neue Lied nicht?",
        "Est-ce que tu n'aimes pas la nouvelle chanson ?",
    ),
    "lost keys": (
        Clause(WE, verb("lose"), "perfect", object=KEYS, spoken=True),
        "We've lost the keys.",
        "Wir haben die Schlüssel verloren.",
        "Nous avons perdu les clés.",
    ),
    "être agrees, sein": (
        Clause(NP(noun("sister"), "my", True), verb("arrive"), "perfect", mid=adverb("already"), spoken=True),
        "My sisters have already arrived.",
        "Meine Schwestern sind schon angekommen.",
        "Mes sœurs sont déjà arrivées.",
    ),
    "what": (
        Clause(HE, verb("eat"), progressive=True, question="what", spoken=True),
        "What is he eating?",
        "Was isst er?",
        "Qu'est-ce qu'il mange ?",
    ),
    "who": (
        Clause(None, verb("invite"), "present", question="who", object=NP(noun("neighbour"), "your"), spoken=True),
        "Who invites your neighbour?",
        "Wer lädt deinen Nachbarn ein?",
        "Qui invite ton voisin ?",
    ),
    "forms before a vowel": (
        Clause(
            NP(noun("friend"), "this"), verb("see"), object=NP(noun("hotel"), "a", False, (adjective("beautiful"),))
        ),
        "This friend sees a beautiful hotel.",
        "Dieser Freund sieht ein schönes Hotel.",
        "Cet ami voit un bel hôtel.",
    ),
    "aspirated h and au": (
        Clause(MAN, verb("react to"), "past", object=NP(noun("increase"))),
        "The man reacted to the increase.",
        "Der Mann reagierte auf die Erhöhung.",
        "L'homme a réagi à la hausse.",
    ),
    "dative recipient before object": (
        Clause(MINISTER, verb("explain"), "future", object=LAW, recipient=COMMITTEE),
        "The minister will explain the law to the committee.",
        "Der Minister wird dem Ausschuss das Gesetz erklären.",
        "Le ministre expliquera la loi au comité.",
    ),
    "pair, strong declension, imperfect": (
        Clause(
            Pair(COMMITTEE, PARLIAMENT),
            verb("know"),
            "past",
            object=NP(noun("problem"), "many", True, (adjective("social"),)),
        ),
        "The committee and the parliament knew many social problems.",
        "Der Ausschuss und das Parlament kannten viele soziale Probleme.",
        "Le comité et le parlement connaissaient beaucoup de problèmes sociaux.",
    ),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_sentence(name):
    tree, *expected = GOLDEN[name]
    assert list(corpus.realise(Sentence(tree))) == expected


def test_quotation_and_opener():
    spoken = Clause(ME, None, predicate=Predicate(adjective("tired"), adverb("very")), negative=True, spoken=True)
    said = Clause(NP(noun("woman")), verb("say"), "past")
    assert corpus.realise(Sentence(spoken, quoted_by=said)) == (
        "The woman said: “I'm not very tired.”",
        "Die Frau sagte: „Ich bin nicht sehr müde.“",
        "La femme a dit : « Je ne suis pas très fatigué. »",
    )
    assert corpus.realise(Sentence(replace(spoken, negative=False), opener="Yes,", exclamation=True)) == (
        "Yes, I'm very tired!",
        "Ja, ich bin sehr müde!",
        "Oui, je suis très fatigué !",
    )


def draw(domain, number=1500, seed=5):
    return list(islice(corpus.triples(domain, seed), number))


@pytest.mark.parametrize("domain", corpus.domains())
def test_form_of_drawn_sentences(domain):
    for triple in draw(domain):
        for text in triple:
            assert re.fullmatch(r"\S+( \S+)*", text)
            assert text[0].isupper()
            assert re.search(r"([.!?]|[.!?]”|[.!?]“|[.!?] »)$", text)
            assert not re.search(r"[*~_|+]| [,.]|,,|,[.?!]", text)
            assert len(text.split()) <= corpus.MAX_WORDS


@pytest.mark.parametrize("domain", corpus.domains())
def test_contractions_and_elisions(domain):
    wrong_french = r"\b(([Dd]e les?|à les?|[Qq]ue (il|elle)s?|[Ss]i ils?)\b|([LlDdJj]e|[Nn]e|[Ll]a|[Cc]e) [aeiouéèêâô])"
    for _, german, french in draw(domain):
        assert not re.search(wrong_french, french), french
        if " und " not in german:  # a pair keeps its articles: "von dem Verband und dem Rat"
            assert not re.search(r"\b([Vv]on|[Ii]n|[Aa]n) dem ", german), german


def test_at_least_300_lemmas():
    assert lexicon.count_lemmas() >= 300


def test_every_class_a_word_asks_for_has_nouns():
    tags = {tag for entry in lexicon.all_nouns() for tag in entry.tags}
    asked = {tag for entry in lexicon.all_verbs() for tag in entry.subjects | entry.objects}
    asked |= {tag for entry in lexicon.all_adjectives() for tag in entry.tags}
    assert asked - tags == set()


def test_lexicon_line_with_a_missing_cell():
    with pytest.raises(ValueError, match=r"lexicon line 'a \| b': expected 3 cells, got 2"):
        lexicon.rows("a | b", 3)


def test_the_registers_differ_in_length_and_combinations_more_than_in_words():
    chamber, talk = (
        [re.findall(r"[\w'’]+", line[0].lower()) for line in draw(name, 6000)] for name in corpus.domains()
    )
    assert 11 <= sum(map(len, chamber)) / len(chamber) <= 18
    assert 5 <= sum(map(len, talk)) / len(talk) <= 9
    known, known_bigrams = (
        {word for line in chamber for word in line},
        {pair for line in chamber for pair in pairwise(line)},
    )
    words = [word for line in talk for word in line]
    bigrams = [pair for line in talk for pair in pairwise(line)]
    assert sum(word in known for word in words) / len(words) > 0.9
    assert sum(pair not in known_bigrams for pair in bigrams) / len(bigrams) > 0.3


def write(folder, **options):
    write_corpus(folder, **{"domain": "talk", "pairs": 300, "valid_pairs": 40, "test_pairs": 50, "seed": 3, **options})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_aligned_distinct_and_described(tmp_path):
    files = write(tmp_path / "a")
    facts = json.loads(files.pop("grammar.json"))
    sizes = {"train": 300, "valid": 40, "test": 50}
    assert (facts["domain"], facts["seed"], facts["lines"]) == ("talk", 3, sizes)
    assert facts["sha256"] == {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    assert set(files) == {f"{split}.{language}" for split in sizes for language in corpus.LANGUAGES}
    for language in corpus.LANGUAGES:
        lines = [files[f"{split}.{language}"].decode().splitlines() for split in sizes]
        assert [len(part) for part in lines] == list(sizes.values())
        assert len({line for part in lines for line in part}) == sum(sizes.values())


def test_the_seed_decides(tmp_path):
    first = write(tmp_path / "a")
    assert write(tmp_path / "b") == first
    assert write(tmp_path / "c", seed=4)["train.de"] != first["train.de"]
    assert write(tmp_path / "d", pairs=10)["test.fr"] == first["test.fr"]


def test_empty_splits_are_not_written(tmp_path):
    write(tmp_path / "a")
    assert set(write(tmp_path / "a", pairs=0, valid_pairs=0)) == {"grammar.json", "test.en", "test.de", "test.fr"}


def moments(folder):
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_a_corpus_that_is_up_to_date_stays(tmp_path, caplog):
    write(tmp_path / "a")
    before = moments(tmp_path / "a")
    with caplog.at_level("INFO", "data_prep"):
        write(tmp_path / "a")
    assert moments(tmp_path / "a") == before
    assert "a is up to date" in caplog.text


def test_other_parameters_a_changed_file_and_a_changed_grammar_are_written_anew(tmp_path, monkeypatch):
    first = write(tmp_path / "a")
    assert write(tmp_path / "a", seed=4)["train.de"] != first["train.de"]
    assert write(tmp_path / "a") == first
    (tmp_path / "a" / "train.de").write_text("changed\n")
    assert write(tmp_path / "a") == first
    (tmp_path / "a" / "train.fr").unlink()
    assert write(tmp_path / "a") == first
    monkeypatch.setattr(stamp, "_grammar", lambda: "another")
    before = moments(tmp_path / "a")
    assert json.loads(write(tmp_path / "a")["grammar.json"])["grammar"] == "another"
    assert moments(tmp_path / "a")["train.en"] != before["train.en"]


def test_a_run_that_is_cut_short_changes_nothing(tmp_path, monkeypatch):
    first = write(tmp_path / "a")
    with monkeypatch.context() as patches, pytest.raises(KeyboardInterrupt):
        patches.setattr(stamp, "write", mock.Mock(side_effect=KeyboardInterrupt))
        write(tmp_path / "a", seed=4)
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == first
    write(tmp_path / "a", seed=4)
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


@pytest.mark.parametrize("stamped", [None, "[]", "{"])
def test_a_folder_of_something_else_is_not_replaced(tmp_path, stamped):
    (tmp_path / "train.en").write_text("mine\n")
    if stamped:
        (tmp_path / "grammar.json").write_text(stamped)
    with pytest.raises(ValueError, match="the grammar did not write .* in it; give another folder or remove it your"):
        write(tmp_path)
    assert (tmp_path / "train.en").read_text() == "mine\n"


def test_a_file_beside_a_corpus_is_not_lost(tmp_path):
    write(tmp_path / "a")
    (tmp_path / "a" / "notes").touch()
    with pytest.raises(ValueError, match="a: would be replaced, but the grammar did not write notes in it"):
        write(tmp_path / "a", seed=4)


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(ValueError, match="a: is a file; expected a folder or nothing"):
        write(tmp_path / "a")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"domain": "poetry"}, "unknown domain 'poetry'; expected one of: chamber, talk"),
        ({"pairs": -1}, "train pairs: expected 0 or more, got -1"),
        ({"pairs": 0, "valid_pairs": 0, "test_pairs": 0}, "all splits have 0 pairs"),
    ],
)
def test_refused_parameters(tmp_path, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        write(tmp_path / "a", **options)
    assert not (tmp_path / "a").exists()


def test_an_exhausted_grammar_says_so(monkeypatch):
    class Parrot:
        def __init__(self, rng):
            pass

        def sentence(self):
            return Sentence(REJECTED)

    monkeypatch.setitem(corpus._DOMAINS, "talk", Parrot)
    with pytest.raises(ValueError, match="gave only 1 different sentences before 200 repeats in a row; ask for fewer"):
        draw("talk", 2)


def test_command_line(tmp_path, capsys):
    options = ["--domain", "chamber", "--pairs", "5", "--valid-pairs", "0", "--test-pairs", "2", "--seed", "9"]
    assert command.main(["grammar", *options, "--out", str(tmp_path)]) == 0
    assert len((tmp_path / "train.en").read_text().splitlines()) == 5
    assert command.main(["grammar", "--domain", "talk", "--pairs", "-2", "--out", str(tmp_path)]) == 1
    assert "data_prep grammar: error: train pairs: expected 0 or more, got -2" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        command.main(["grammar", "--domain", "poetry", "--out", str(tmp_path)])
    assert "invalid choice: 'poetry'" in capsys.readouterr().err

"""Scripts and language identification, and the two filters that use them."""

import sys

import pytest

from data_prep.filters import Language, Script
from data_prep.held_out import Context
from data_prep.language import identifier, script_share

ENGLISH = "The committee has met in the town hall and will decide on the plan tomorrow."
GERMAN = "Der Ausschuss hat im Rathaus getagt und wird morgen über den Plan entscheiden."
FRENCH = "La commission s'est réunie à la mairie et se prononcera demain sur le projet."


@pytest.mark.parametrize(
    ("lang", "text", "share"),
    [
        ("en", "plain", 1),
        ("de", "Größe, Öl", 1),
        ("fr", "l’œuf № 5 ½", 1),
        ("de", "Maß Ω", 3 / 4),
        ("ru", "Москва", 1),
        ("ru", "Moscow", 0),
        ("uk", "п\u02bcять", 1),
        ("bg", "добър day", 5 / 8),
        ("el", "Ελλάδα", 1),
        ("ar", "مرحبا", 1),
        ("fa", "سلام hi", 4 / 6),
        ("he", "שלום", 1),
        ("hi", "नमस्ते", 1),
        ("zh_Hans", "北京", 1),
        ("zh", "ひら", 0),
        ("ja", "東京タワーへ", 1),
        ("ko", "서울 漢字", 1),
        ("sr", "Beograd Београд", 1),
        ("de", "", 1),
        ("ru", "1 + 1 = 2!", 1),
    ],
)
def test_script_share(lang, text, share):
    assert script_share(lang)(text) == pytest.approx(share)


def test_script_of_an_unknown_language_is_refused():
    with pytest.raises(
        ValueError, match=r"script: it is not known .* 'xx' .*known languages: af, am, .*leave the filter"
    ):
        Script().build(Context.make(("en", "xx")))


def test_each_side_is_held_to_its_own_script():
    drops = Script(min_share=0.8).build(Context.make(("en", "ru")))
    assert not drops("good", "добро")
    assert drops("добро", "добро")
    assert drops("good", "good")


def test_language_filter():
    pytest.importorskip("py3langid")
    drops = Language().build(Context.make(("en", "de_DE")))
    assert not drops(ENGLISH, GERMAN)
    assert drops(GERMAN, GERMAN)
    assert drops(ENGLISH, ENGLISH)
    assert drops(ENGLISH, FRENCH)
    assert not drops("Bonjour", "Bonjour")  # too short to tell


def test_language_filter_knows_the_languages_of_the_pair_whatever_the_candidates():
    pytest.importorskip("py3langid")
    drops = Language(candidates=()).build(Context.make(("en", "de")))
    assert not drops(ENGLISH, GERMAN)
    assert drops(GERMAN, ENGLISH)


def test_two_identifiers_do_not_disturb_each_other():
    pytest.importorskip("py3langid")
    narrow, wide = identifier(frozenset({"en", "de"})), identifier(frozenset({"en", "de", "fr"}))
    assert (wide(FRENCH), narrow(GERMAN), wide(FRENCH)) == ("fr", "de", "fr")
    assert narrow(FRENCH) in ("en", "de")


def test_language_that_the_identifier_does_not_know():
    pytest.importorskip("py3langid")
    with pytest.raises(ValueError, match=r"language: py3langid does not know xx; it knows .*, de, "):
        Language().build(Context.make(("en", "xx")))


def test_language_filter_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    identifier.cache_clear()
    with pytest.raises(RuntimeError, match=r"pip install 'rims-nlp\[langid\]'"):
        Language().build(Context.make(("en", "de")))

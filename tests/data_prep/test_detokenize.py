"""Tokenised lines become raw text."""

import pytest

from data_prep.detokenize import detokenizer, join_apostrophes, join_possessives

ENGLISH = {
    "Yesterday ' s vote , Mr President , was clear .": "Yesterday's vote, Mr President, was clear.",
    "We don &apos;t know the city &apos;s plan .": "We don't know the city's plan.",
    "We don &apos; t know what Bro 's plan is .": "We don't know what Bro's plan is.",
    'He said " no " to the citizens &apos; rights .': 'He said "no" to the citizens\' rights.',
    "It is ' minded to grant ' credit .": "It is 'minded to grant' credit.",
    "I vote ' no ' to all ten countries ' accession .": "I vote 'no' to all ten countries' accession.",
    'to go one " s own way': "to go one's own way",
    "It ’ s the ‘ old ’ way , the sailors ’ way .": "It’s the ‘old’ way, the sailors’ way.",
    "O ' Neill paid $ 150,000 ( in cash ) in 2009 / 10 .": "O'Neill paid $150,000 (in cash) in 2009/10.",
    "the village &#91; 1 &#93; of R &amp; amp; D": "the village [1] of R & D",
    "This one is Sweden ' s. Talk on .": "This one is Sweden's. Talk on.",
    "well @-@ known fact : 50 % !": "well-known fact: 50%!",
    "": "",
}
GERMAN = {
    "Das ist &quot; gut &quot; , sagt King ' s Sohn .": 'Das ist "gut", sagt King\'s Sohn.',
    "Kaiser Galerius ' Tod ( 311 )": "Kaiser Galerius' Tod (311)",
    "„ Nein “ , sagte er ; Frau Dell ' Alba schwieg .": "„Nein“, sagte er; Frau Dell'Alba schwieg.",
}


@pytest.mark.parametrize(("lang", "line", "expected"), [
    *(("en", line, expected) for line, expected in ENGLISH.items()),
    *(("de", line, expected) for line, expected in GERMAN.items()),
])  # fmt: skip
def test_detokenize(lang, line, expected):
    assert detokenizer(lang)(line) == expected


@pytest.mark.parametrize(
    "line", ["Plain text, already raw.", "It's the citizens' \"right\" (really)!", "a `grave` mark"]
)
def test_raw_text_stays(line):
    assert detokenizer("en")(line) == line


def test_apostrophe_at_the_edges():
    assert join_apostrophes(["'", "s"]) == ["'", "s"]
    assert join_apostrophes(["it", "'"]) == ["it", "'"]
    assert join_possessives(["'", "rights"]) == ["'", "rights"]

"""The data mapping: what is read, and what is refused with which words."""

from pathlib import Path

import pytest
import yaml

from data_prep.config import DatasetSplit, HubSource, Text, override
from data_prep.experiment_file import load, parse
from data_prep.formats import PairSource

TEXT = {"src": "a.en", "tgt": "a.de"}


def mapping(**changes):
    pair = {"train": [TEXT], "valid": TEXT, "tests": {"in_domain": TEXT}}
    return {"out": "data", "pairs": {"en-de": pair}, **changes}


def with_pair(**changes):
    return mapping(pairs={"en-de": {"train": [TEXT], "valid": TEXT, **changes}})


def test_defaults_and_order():
    config = parse(mapping())
    assert config.languages == ["en", "de"]
    assert config.pairs["en-de"].train[0].sources == (PairSource(("a.en", "a.de")),)
    assert (config.seed, config.workers, config.grammar, config.shards) == (1, 1, (), 1)
    assert [check.name for check in config.clean] == ["empty", "length", "ratio", "test_overlap", "duplicate"]
    assert (config.subword.vocab_size, config.subword.character_coverage, config.subword.model_type) == (
        8000,
        1.0,
        "bpe",
    )


def test_corpora_placeholder(tmp_path):
    path = tmp_path / "x.yaml"
    data = with_pair(train=[{"src": "{corpora}/t.en", "tgt": "t.de", "labels": "{corpora}/l", "detokenize": ["tok"]}])
    del data["out"]
    path.write_text(yaml.safe_dump({"name": "x", "corpora_root": "root", "data": data}))
    corpus = load(path).pairs["en-de"].train[0]
    assert (corpus.sources[0].files, corpus.labels, corpus.detokenize) == (("root/t.en", "t.de"), "root/l", ("tok",))
    assert load(path, Path("other")).pairs["en-de"].train[0].sources[0].files[0] == "other/t.en"
    assert load(path).out == Path("runs/x/data")
    assert override(load(path), out=Path("o"), workers=3) == parse({**data, "out": "o", "workers": 3}, Path("root"))
    path.write_text(yaml.safe_dump({"name": "x", "corpora_root": None, "data": data}))
    with pytest.raises(ValueError, match=r"x\.yaml: .*train\[0\]\.labels: \{corpora\}/l needs .*--corpora DIR"):
        load(path)


def test_every_kind_of_source():
    options = parse(
        with_pair(
            train=[
                {"src": ["a.en", "b.en"], "tgt": ["a.de", "b.de"], "name": "two"},
                {"file": "x.tsv", "columns": [2, "de"]},
                {"file": "x.xml", "reference": "B", "format": "wmt_xml"},
                {"hub": "wmt/wmt14", "config": "de-en", "split": "train"},
                {"dataset": "wmt14.en-de"},
            ],
            valid={"every": 23},
            tests={"ted": {"dataset": "iwslt14.en-de"}, "news": {"dataset": "wmt14.en-de", "split": "valid"}},
        )
    ).pairs["en-de"]
    assert [corpus.sources for corpus in options.train] == [
        (PairSource(("a.en", "a.de")), PairSource(("b.en", "b.de"))),
        (PairSource(("x.tsv",), columns=("2", "de")),),
        (PairSource(("x.xml",), format="wmt_xml", reference="B"),),
        (HubSource("wmt/wmt14", "train", "de-en"),),
        (DatasetSplit("wmt14.en-de", "train"),),
    ]
    assert [corpus.name for corpus in options.train] == ["two", "x", "x", "wmt/wmt14", "wmt14.en-de"]
    assert (options.valid, options.valid_every) == (None, 23)
    assert options.tests["ted"].sources == (DatasetSplit("iwslt14.en-de", "test"),)
    assert options.tests["news"].sources == (DatasetSplit("wmt14.en-de", "valid"),)


def test_a_whole_data_set_and_one_of_text():
    options = parse(mapping(pairs={"en-de": {"dataset": "wmt14.en-de"}})).pairs["en-de"]
    assert options.tests == {"newstest2014": Text((DatasetSplit("wmt14.en-de", "newstest2014"),))}
    config = parse({"out": "data", "text": {"dataset": "wikitext-2"}, "workers": 2})
    assert (config.dataset, config.workers, config.train) == ("wikitext-2", 2, "")
    assert parse({"out": "o", "text": {"train": "a", "valid": "b", "test": "c"}}).test == "c"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (mapping(sed=1), r"data: unknown key 'sed'; known keys: out, pairs, downloads, seed, grammar"),
        (mapping(clean={"max_words": 3}), r"data\.clean: expected a list, got \{'max_words': 3\}"),
        (mapping(clean=["lenght"]), r"data\.clean\[0\]: unknown filter 'lenght'; known filters: empty, length"),
        (mapping(shards=0), r"shards: expected at least 1, got 0"),
        (mapping(subword={"user_symbols": ["a b"]}), r"user_symbols: expected different words without .*'a b'"),
        (mapping(seed=True), r"data\.seed: expected int, got True"),
        (mapping(seed=-1), r"seed: expected 0 to 4294967295, got -1"),
        (mapping(workers=0), r"workers: expected at least 1, got 0"),
        (mapping(subword={"vocab_size": 2}), r"subword\.vocab_size: expected at least 8, got 2"),
        (mapping(subword={"sample_sentences": 50}), r"sample_sentences: expected 0 \(all\) or more than 100, got 50"),
        (mapping(subword={"model_type": "word"}), r"subword\.model_type: expected 'bpe' or 'unigram', got 'word'"),
        (mapping(subword={"character_coverage": 1.5}), r"character_coverage: expected more than 0 and at most 1"),
        (mapping(subword=[1]), r"data\.subword: expected a mapping, got \[1\]"),
        (mapping(out=None), r"data: the key 'out' is missing"),
        (mapping(pairs={}), r"pairs: expected at least one language pair"),
        (mapping(pairs={"ende": {"train": [TEXT], "valid": TEXT}}), r"'ende' is not a language pair; expected SRC-TGT"),
        (mapping(pairs={"en-en": {"train": [TEXT], "valid": TEXT}}), r"'en-en' is not a language pair"),
        (
            mapping(pairs={pair: {"train": [TEXT], "valid": TEXT} for pair in ("en-de", "fr-de")}),
            r"pairs: all share one source language and its dictionary, got en-de, fr-de",
        ),
        (mapping(pairs={"en-de": {"valid": TEXT}}), r"data\.pairs\.en-de: the key 'train' is missing"),
        (with_pair(train=[]), r"train: expected at least one corpus"),
        (with_pair(train=TEXT), r"data\.pairs\.en-de\.train: expected a list"),
        (with_pair(valid={"every": 1}), r"valid\.every: expected at least 2, got 1"),
        (with_pair(valid={"every": "x"}), r"valid\.every: expected int, got 'x'"),
        (with_pair(valid={"every": 0}), r"valid\.every: expected at least 2, got 0"),
        (with_pair(train=[{"src": [], "tgt": []}]), r"train\[0\]: src names 0 files and tgt 0; expected as many"),
        (with_pair(train=[{"file": []}]), r"train\[0\]\.file: expected at least one file, got none"),
        (mapping(subword={"user_symbols": ["<s>"]}), r"user_symbols: <s> are fairseq's own; give other names"),
        (with_pair(train=[{**TEXT, "label": "x"}]), r"unknown key 'label'; known keys: src, .*, labels, detoken"),
        (with_pair(valid_every=3), r"data\.pairs\.en-de: unknown key 'valid_every'; known keys: train, valid, tests"),
        (with_pair(train=[{"src": ["a", "b"], "tgt": "c"}]), r"train\[0\]: src names 2 files and tgt 1; expected as"),
        (with_pair(train=[{"file": "a.tsv", "columns": [1]}]), r"train\[0\]\.columns: expected two, of source and"),
        (with_pair(train=[{"file": "a", "src": "b"}]), r"train\[0\]: unknown key 'src'; known keys: file, format"),
        (with_pair(train=[{"hub": "a"}]), r"train\[0\]: the key 'split' is missing"),
        (mapping(pairs={"en-de": {"dataset": "wmt15"}}), r"wmt15"),
        ({"out": "o", "text": {"train": "a"}}, r"text: expected the keys train, valid and test, or dataset alone"),
        ({"out": "o", "text": {"trian": "a"}}, r"data\.text: unknown key 'trian'; known keys: train, valid, test"),
        ({"out": "o", "text": {"dataset": "x"}, "seed": 1}, r"data: unknown key 'seed' beside 'text'"),
        (with_pair(valid={"src": "a"}), r"data\.pairs\.en-de\.valid: the key 'tgt' is missing"),
        (with_pair(valid={"src": 3, "tgt": "a"}), r"valid\.src: expected a path, got 3"),
        (with_pair(tests={"a/b": TEXT}), r"tests: 'a/b' cannot name a folder"),
        (with_pair(train=[{**TEXT, "detokenize": ["tok"]}]), r"detokenize names labels, but there is no 'labels' file"),
        (with_pair(train=[{**TEXT, "detokenize": "tok"}]), r"train\[0\]\.detokenize: expected a list, got 'tok'"),
        (mapping(grammar=[{"domain": "x"}]), r"data\.grammar\[0\]: the key 'out' is missing"),
    ],
)  # fmt: skip
def test_refusals(data, message):
    with pytest.raises(ValueError, match=message):
        parse(data)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("data: [", r"x\.yaml: not readable as YAML"),
        ("data: {out: a, out: b}", r"x\.yaml: not readable as YAML: the key 'out' is given twice"),
        ("- 1", r"x\.yaml: expected a mapping with a 'data:' mapping"),
        ("data: {pairs: {}}", r"x\.yaml: 'data\.out' is missing, and so is the 'name'"),
        (
            "data: {out: a}\nclean: {max_words: 3}",
            r"x\.yaml: unknown key 'clean'; known keys: name, data, corpora_root, train, evaluate",
        ),
        ("data: {out: a, pairs: {}}", r"x\.yaml: pairs: expected at least one language pair"),
    ],
)
def test_unreadable_files(tmp_path, text, message):
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load(path)


def test_merge_keys_and_numbers_as_names(tmp_path):
    text = "base: &base {src: a.en, tgt: a.de}\n"
    pair = "{train: [{<<: *base, name: x}], valid: *base, tests: {2014: *base}}"
    path = tmp_path / "x.yaml"
    path.write_text(f"name: x\ntrain: {{{text.strip()}}}\ndata: {{pairs: {{en-de: {pair}}}}}\n")
    options = load(path).pairs["en-de"]
    assert (options.train[0].name, options.train[0].sources) == ("x", (PairSource(("a.en", "a.de")),))
    assert list(options.tests) == ["2014"]


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml: no such configuration file"):
        load(tmp_path / "none.yaml")

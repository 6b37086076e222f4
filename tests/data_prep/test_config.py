"""The data mapping: what is read, and what is refused with which words."""

from pathlib import Path

import pytest
import yaml

from data_prep.config import load, override, parse

TEXT = {"src": "a.en", "tgt": "a.de"}


def mapping(**changes):
    pair = {"train": [TEXT], "valid": TEXT, "tests": {"in_domain": TEXT}}
    return {"out": "data", "pairs": {"en-de": pair}, **changes}


def with_pair(**changes):
    return mapping(pairs={"en-de": {"train": [TEXT], "valid": TEXT, **changes}})


def test_defaults_and_order():
    config = parse(mapping())
    assert config.languages == ["en", "de"]
    assert config.input_files() == [Path("a.en"), Path("a.de")]
    assert (config.seed, config.workers, config.grammar) == (1, 1, ())
    assert (config.clean.max_words, config.clean.max_ratio) == (100, 3.0)
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
    assert (corpus.src, corpus.tgt, corpus.labels) == (Path("root/t.en"), Path("t.de"), Path("root/l"))
    assert load(path, Path("other")).pairs["en-de"].train[0].src == Path("other/t.en")
    assert load(path).out == Path("runs/x/data")
    assert override(load(path), out=Path("o"), workers=3) == parse({**data, "out": "o", "workers": 3}, Path("root"))
    path.write_text(yaml.safe_dump({"name": "x", "corpora_root": None, "data": data}))
    with pytest.raises(ValueError, match=r"x\.yaml: .*train\[0\]\.src: \{corpora\}/t\.en needs .*--corpora DIR"):
        load(path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (mapping(sed=1), r"data: unknown key 'sed'; known keys: out, pairs, seed, grammar"),
        (mapping(clean={"max_word": 3}), r"data\.clean: unknown key 'max_word'; known keys: max_words, max_ratio"),
        (mapping(clean={"max_words": 0}), r"clean\.max_words: expected at least 1, got 0"),
        (mapping(clean={"max_ratio": 0.5}), r"clean\.max_ratio: expected at least 1, got 0\.5"),
        (mapping(clean={"max_words": "many"}), r"data\.clean\.max_words: expected int, got 'many'"),
        (mapping(clean={"deduplicate": 1}), r"data\.clean\.deduplicate: expected bool, got 1"),
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


def test_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.yaml: no such configuration file"):
        load(tmp_path / "none.yaml")

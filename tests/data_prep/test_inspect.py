"""The figures of binarised data, against values that these tests count themselves from the text."""

import argparse
import html
import io
import json
import re
import statistics
from collections import Counter

import numpy as np
import pytest
import sentencepiece

from data_prep import indexed
from data_prep.commands import inspect as command
from data_prep.coverage import WORDS, WORDS_AND_SIGNS, Coverage, Share
from data_prep.decode import Decoder
from data_prep.inspection import inspect
from data_prep.inspection_report import escape
from data_prep.subword import dictionary_lines

THINGS = ["house", "tree", "river", "road", "garden"]
DINGE = ["Haus", "Baum", "Fluss", "Weg", "Garten"]
NASTY = "a | b `c` <d> *e* _f_ [g](h) # ~i~ & \\ $j$"
TRAIN = {
    "en": [f"The {THINGS[n % 5]}, number {n}, is here." for n in range(29)] + [NASTY],
    "de": [f"Hier ist {DINGE[n % 5]} Nummer {n}, über allem." for n in range(29)] + [NASTY],
}
VALID = {"en": ["The tree is number 3.", ""], "de": ["Hier ist Baum 3.", "leer"]}
NEWS = {"en": ["The house is here, is here, now.", "A tree"], "de": ["Das Haus ist hier ☃ drüben.", "Hier ist"]}
TALK = {"en": ["quantum fields everywhere"], "de": ["Quantenfelder überall"]}
SPLITS = {"train": TRAIN, "valid": VALID, "test-news": NEWS, "test-talk": TALK}


def train_model(lines, vocab_size=120, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        vocab_size=vocab_size,
        hard_vocab_limit=False,
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
        **options,
    )
    return model.getvalue()


@pytest.fixture(scope="module")
def model():
    # test and validation text too, so that only the snowman is unknown
    lines = [line.replace("☃", "") for sides in SPLITS.values() for side in sides.values() for line in side]
    return sentencepiece.SentencePieceProcessor(model_proto=train_model(lines, character_coverage=1.0))


def write_side(prefix, lines, model):
    numbers = {line.rsplit(" ", 1)[0]: number for number, line in enumerate(dictionary_lines(model), start=4)}
    segments = [[*(numbers.get(piece, 3) for piece in model.encode(line, out_type=str)), 2] for line in lines]
    sizes = np.array([len(segment) for segment in segments], dtype=np.int32)
    indexed.write(prefix, [(np.concatenate(segments).astype(np.uint16), sizes)])


def write_pair(folder, stem, sides, model):
    folder.mkdir(parents=True, exist_ok=True)
    for lang, lines in sides.items():
        write_side(folder / f"{stem}.en-de.{lang}", lines, model)
        (folder / f"dict.{lang}.txt").write_text("".join(dictionary_lines(model)), encoding="utf-8")


@pytest.fixture
def folder(tmp_path, model):
    """A folder as ``prepare`` writes it."""
    out = tmp_path / "data"
    write_pair(out, "train", TRAIN, model)
    write_pair(out, "valid", VALID, model)
    for name, sides in (("news", NEWS), ("talk", TALK)):
        write_pair(out / "tests" / name, "test", sides, model)
    (out / "spm.model").write_bytes(model.serialized_model_proto())
    train = {"name": "one|two", "read": 40, "kept": 30, "dropped": {"empty": 1, "too_long": 9}, "changed": {"nfc": 2}}
    (out / "report.json").write_text(json.dumps({"pairs": {"en-de": {"train": [train]}}}))
    return out


def run(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(map(str, arguments))), "the command")


def report(folder, *arguments):
    """Run the command; return its JSON and its Markdown."""
    out = folder.with_name(f"{folder.name}.inspect")
    assert run(folder, *arguments) == 0
    return json.loads((out / "inspect.json").read_text(encoding="utf-8")), (out / "inspect.md").read_text("utf-8")


def ngrams(lines, n):
    """Count the n-grams of words and signs; none reaches over a line end."""
    words = [re.findall(r"\w+|[^\w\s]", line) for line in lines]
    return Counter(tuple(line[start : start + n]) for line in words for start in range(len(line) - n + 1))


def expected_shares(train, test):
    for n in range(1, 5):
        seen, found = ngrams(train, n), ngrams(test, n)
        common = [gram for gram in found if gram in seen]
        yield Share(sum(found.values()), sum(found[gram] for gram in common), len(found), len(common))


def test_sizes_lengths_and_unknown_tokens(folder, model):
    (pair,) = inspect(folder, sample=0, seed=1)
    for name, sides in SPLITS.items():
        for lang, lines in sides.items():
            side, lengths = pair.sides[name][lang], [len(model.encode(line)) for line in lines]
            assert side.segments == len(lines)
            assert side.tokens == sum(lengths)
            assert side.words == sum(len(line.split()) for line in lines)
            assert len(side.lengths) - 1 == max(lengths)
            assert side.length(0.5) == statistics.median_low(lengths)
            assert side.length(0.95) == sorted(lengths)[int(np.ceil(0.95 * len(lengths))) - 1]
    unknown = {(name, lang): side.unknown for name, sides in pair.sides.items() for lang, side in sides.items()}
    assert {key: count for key, count in unknown.items() if count} == {("test-news", "de"): 1}


def test_json_has_the_rates(folder, model):
    content, _ = report(folder)
    side = content["pairs"]["en-de"]["splits"]["test-news"]["de"]
    tokens = sum(len(model.encode(line)) for line in NEWS["de"])
    assert side["unknown_rate"] == pytest.approx(1 / tokens)
    assert side["fertility"] == pytest.approx(tokens / 8)
    assert side["length"]["mean"] == pytest.approx(tokens / 2)
    assert content["command"] == "the command" and content["cleaning"]["en-de"][0]["kept"] == 30


def test_coverage_equals_a_plain_count(folder):
    (pair,) = inspect(folder, sample=0, seed=1)
    assert (pair.read, pair.total) == (30, 30)
    for name in ("valid", "test-news", "test-talk"):
        for lang in ("en", "de"):
            assert pair.coverage[name][lang] == list(expected_shares(TRAIN[lang], SPLITS[name][lang]))


def test_coverage_by_hand():
    coverage = Coverage({"a": "x y x y\nz x\n", "b": "y\n"}, WORDS, order=3)
    for text in ("x y\n", "y x z\n", "z\nx y x\n"):
        coverage.show(text)
    assert coverage.shares("a") == [Share(6, 6, 3, 3), Share(4, 3, 3, 2), Share(2, 1, 2, 1)]
    assert coverage.shares("b") == [Share(1, 1, 1, 1), Share(0, 0, 0, 0), Share(0, 0, 0, 0)]


@pytest.mark.parametrize("order", [1, 2, 6])
def test_coverage_of_random_text(order):
    numbers = np.random.default_rng(order)
    train, test = ([" ".join(numbers.choice(list("abcdef"), 9)) for _ in range(40)] for _ in range(2))
    coverage = Coverage({"test": "\n".join(test) + "\n"}, WORDS_AND_SIGNS, order)
    for line in train:
        coverage.show(line + "\n")
    for n, share in enumerate(coverage.shares("test"), start=1):
        seen, found = ngrams(train, n), ngrams(test, n)
        assert (share.tokens, share.types) == (sum(found.values()), len(found))
        assert share.seen_tokens == sum(count for gram, count in found.items() if gram in seen)
        assert share.seen_types == len(found.keys() & seen.keys())


@pytest.mark.parametrize("block", [1, 4, 100_000])
def test_sample_is_taken_at_a_regular_stride(folder, monkeypatch, block):
    monkeypatch.setattr("data_prep.inspection._BLOCK", block)
    (pair,) = inspect(folder, sample=7, seed=1)
    chosen = [TRAIN["de"][number * 30 // 7] for number in range(7)]
    assert (pair.read, pair.total) == (7, 30)
    assert pair.coverage["test-news"]["de"] == list(expected_shares(chosen, NEWS["de"]))
    assert "Compared with 7, at a regular stride, of 30 training segments." in report(folder, "--sample", 7)[1]


def test_shards_are_read_in_order(folder, model):
    whole, _ = report(folder, "--sample", 7)
    for path in [*folder.glob("train.*"), *folder.glob("valid.*")]:
        path.unlink()
    for number in range(11):  # shard10 comes after shard9
        part = {lang: lines[number * 3 : number * 3 + 3] for lang, lines in TRAIN.items()}
        if part["en"]:
            write_pair(folder / f"shard{number}", "train", part, model)
            write_pair(folder / f"shard{number}", "valid", VALID, model)
    sharded, _ = report(folder, "--sample", 7)
    assert sharded == whole


def test_examples_are_training_pairs_chosen_by_the_seed(folder):
    (pair,) = inspect(folder, sample=0, seed=1)
    assert len(pair.examples) == 10
    assert all([TRAIN["en"][n], TRAIN["de"][n]] == texts for n, texts in pair.examples.items())
    assert inspect(folder, sample=0, seed=1)[0].examples == pair.examples
    assert inspect(folder, sample=0, seed=2)[0].examples != pair.examples


def test_no_text_breaks_the_markdown(folder, model):
    for stem in ("train", "valid"):
        write_pair(folder, stem, {"en": [NASTY], "de": [NASTY]}, model)
    _, text = report(folder)
    (row,) = [line for line in text.splitlines() if line.startswith("| 1 | a ")]
    cells = row.split("|")[1:-1]
    assert len(cells) == 3
    assert [html.unescape(re.sub(r"\\([*_])", r"\1", cell)).strip() for cell in cells[1:]] == [NASTY, NASTY]
    assert not re.search(r"(?<!\\)[`*_<>]", row) and "one&#124;two" in text


def test_escape_leaves_words_alone():
    assert escape('Über 3,5 % (sic!) - "x" isn\'t') == 'Über 3,5 % (sic!) - "x" isn\'t'


def test_markdown_has_tables_of_equal_width_and_the_cleaning_counts(folder):
    _, text = report(folder)
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) == 6
    assert all(len({line.count("|") for line in table}) == 1 for table in tables)
    assert "| corpus | read | kept | dropped: empty | dropped: too\\_long | changed: nfc |" in text
    assert "| one&#124;two | 40 | 30 | 1 | 9 | 2 |" in text
    words = ngrams(TALK["en"], 1)
    assert f"| talk | en | {sum(words.values())} | 3 | 100.0 | 3 | 3 | 100.0 |" in text


def test_picture(folder):
    report(folder)
    assert (folder.with_name("data.inspect") / "lengths.png").read_bytes().startswith(b"\x89PNG")


def test_text_in_one_language(tmp_path):
    folder = tmp_path / "wiki"
    folder.mkdir()
    (folder / "dict.txt").write_text("the 9\n@-@ 5\ncat 2\nsat 1\n")  # numbers 4 to 7
    for split, segments in {"train": [[4, 6, 7, 2], [2], [4, 3, 2]], "test": [[4, 6, 5, 3, 2]]}.items():
        sizes = np.array([len(segment) for segment in segments], dtype=np.int32)
        indexed.write(folder / split, [(np.concatenate(segments).astype(np.uint16), sizes)])
    content, text = report(folder)
    figures = content["pairs"][""]
    assert figures["splits"]["train"][""]["tokens"] == figures["splits"]["train"][""]["words"] == 5
    assert figures["splits"]["train"][""]["unknown"] == 1
    assert figures["coverage"]["test"][""]["1"] == {"tokens": 4, "seen_tokens": 3, "types": 4, "seen_types": 3}
    assert figures["coverage"]["test"][""]["2"] == {"tokens": 3, "seen_tokens": 1, "types": 3, "seen_types": 1}
    assert [example["text"] for example in figures["examples"]] == ["the cat sat", "", "the \u2047"]
    assert "## Text in one language" in text and "subword" not in text


def test_decoder_agrees_with_sentencepiece_for_bytes_of_unknown_characters(tmp_path):
    model = sentencepiece.SentencePieceProcessor(
        model_proto=train_model(TRAIN["en"], 400, byte_fallback=True, character_coverage=1.0)
    )
    write_pair(tmp_path, "train", {"en": ["The ☃ house ü", "", "日本"]}, model)
    (tmp_path / "spm.model").write_bytes(model.serialized_model_proto())
    decoder = Decoder(tmp_path / "dict.en.txt", tmp_path / "spm.model")
    tokens = indexed.read(tmp_path / "train.en-de.en").tokens
    assert decoder.lines(tokens) == ["The ☃ house ü", "", "日本"]
    assert len(decoder) == 4 + len(dictionary_lines(model))


def test_unfit_options_and_data_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="lies in the folder to inspect"):
        run(folder, "--out", folder / "report")
    with pytest.raises(ValueError, match="--sample: expected at least 0, got -1"):
        run(folder, "--sample", -1)
    with pytest.raises(ValueError, match="no binarised data; expected a folder that prepare has written"):
        run(tmp_path / "missing")
    (folder / "report.json").write_text("[]")
    with pytest.raises(ValueError, match="not a report of prepare"):
        run(folder)
    for path in folder.glob("train.*"):
        path.unlink()
    with pytest.raises(ValueError, match="no training data of en-de"):
        run(folder)


def test_damaged_data_are_refused(folder, model):
    write_side(folder / "valid.en-de.de", VALID["de"][:1], model)
    with pytest.raises(ValueError, match=r"sides of valid differ .*\(en 2, de 1\); see `python -m data_prep verify`"):
        run(folder)
    write_side(folder / "valid.en-de.de", VALID["de"], model)
    text = (folder / "dict.en.txt").read_text(encoding="utf-8")
    (folder / "dict.en.txt").write_text(text[: len(text) // 2].rsplit("\n", 1)[0] + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match="data_prep verify"):
        run(folder)

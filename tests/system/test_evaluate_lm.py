"""Perplexity from the command line: against sums done here, by unroll length and by frequency, and what is refused."""

import json
import math
from pathlib import Path

import evaluate_lm
import pytest
import torch
import yaml
from fairseq import checkpoint_utils, options

from data_prep import experiment_file
from tests.plugin import toy, toy_lm

STATEFUL = ("--task", "stateful_language_modeling", "--tokens-per-sample", "9", "--batch-size", "4")
MODELS = {
    "rims": (*STATEFUL, "--arch", "rims_lm_tiny", *toy_lm.SIZE_OPTIONS),
    "adaptive": (
        *STATEFUL, "--arch", "stateful_lstm_lm_tiny", *toy_lm.SIZE_OPTIONS,
        "--adaptive-softmax-cutoff", "8,16", "--criterion", "adaptive_loss",
    ),
    "transformer": (
        "--task", "language_modeling", "--tokens-per-sample", "9", "--arch", "transformer_lm_tiny",
        "--decoder-layers", "1",
    ),
    "lstm": ("--task", "language_modeling", "--tokens-per-sample", "9", "--arch", "lstm_lm_tiny"),
}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_lm.binarise(tmp_path_factory.mktemp("evaluate"), train=60)


@pytest.fixture(scope="module")
def checkpoints(data, tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: toy.train(data, root / name, *model, "--lr", "0.02") for name, model in MODELS.items()}


def run(checkpoint, tmp_path, *argv):
    assert evaluate_lm.main(["--model", str(checkpoint), "--output", str(tmp_path / "out"), *map(str, argv)]) == 0
    return json.loads((tmp_path / "out.json").read_text())


@torch.no_grad()
def losses_from_new_starts(checkpoint, tokens, unroll):
    """Loss of each token but the first, in pieces of ``unroll`` tokens, one after another."""
    models, _, _ = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    model, losses = models[0].eval(), []
    for start in range(0, len(tokens) - 1, unroll):
        piece = tokens[start : start + unroll + 1]
        scores = model.get_normalized_probs(model(piece[None, :-1]), log_probs=True)[0]
        losses.append(-scores.gather(1, piece[1:, None])[:, 0].double())
    return torch.cat(losses)


@pytest.mark.parametrize("name", MODELS)
def test_every_unroll_length(name, data, checkpoints, tmp_path):
    lengths = [1, 4, 9] if name == "transformer" else [1, 4, 1000]
    result = run(checkpoints[name], tmp_path, "--unroll", *lengths)
    tokens = toy_lm.stream(data, "test")
    assert result["tokens_scored"] == result["words_scored"] == len(tokens) - 1
    assert [row["unroll"] for row in result["by_unroll"]] == lengths
    for row in result["by_unroll"]:
        expected = losses_from_new_starts(checkpoints[name], tokens, row["unroll"]).mean().exp()
        assert row["perplexity_per_token"] == pytest.approx(float(expected), rel=1e-5)
    assert result["perplexity_per_token"] == result["by_unroll"][-1]["perplexity_per_token"]


def test_a_recurrent_model_reads_the_text_in_one_piece_unless_told_otherwise(data, checkpoints, tmp_path):
    result = run(checkpoints["rims"], tmp_path)
    assert result["unroll"] == "all" and len(result["by_unroll"]) == 1
    expected = losses_from_new_starts(checkpoints["rims"], toy_lm.stream(data, "test"), 10**6).mean().exp()
    assert result["perplexity_per_word"] == pytest.approx(float(expected), rel=1e-5)
    assert run(checkpoints["transformer"], tmp_path)["unroll"] == 9


def test_a_long_text_is_read_piece_by_piece(data, checkpoints, tmp_path, monkeypatch):
    whole = run(checkpoints["rims"], tmp_path, "--unroll", 7, "all")
    monkeypatch.setattr(evaluate_lm.perplexity, "SCORES", 100)
    monkeypatch.setattr(evaluate_lm.perplexity, "ROWS", 2)
    assert run(checkpoints["rims"], tmp_path, "--unroll", 7, "all")["by_unroll"] == whole["by_unroll"]


def test_by_training_frequency(data, checkpoints, tmp_path, monkeypatch):
    counts = torch.bincount(toy_lm.stream(data, "train"), minlength=100)
    middle = int(counts[counts > 0].median())
    monkeypatch.setattr(evaluate_lm.perplexity, "FREQUENCIES", ((middle + 1, math.inf), (1, middle), (0, 0)))
    result = run(checkpoints["rims"], tmp_path)
    tokens = toy_lm.stream(data, "test")
    losses = losses_from_new_starts(checkpoints["rims"], tokens, 10**6)
    frequent = counts[tokens[1:]] > middle
    often, seldom, never = result["by_training_frequency"]
    assert often["tokens"] == frequent.sum() and seldom["tokens"] == (~frequent).sum() > 0
    assert often["perplexity"] == pytest.approx(float(losses[frequent].mean().exp()), rel=1e-4)
    assert seldom["perplexity"] == pytest.approx(float(losses[~frequent].mean().exp()), rel=1e-4)
    assert (never["tokens"], never["perplexity"]) == (0, None)
    assert "| none |" in (tmp_path / "out.md").read_text()


def test_the_classes_of_frequency_leave_no_gap():
    bounds = evaluate_lm.perplexity.FREQUENCIES
    assert bounds[-1][0] == 0 and bounds[0][1] == math.inf
    assert all(upper[0] == lower[1] + 1 for upper, lower in zip(bounds, bounds[1:], strict=False))


def test_text_is_scored_as_its_binarised_form(data, checkpoints, tmp_path):
    by_split = run(checkpoints["rims"], tmp_path, "--split", "valid")
    by_text = run(checkpoints["rims"], tmp_path, "--text", data.parent / "text/valid")
    for key in ("tokens_scored", "perplexity_per_token", "by_training_frequency"):
        assert by_split[key] == by_text[key]
    (tmp_path / "new").write_text("w1 never w2\n")
    assert run(checkpoints["rims"], tmp_path, "--text", tmp_path / "new")["unknown_share"] == pytest.approx(
        1 / 3, abs=1e-5
    )


@pytest.mark.parametrize(
    ("subwords", "words"), [("sentencepiece", ["\u2581a", "b", "\u2581c"]), ("bpe", ["a@@", "b", "c"])]
)
def test_subwords_are_counted_as_words(subwords, words):
    dictionary = toy_lm.dictionary(words)
    targets = torch.tensor([dictionary.index(word) for word in words] + [dictionary.eos()])
    score = evaluate_lm.perplexity.total(torch.ones(4), targets, dictionary, subwords)
    assert (score.tokens, score.words) == (4, 3)  # "ab", "c" and the end of the line
    assert evaluate_lm.perplexity.find_subwords(dictionary) == subwords
    assert score.per_token == pytest.approx(math.e) and score.per_word == pytest.approx(math.exp(4 / 3))


def test_words_are_put_together_as_the_dictionary_shows(tmp_path):
    text = tmp_path / "text"
    text.write_text("\u2581a b \u2581c\n\u2581c b b\n" * 20)
    prefixes = [item for split in ("train", "valid", "test") for item in (f"--{split}pref", text)]
    toy.run_fairseq("preprocess", "--only-source", "--destdir", tmp_path / "data", *prefixes)
    checkpoint = toy.train(tmp_path / "data", tmp_path / "model", *MODELS["rims"])
    result = run(checkpoint, tmp_path)
    assert (result["subwords"], result["tokens_scored"], result["words_scored"]) == ("sentencepiece", 159, 99)
    assert result["perplexity_per_word"] == pytest.approx(result["perplexity_per_token"] ** (159 / 99), rel=1e-4)
    assert "they make up 99 words (sentencepiece)" in (tmp_path / "out.md").read_text()
    result = run(checkpoint, tmp_path, "--subwords", "none")
    assert result["subwords"] is None and result["perplexity_per_word"] == result["perplexity_per_token"]


def refused(capsys, *argv):
    assert evaluate_lm.main(list(map(str, argv))) == 1
    return capsys.readouterr().err


def test_what_is_refused(data, checkpoints, tmp_path, capsys):
    rims, transformer = ("--model", checkpoints["rims"]), ("--model", checkpoints["transformer"])
    empty, short = tmp_path / "empty", tmp_path / "short"
    empty.write_text("")
    short.write_text("\n")
    assert "nothing to score: the text has 0 tokens" in refused(capsys, *rims, "--text", empty)
    assert "nothing to score: the text has 1 tokens" in refused(capsys, *rims, "--text", short)
    assert "test9.idx: not found" in refused(capsys, *rims, "--split", "test9")
    assert "no such file" in refused(capsys, *rims, "--text", tmp_path / "absent")
    assert "no such checkpoint" in refused(capsys, "--model", tmp_path / "absent.pt")
    assert "--unroll all: TransformerLanguageModel is not recurrent and takes 9 tokens" in refused(
        capsys, *transformer, "--unroll", "all"
    )
    assert "--unroll 10: " in refused(capsys, *transformer, "--unroll", "10")
    short.with_suffix(".bin").touch()
    assert "short.bin: is empty" in refused(capsys, *rims, "--split", tmp_path / "short")
    assert "its dictionary is not there" in refused(capsys, *rims, "--data", tmp_path)
    assert "its dictionary is not there" in refused(capsys, *transformer, "--data", tmp_path)
    for content in (b"hi\n", b"", checkpoints["rims"].read_bytes()[:2000]):
        (tmp_path / "bad.pt").write_bytes(content)
        assert "bad.pt: is damaged, or no checkpoint" in refused(capsys, "--model", tmp_path / "bad.pt")
    with pytest.raises(SystemExit):
        evaluate_lm.main(["--model", "m", "--unroll", "0"])
    assert "at least 1, or 'all', got '0'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["wikitext2", "wikitext103"])
def test_the_experiment_files_are_read_and_their_options_known(name):
    path = Path(__file__).resolve().parents[2] / "configs" / f"{name}.yaml"
    prepared = experiment_file.load(path)
    assert (str(prepared.out), prepared.dataset[:9]) == (f"runs/{name}/data", "wikitext-")
    content = yaml.safe_load(path.read_text())["train"]
    for family in content["families"].values():
        words = [*content["options"], *family.get("options", [])]
        arguments = [str(prepared.out), "--arch", family["arch"], *map(str, words)]
        options.parse_args_and_arch(options.get_training_parser(), arguments)

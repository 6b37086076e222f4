"""The pictures and tables of a model's units, from a checkpoint to the files."""

import json
import math
import re
import shutil

import activity_report
import numpy as np
import plot_activations
import pytest
import sentencepiece
import torch

from fairseq_plugins.inference import load_translator
from fairseq_plugins.inspection import load_subject
from fairseq_plugins.scoring import read_lines, score
from rims_nlp.analysis import without_unit
from tests.plugin import sequences, toy, toy_lm
from tests.system import toy_models

LAYERS = ["encoder forward", "encoder backward", "decoder"]


@pytest.fixture(scope="module")
def translation(tmp_path_factory):
    """A model of two pairs, moved away from the data it was trained on, and its test text."""
    root = tmp_path_factory.mktemp("units")
    toy_models.prepare(root, updates=10)
    process = toy_models.train(root, "rims", "multitask")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    shutil.move(root / "runs/toy/models/rims.multitask.seed1", root / "model")
    shutil.rmtree(root / "runs")
    return root


@pytest.fixture(scope="module")
def language_model(tmp_path_factory):
    """A folder of language models: one of RIMs that reads streams, one of RIMs that reads lines, and an LSTM."""
    root = tmp_path_factory.mktemp("lm")
    data = toy_lm.binarise(root)
    for name, arch, task in (
        ("rims", "rims_lm_tiny", "stateful_language_modeling"),
        ("lines", "rims_lm_tiny", "language_modeling"),
        ("lstm", "stateful_lstm_lm_tiny", "stateful_language_modeling"),
    ):
        blocks = ["--sample-break-mode", "eos"] if task == "language_modeling" else []
        toy.run_fairseq(
            "train", data, "--user-dir", toy.USER_DIR, "--cpu", "--task", task, "--arch", arch, *toy_lm.SIZE_OPTIONS,
            "--tokens-per-sample", "10", "--batch-size", "2", "--optimizer", "adam", "--lr", "0.01", "--max-update",
            "4", "--save-dir", root / name, "--disable-validation", *blocks,
        )  # fmt: skip
    return root


def run(*arguments):
    assert plot_activations.main([str(argument) for argument in arguments]) == 0


def read(folder):
    return json.loads((folder / "activity.json").read_text()), (folder / "activity.md").read_text()


def test_a_translation_model_end_to_end(translation, tmp_path):
    text = translation / "text"
    run(
        "--model", translation / "model", "--output", tmp_path, "--text", text / "in_domain.en",
        "--reference", text / "in_domain.de", "--compare", text / "transfer.en", "--drop-units", "--beam", 2,
        "--max-len-a", 0.5, "--max-len-b", 4,
        "--pictures", 2, "--permutations", 20, "--batch-size", 5,
    )  # fmt: skip
    report, page = read(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "activity.json", "activity.md", "sequence_1.png", "sequence_2.png",
    ]  # fmt: skip
    assert list(report["layers"]) == LAYERS and report["pair"] == "en-de"
    subwords = sentencepiece.SentencePieceProcessor(model_file=str(translation / "model/spm.model"))
    for title, name in zip(LAYERS, ("in_domain.en", "in_domain.en", "in_domain.de"), strict=True):
        figures = report["layers"][title]
        assert figures["steps"] == sum(len(subwords.encode(line)) + 1 for line in read_lines(text / name))
        assert sum(figures["share"]) == pytest.approx(4, abs=1e-4)  # k_A
        for found in figures["information"].values():
            assert all(0 <= bits <= found["label_entropy"] for bits in found["bits"])
        assert f"## {title}" in page
    rows = report["without_unit"]
    assert [(row["layer"], row["unit"]) for row in rows] == [
        (None, None), *((title, unit) for title in LAYERS for unit in range(6)),
    ]  # fmt: skip
    translator = load_translator(translation / "model", beam=2, max_len_a=0.5, max_len_b=4)
    expected = score(translator.translate(read_lines(text / "in_domain.en")), read_lines(text / "in_domain.de"))
    assert (rows[0]["bleu"], rows[0]["bleu_signature"]) == (expected["bleu"], expected["bleu_signature"])
    assert rows[0]["perplexity"] == pytest.approx(math.exp(rows[0]["loss"]), rel=1e-4)
    assert len({row["loss"] for row in rows}) == len(rows)
    assert list(report["comparison"]) == LAYERS
    assert page.count("| decoder, without ") == 6 and expected["bleu_signature"] in page
    assert "; beam 2, at most 0.5 subwords for each of the source, and 4." in page
    tables = re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE)
    assert len(tables) == 3 * 3 + 2 + 1
    assert all(len({line.count("|") for line in table.splitlines()}) == 1 for table in tables)


def test_what_is_recorded_is_what_the_encoder_does(translation, tmp_path):
    """Against the layer called by hand, with its own way to tell the activity."""
    run("--model", translation / "model", "--output", tmp_path, "the cat sees the dog.", "", "the tree")
    report, _ = read(tmp_path)
    assert [example["sequence"] for example in report["pictures"]] == [0, 2]
    model = load_subject(translation / "model").model
    dictionary = model.encoder.dictionary
    for example in report["pictures"]:
        tokens = example["layers"]["encoder forward"]["tokens"]
        numbers = torch.tensor([[dictionary.index(token)] for token in tokens])
        with torch.no_grad():
            activity = model.encoder.core.rim(model.encoder.embed_tokens(numbers), return_activity=True)[2]
        for title, active, attention in zip(LAYERS, activity.active_mask, activity.input_attention, strict=False):
            assert (np.array(example["layers"][title]["active"]) == active[:, 0].numpy()).all()
            reads = 1 - attention[:, 0, ..., 0].mean(1)
            np.testing.assert_allclose(example["layers"][title]["reads"], reads, atol=1e-4)
    assert report["pictures"][0]["layers"]["decoder"]["tokens"][0] == "</s>"


def test_batches_change_no_figure_and_the_target_language_chooses_the_decoder(translation, tmp_path):
    text = translation / "text"
    found = {}
    for name, options in {
        "one": ["--batch-size", 1],
        "all": ["--batch-size", 64],
        "french": ["--target-lang", "fr", "--reference", text / "in_domain.fr"],
    }.items():
        reference = [] if name == "french" else ["--reference", text / "in_domain.de"]
        output = tmp_path / name
        run("--model", translation / "model", "--output", output, "--text", text / "in_domain.en", "--pictures", 0,
            "--permutations", 5, *reference, *options)  # fmt: skip
        found[name] = read(output)[0]
    for title in LAYERS:
        assert found["one"]["layers"][title]["share"] == found["all"]["layers"][title]["share"]
    german, french = found["all"]["layers"], found["french"]["layers"]
    assert found["french"]["pair"] == "en-fr"
    assert german["encoder forward"] == french["encoder forward"]
    assert german["decoder"] != french["decoder"]


def test_a_stateful_language_model_reads_its_test_set_as_fairseq_does(language_model, tmp_path):
    run("--model", language_model / "rims/checkpoint_last.pt", "--split", "test", "--output", tmp_path, "--batch-size",
        1, "--drop-units", "--pictures", 1)  # fmt: skip
    report, page = read(tmp_path)
    assert list(report["layers"]) == ["decoder"] and report["pair"] is None
    text = (language_model / "text/test").read_text().splitlines()
    steps = sum(len(line.split()) + 1 for line in text) - 1
    assert report["layers"]["decoder"]["steps"] == steps
    subject = load_subject(language_model / "rims/checkpoint_last.pt")
    subject.task.load_dataset("test")
    tokens = subject.task.dataset("test").read(0, steps + 1).unsqueeze(0)
    with torch.no_grad():
        scores = subject.model(tokens[:, :-1])[0].squeeze(0)
    loss = torch.nn.functional.cross_entropy(scores, tokens[0, 1:])
    assert report["without_unit"][0]["loss"] == pytest.approx(float(loss), rel=1e-5)
    assert "Perplexity" not in page and "| intact |" in page


def test_lines_for_a_language_model(language_model, tmp_path):
    text = language_model / "text/test"
    run("--model", language_model / "lines", "--checkpoint", "checkpoint_last.pt", "--text", text, "--output", tmp_path,
        "--drop-units", "--pictures", 1)  # fmt: skip
    report, _ = read(tmp_path)
    lines = [line for line in text.read_text().splitlines() if line]
    assert report["layers"]["decoder"]["steps"] == sum(len(line.split()) + 1 for line in lines)
    example = report["pictures"][0]
    assert example["layers"]["decoder"]["tokens"] == ["</s>", *lines[0].split()]
    subject = load_subject(language_model / "lines/checkpoint_last.pt")
    with without_unit(subject.model, "decoder.core.rim", 2):
        dropped = subject.evaluate(subject.text_samples(lines, batch_size=3))
    assert report["without_unit"][3]["loss"] == pytest.approx(dropped["loss"], rel=1e-5)


@pytest.mark.parametrize("kind", ["copying", "adding"])
def test_a_predictor_of_sequences(tmp_path, kind):
    data = sequences.write(tmp_path / "data", kind, train=20, valid=10, test=10)
    split = next(path.name.split(".")[0] for path in sorted(data.glob("test*.inputs.npy")))
    checkpoint = sequences.train(data, tmp_path / "model", "rims_predictor_tiny", "--max-update", "2")
    run("--model", checkpoint, "--split", split, "--output", tmp_path / "out",
        "--drop-units", "--pictures", 1)  # fmt: skip
    report, _ = read(tmp_path / "out")
    figures = report["layers"]["core"]
    inputs = np.load(data / f"{split}.inputs.npy")
    assert figures["steps"] == inputs.shape[0] * inputs.shape[1]
    assert set(report["without_unit"][0]) - {"layer", "unit"} == (
        {"loss", "accuracy"} if kind == "copying" else {"loss"}
    )
    assert set(figures["information"]) == ({"position", "token"} if kind == "copying" else {"position"})


def test_a_picture_shows_the_active_units_and_names_the_steps():
    active = np.array([[1, 0, 1], [0, 1, 1]], dtype=bool)
    track = activity_report.Track("core.rim", 0, 0, "core")
    track.tokens, track.active, track.reads = {4: ["a", "$x"]}, {4: active}, {4: np.full((2, 3), 0.25)}
    axes = plot_activations.draw([track], 4).axes[0]
    shown = axes.images[1].get_array()
    assert (shown.mask == ~active.T).all() and (shown.data == 0.25).all()
    assert [label.get_text() for label in axes.get_xticklabels()] == ["a", r"\$x"]
    assert axes.get_title(loc="left") == "core"


def test_options_that_contradict_each_other(tmp_path, capsys):
    model = ["--model", "nowhere", "--output", str(tmp_path)]
    for arguments, message in [
        ([], "give sentences, --text or --split, one of them; got none"),
        (["a", "--text", "b"], "got sentences and text"),
        (["a", "--compare", "b"], "--compare needs a --text"),
        (["--split", "test", "--limit", "3"], "--limit and --reference are for text"),
        (["a", "--pictures", "-1"], "--pictures must be at least 0, got -1"),
        (["a", "--batch-size", "0"], "--batch-size must be at least 1, got 0"),
    ]:
        with pytest.raises(SystemExit):
            plot_activations.main([*model, *arguments])
        assert message in capsys.readouterr().err


def test_errors_say_what_is_wrong(translation, language_model, tmp_path, capsys):
    (tmp_path / "empty").write_text("\n\n")
    (tmp_path / "two").write_text("a\nb\n")
    moved = shutil.copy(language_model / "rims/checkpoint_last.pt", tmp_path)
    for arguments, message in [
        (["--model", tmp_path / "nowhere", "a"], "nowhere: no such checkpoint"),
        (["--model", translation / "model", "--checkpoint", "x.pt", "a"], r"model/x\.pt: no such checkpoint"),
        (["--model", translation / "model", "--target-lang", "it", "a"], "not trained to translate to 'it'"),
        (["--model", translation / "model", "a", "--drop-units"], "--drop-units needs the --reference"),
        (["--model", translation / "model", "--split", "test"], "data of several language pairs; give text"),
        (["--model", translation / "model", "the " * 2000], "line 1 has .* tokens, the model takes 1023"),
        (["--model", translation / "model", "--text", tmp_path / "empty"], "every line is empty"),
        (["--model", translation / "model", "--text", tmp_path / "nothing"], "nothing: cannot be read"),
        (["--model", translation / "model", "a", "--reference", tmp_path / "two"], "1 lines but .*two has 2"),
        (["--model", translation / "model", "a", "--buckets", "0"], "buckets must be at least 1, got 0"),
        (["--model", moved, "--split", "nonsense"], "there is no split 'nonsense'"),
        (["--model", moved, "a", "--reference", tmp_path / "two"], "--reference is for models that translate"),
        (["--model", moved, "a", "--target-lang", "de"], "does not translate, so it has no target language 'de'"),
        (["--model", moved, "a", "--data", tmp_path / "gone"], "gone: no such folder of data"),
        (["--model", language_model / "lstm/checkpoint_last.pt", "a"], "LSTMLanguageModel.* has no RIM layers"),
    ]:  # fmt: skip
        assert plot_activations.main([*map(str, arguments), "--output", str(tmp_path / "out")]) == 1
        assert re.search(f"^plot_activations.py: .*{message}", capsys.readouterr().err, re.MULTILINE), message
    assert not (tmp_path / "out/activity.md").exists()

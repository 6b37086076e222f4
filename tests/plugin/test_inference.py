"""Translating plain text with trained model directories, in the library and on the command line."""

import io
import json
import shutil
import types
import unicodedata

import pytest
import transfer_eval
import translate

from fairseq_plugins.inference import load_translator
from fairseq_plugins.models.recurrent_seq2seq import EncoderOut
from tests.system import toy_models
from tests.system.toy_experiment import sentences

LINES = [*sentences(5, 7), "", "the", "   ", *sentences(3, 8)]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Setting -> model directory, both moved away from the data they were trained on."""
    root = tmp_path_factory.mktemp("inference")
    toy_models.prepare(root, updates=30)
    for setting in ("single", "multitask"):
        process = toy_models.train(root, "lstm", setting)
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output
    moved = root.parent / f"{root.name}-moved"
    shutil.move(root / "runs/toy/models", moved)
    shutil.rmtree(root)
    return {setting: moved / f"lstm.{setting}.seed1" for setting in ("single", "multitask")}


@pytest.fixture
def model(models, tmp_path):
    """A copy of the single-pair model, to change."""
    return shutil.copytree(models["single"], tmp_path / "model")


@pytest.mark.parametrize(("setting", "language"), [("single", None), ("multitask", "de"), ("multitask", "fr")])
def test_order_number_and_empty_lines_are_kept(models, monkeypatch, tmp_path, setting, language):
    monkeypatch.chdir(tmp_path)
    translator = load_translator(models[setting], target_lang=language, beam=2)
    assert translator.pair == ("en", language or "de")
    translations = translator.translate(LINES)
    assert len(translations) == len(LINES)
    assert [bool(line) for line in translations] == [bool(line.strip()) for line in LINES]
    # SentencePiece is undone.
    assert not any("▁" in line or "<" in line for line in translations)


def test_batch_size_changes_nothing(models):
    together = load_translator(models["single"], batch_size=64).translate(LINES)
    assert load_translator(models["single"], batch_size=1).translate(LINES) == together
    assert load_translator(models["single"], batch_size=3).translate(LINES) == together


@pytest.mark.parametrize("beam", [1, 3])
@pytest.mark.parametrize("setting", ["single", "multitask"])
def test_shared_encodings_change_no_translation(models, monkeypatch, setting, beam):
    """A whole search, sentences ending at different steps, against one that copies encodings for every hypothesis."""
    language = None if setting == "single" else "de"
    expected, shared = [], []
    for reorder, found in ((None, shared), (lambda encoded, order: encoded._select(order, 1), expected)):
        if reorder is not None:
            monkeypatch.setattr(EncoderOut, "reorder", reorder)
        translator = load_translator(models[setting], target_lang=language, beam=beam)
        found.extend(translator.translate(LINES))
    assert shared == expected


def test_the_target_language_chooses_the_decoder(models):
    german, french = (load_translator(models["multitask"], target_lang=lang).translate(LINES) for lang in ("de", "fr"))
    assert german != french


def test_a_line_that_is_too_long_is_translated_in_parts(models, caplog):
    translator = load_translator(models["single"], beam=1)
    translator.max_tokens = 6
    line = "the cat sees the dog."
    assert len(translator.translate([line, "the"])) == 2
    assert "line 1 has" in caplog.text and "in parts of 5" in caplog.text
    assert translator.translate([line])[0]


def test_a_translation_ends_at_its_limit(models, monkeypatch):
    longest = []
    for factor in (0.0, 1.0):
        translator = load_translator(models["single"], max_len_a=factor, max_len_b=1)
        found = []
        decode = translator._decode
        monkeypatch.setattr(translator, "_decode", lambda tokens, d=decode, f=found: f.append(len(tokens)) or d(tokens))
        translator.translate(LINES)
        longest.append(max(found))
    assert longest[0] <= 2 < longest[1]  # with the end of sentence


def test_no_lines(models):
    assert load_translator(models["single"]).translate([]) == []


def test_characters_the_model_never_saw(models):
    assert len(load_translator(models["single"]).translate(["漢字 ☃", "the \u2028 cat"])) == 2


def test_errors_of_a_model_directory(model, tmp_path):
    with pytest.raises(ValueError, match=r"nowhere: no such model directory; .* runs/EXPERIMENT/models/"):
        load_translator(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="was not trained to translate to 'fr', only to de"):
        load_translator(model, target_lang="fr")
    with pytest.raises(ValueError, match="beam and batch size must be at least 1, got 0 and 64"):
        load_translator(model, beam=0)
    with pytest.raises(ValueError, match="max_len_b at least 1, got 2.0 and 0"):
        load_translator(model, max_len_b=0)
    with pytest.raises(ValueError, match=r"has no checkpoint_7\.pt; copy the complete model directory"):
        load_translator(model, checkpoint="checkpoint_7.pt")
    (model / "spm.model").unlink()
    with pytest.raises(ValueError, match=r"has no spm\.model"):
        load_translator(model)
    (model / "model.json").unlink()
    with pytest.raises(ValueError, match=r"model\.json: not found, .* run the workflow again"):
        load_translator(model)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"is damaged \("),
        ("[]", "has no 'target_pair'"),
        ('{"target_pair": "en-de"}', "has no 'lang_pairs'"),
    ],
)
def test_a_damaged_description_is_named(tmp_path, content, message):
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(ValueError, match=rf"model\.json: {message}.* remove the file and run the workflow again"):
        load_translator(tmp_path)


def test_source_text_is_normalised_as_the_training_text_was(models, tmp_path):
    clean = ["the cat sees the café .", "the dog's house , the tree .", "", "the river"]
    raw = [
        unicodedata.normalize("NFD", clean[0]),
        "the\u00a0dog&apos;s \u200bhouse\t,  the tree .",
        "\u00a0",
        "the\rriver",
    ]
    assert raw[0] != clean[0]
    (tmp_path / "de").write_text("x\n" * 4)
    model = ["--model", str(models["single"])]
    for name, lines in (("clean", clean), ("raw", raw)):
        source = tmp_path / f"{name}.en"
        source.write_text("\ufeff" * (name == "raw") + "".join(line + "\n" for line in lines), newline="\n")
        assert translate.main([str(source), "--output", str(tmp_path / name), *model]) == 0
        files = ["--source", str(source), "--reference", str(tmp_path / "de"), "--output", str(tmp_path / name)]
        assert transfer_eval.main([*files, *model]) == 0
    expected = load_translator(models["single"]).translate(clean)
    for name in ("clean", "raw"):
        assert (tmp_path / name).read_text().split("\n")[:-1] == expected
        assert (tmp_path / f"{name}.hyp").read_text().split("\n")[:-1] == expected


def test_translate_from_a_file_and_from_standard_input(models, tmp_path, monkeypatch):
    source, target = tmp_path / "in.en", tmp_path / "new" / "folder" / "out.de"
    source.write_bytes("".join(line + "\r\n" for line in LINES).encode())
    arguments = ["--model", str(models["single"]), "--batch-size", "1"]
    assert translate.main([str(source), "--output", str(target), *arguments]) == 0
    expected = load_translator(models["single"]).translate(LINES)
    assert target.read_text() == "".join(line + "\n" for line in expected)
    output = io.BytesIO()
    monkeypatch.setattr("sys.stdin", types.SimpleNamespace(buffer=io.BytesIO("\n".join(LINES).encode())))
    monkeypatch.setattr("sys.stdout", types.SimpleNamespace(buffer=output))
    assert translate.main(arguments) == 0
    assert output.getvalue() == target.read_bytes()


def test_translate_errors(models, tmp_path, capsys):
    assert translate.main(["nothing.en", "--model", str(models["single"])]) == 1
    assert "nothing.en: cannot be read (No such file or directory)" in capsys.readouterr().err
    (tmp_path / "latin1").write_bytes(b"ok\nGr\xfc\xdfe\n")
    target = tmp_path / "out"
    assert translate.main([str(tmp_path / "latin1"), "--output", str(target), "--model", str(models["single"])]) == 1
    assert "latin1: line 2 is not UTF-8 text" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [tmp_path / "latin1"]
    arguments = [str(tmp_path / "latin1"), "--output", str(tmp_path), "--model", str(models["single"])]
    assert translate.main(arguments) == 1
    assert f"{tmp_path}: cannot be written, it is a folder" in capsys.readouterr().err


def test_transfer_eval_writes_hypotheses_and_scores(models, tmp_path, capsys):
    source, reference = tmp_path / "test.en", tmp_path / "test.de"
    source.write_text("".join(line + "\n" for line in LINES))
    reference.write_text("".join(line + "\n" for line in LINES))
    arguments = ["--model", str(models["single"]), "--source", str(source), "--reference", str(reference)]
    assert transfer_eval.main([*arguments, "--output", str(tmp_path / "out/test"), "--beam", "2"]) == 0
    result = json.loads((tmp_path / "out/test.json").read_text())
    assert result["lines"] == len(LINES) == (tmp_path / "out/test.hyp").read_text().count("\n")
    assert result["pair"] == "en-de" and result["beam"] == 2
    assert "tok:13a" in result["bleu_signature"] and 0 <= result["bleu"] < 100
    printed = capsys.readouterr().out
    assert f"BLEU {result['bleu']:.2f}  {result['bleu_signature']}" in printed
    assert f"chrF {result['chrf']:.2f}  {result['chrf_signature']}" in printed


def test_transfer_eval_refuses_texts_that_are_not_aligned(models, tmp_path, capsys):
    source, reference = tmp_path / "test.en", tmp_path / "test.de"
    source.write_text("a\nb\n")
    reference.write_text("a\n")
    arguments = ["--model", str(models["single"]), "--source", str(source), "--reference", str(reference)]
    assert transfer_eval.main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert f"{source} has 2 lines but {reference} has 1" in capsys.readouterr().err
    assert not (tmp_path / "out.json").exists()

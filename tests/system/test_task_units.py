"""Which units of a shared encoder serve which language: from a trained model to the table."""

import json
import statistics

import pytest
import task_units
from files import sha256

from fairseq_plugins.inspection import load_subject
from rims_nlp.analysis import without_unit
from tests.system import toy_models


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The folder of a model of two pairs and its text."""
    root = tmp_path_factory.mktemp("task_units")
    toy_models.prepare(root, updates=10)
    process = toy_models.train(root, "rims", "multitask")
    output = process.communicate(timeout=300)[0]
    assert process.returncode == 0, output
    return root


def arguments(root, *more, languages=("de", "fr"), model="rims.multitask.seed1"):
    references = [part for name in languages for part in ("--reference", f"{name}={root / 'text' / f'valid.{name}'}")]
    return [
        "--model", str(root / "runs/toy/models" / model), "--text", str(root / "text/valid.en"), *references,
        "--output", str(root / "units"), "--batch-size", "7", *more,
    ]  # fmt: skip


def test_every_unit_of_the_encoder_and_every_language(root, capsys):
    assert task_units.main(arguments(root)) == 0
    text = capsys.readouterr().out
    assert text == (root / "units/task_units.md").read_text()
    report = json.loads((root / "units/task_units.json").read_text())
    units = [f"encoder {direction}, {unit}" for direction in ("forward", "backward") for unit in range(6)]
    assert [list(found["without"]) for found in report["languages"].values()] == [units, units]
    for unit in units:
        assert f"| {unit} | " in text
    assert report["lines"] == 20
    assert report["languages"]["de"]["intact"] != report["languages"]["fr"]["intact"]
    assert list(report["correlation"]["de-fr"]) == ["encoder forward", "encoder backward"]
    for layer, value in report["correlation"]["de-fr"].items():
        assert f"Correlation of de-fr over the units of the {layer}: {value:.2f}." in text
        both = ([found["without"][f"{layer}, {unit}"] for unit in range(6)] for found in report["languages"].values())
        assert value == pytest.approx(statistics.correlation(*both), abs=1e-4)
    assert report["checkpoint_sha256"] == sha256(root / "runs/toy/models/rims.multitask.seed1/checkpoint_best.pt")


def test_a_figure_is_the_loss_without_that_unit(root):
    task_units.main(arguments(root, "--limit", "9"))
    report = json.loads((root / "units/task_units.json").read_text())
    subject = load_subject(root / "runs/toy/models/rims.multitask.seed1", target_lang="fr")
    lines, references = ((root / "text" / f"valid.{name}").read_text().splitlines()[:9] for name in ("en", "fr"))
    losses = [subject.evaluate(subject.text_samples(lines, references))["loss"]]
    module = next(track.module for track in task_units.find_tracks(subject) if track.module.startswith("encoder"))
    with without_unit(subject.model, module, 4, layer=0, direction=0):
        losses.append(subject.evaluate(subject.text_samples(lines, references))["loss"])
    found = report["languages"]["fr"]
    assert found["intact"] == pytest.approx(losses[0], abs=1e-5)
    assert found["without"]["encoder forward, 4"] == pytest.approx(losses[1] - losses[0], abs=2e-5)
    assert losses[1] != losses[0]


def test_correlation():
    first = [0.1, 0.2, 0.4]
    assert task_units.correlation(first, [3 * value + 1 for value in first]) == 1.0
    assert task_units.correlation(first, [-value for value in first]) == -1.0
    assert task_units.correlation(first, [0.0, 0.0, 0.0]) is None


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--reference", "news.de"), "expected LANG=FILE, such as de=news.de, got 'news.de'"),
        (("--reference", "de=again.de"), "give at least two different languages, got de, fr, de"),
        (("--limit", "0"), "--limit must be at least 1, got 0"),
    ],
)
def test_options_that_are_refused(root, capsys, more, message):
    with pytest.raises(SystemExit):
        task_units.main(arguments(root, *more))
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("limit", [(), ("--limit", "1")])
def test_texts_that_are_not_aligned(root, capsys, limit):
    (root / "text/valid.es").write_text("una\n")
    assert task_units.main(arguments(root, *limit, languages=("es", "de"))) == 1
    assert "valid.en has 20 lines but" in capsys.readouterr().err


def test_a_language_that_the_model_does_not_have(root, capsys):
    (root / "text/valid.it").write_text((root / "text/valid.de").read_text())
    assert task_units.main(arguments(root, languages=("it", "de"))) == 1
    assert "'it'" in capsys.readouterr().err

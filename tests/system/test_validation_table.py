"""The table on the validation text, from logs made by hand."""

import json
import os

import pytest
import validation_table
from experiment import Cell, load_experiment
from families import COLOURS
from matplotlib.figure import Figure

from tests.system.toy_experiment import write_experiment
from tests.system.toy_models import snakemake

FAMILIES = {
    "slow": {"arch": "rims_seq2seq_tiny", "options": ["--lr", "0.001"]},
    "fast": {"arch": "rims_seq2seq_tiny", "options": ["--lr", "0.01"]},
}
PERPLEXITIES = {("slow", 1): (9.0, 8.0), ("slow", 2): (9.0, 6.0), ("fast", 1): (7.0, 5.0), ("fast", 2): (3.0, 4.0)}


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """An experiment of two families and two seeds that is trained but not scored."""
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path, seeds=[1, 2], families=FAMILIES, settings={"single": ["en-de"]})
    experiment = load_experiment("toy.yaml")
    for cell in experiment.cells():
        directory = experiment.model_dir(cell)
        directory.mkdir(parents=True)
        model = {"arch": "rims_seq2seq_tiny", "parameters": 1234, "updates": 40, "training_seconds": 30.0 * cell.seed}
        (directory / "model.json").write_text(json.dumps(model))
        write_perplexities(experiment, cell, *map(str, PERPLEXITIES[cell.family, cell.seed]))
        experiment.trained_mark(cell).touch()
    (experiment.root / "prepared.json").write_text("{}\n")
    os.utime(experiment.root / "prepared.json", (0, 0))
    return experiment


@pytest.fixture
def shown(monkeypatch):
    """The pictures, instead of their files."""
    figures = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, path, **options: figures.append(figure))
    return figures


def test_the_best_perplexity_of_every_model(trained, capsys):
    assert validation_table.main(["--config", "toy.yaml"]) == 0
    text = capsys.readouterr().out
    assert text == (trained.root / "validation.md").read_text()
    row = "`rims_seq2seq_tiny --lr 0.01` | 4.00 ± 1.41 | 1,234 | 40 | 45 s |"
    assert f"| en-de | fast | {row}" in text
    assert "| 7.00 ± 1.41 |" in text
    table = json.loads((trained.root / "validation.json").read_text())
    assert [row["perplexity"]["values"] for row in table["rows"]] == [[8.0, 6.0], [5.0, 3.0]]
    assert table["rows"][1]["curves"]["fast.single.seed2"] == [[20, 3.0], [40, 4.0]]


def test_the_picture_has_a_mean_for_each_model_and_its_seeds_behind(trained, shown):
    validation_table.write_tables(trained)
    (axis,) = shown[0].axes
    lines = {line.get_label(): list(line.get_ydata()) for line in axis.get_lines()}
    assert lines["slow"] == [9.0, 7.0]
    assert lines["fast"] == [5.0, 4.5]
    assert [3.0, 4.0] in lines.values()  # one seed
    assert axis.get_yscale() == "log"
    assert [text.get_text() for text in shown[0].legends[0].get_texts()] == ["slow", "fast"]


def write_perplexities(experiment, cell, *values):
    lines = [
        "| valid | " + json.dumps({"valid_ppl": value, "valid_num_updates": str(20 * number)})
        for number, value in enumerate(values, 1)
    ]
    (experiment.model_dir(cell) / "train.log").write_text("\n".join(lines) + "\n")


def test_a_family_has_the_colour_of_the_other_pictures(trained, shown):
    table = validation_table.collect(trained)
    table["rows"] = [{**row, "family": name} for row, name in zip(table["rows"], ("lstm", "rims"), strict=True)]
    validation_table.draw(table, trained.root / "validation.png")
    colours = {line.get_label(): line.get_color() for line in shown[0].axes[0].get_lines()}
    assert (colours["LSTM"], colours["RIMs"]) == (COLOURS["lstm"], COLOURS["rims"])


def test_a_perplexity_that_is_no_number_is_left_out(trained, capsys):
    write_perplexities(trained, Cell("fast", "single", 1), "nan", "6.0", "inf")
    assert validation_table.main(["--config", "toy.yaml"]) == 0
    row = json.loads((trained.root / "validation.json").read_text())["rows"][1]
    assert row["perplexity"]["values"] == [6.0, 3.0]
    assert row["curves"]["fast.single.seed1"] == [[20, None], [40, 6.0], [60, None]]
    assert "- NaN or infinite at some validations, which do not count: fast (en-de)." in capsys.readouterr().out


def test_a_model_that_has_diverged_is_named(trained, capsys):
    write_perplexities(trained, Cell("fast", "single", 1), "nan", "inf")
    assert validation_table.main(["--config", "toy.yaml"]) == 1
    path = trained.model_dir(Cell("fast", "single", 1)) / "train.log"
    assert f"{path}: has no perplexity that is a number, so the training has diverged" in capsys.readouterr().err


def test_the_legend_of_many_models_is_inside_the_picture(trained, shown):
    table = validation_table.collect(trained)
    table["rows"] = [{**table["rows"][0], "family": f"a_family_{number}"} for number in range(40)]
    validation_table.draw(table, trained.root / "validation.png")
    (figure,) = shown
    figure.draw_without_rendering()
    box, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.y0 <= box.y0 and box.y1 <= whole.y1 and whole.x0 <= box.x0 and box.x1 <= whole.x1
    assert len(figure.legends[0].get_texts()) == 40


def test_a_model_that_is_not_trained_is_named(trained, capsys):
    path = trained.model_dir(Cell("fast", "single", 2)) / "model.json"
    path.unlink()
    assert validation_table.main(["--config", "toy.yaml"]) == 1
    assert f"{path}: not found, so this cell is not finished" in capsys.readouterr().err
    assert not (trained.root / "validation.md").exists()


def test_a_model_that_was_never_validated_is_named(trained, capsys):
    path = trained.model_dir(Cell("slow", "single", 1)) / "train.log"
    path.write_text("nothing\n")
    assert validation_table.main(["--config", "toy.yaml"]) == 1
    assert f"{path}: has no validation of en-de" in capsys.readouterr().err


def test_the_workflow_makes_it_and_scores_nothing(trained, tmp_path):
    status, output = snakemake(tmp_path, "validation")
    assert status == 0, output
    assert "scoring" not in output
    assert "fast" in (trained.root / "validation.md").read_text()
    assert (trained.root / "validation.png").read_bytes().startswith(b"\x89PNG")

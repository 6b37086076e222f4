"""The experiments on sequences, from the file to the table, and what is in the table."""

import csv
import json
import re

import pytest
import sequence_table
import train
import yaml
from experiment import Cell, load_sequences
from score_sequences import score_cell, score_split

from data_prep import __main__ as data_prep
from fairseq_plugins import perplexity
from fairseq_plugins.inspection import load_subject
from tests.plugin import toy
from tests.system.toy_models import folder, snakemake

COMMON = ["--optimizer", "adam", "--lr", 0.005, "--max-update", 6, "--validate-interval-updates", 2,
          "--save-interval-updates", 2, "--keep-interval-updates", 1]  # fmt: skip


def write(root, data, families, options, evaluate, seeds=(1,)):
    content = {
        "name": "toy",
        "data": data,
        "train": {"seeds": list(seeds), "families": families, "options": [*options, *COMMON]},
        "evaluate": evaluate,
    }
    (root / "toy.yaml").write_text(yaml.safe_dump(content, sort_keys=False))


@pytest.fixture(scope="module")
def copying(tmp_path_factory):
    """A finished experiment of two families, one of them twice, and the output of the workflow."""
    root = tmp_path_factory.mktemp("copying")
    data = ["copying", "--delay", 3, "--test-delay", 3, 5, "--train", 160, "--valid", 20, "--test", 30]
    write(
        root,
        {"synthetic": {"short": data}},
        {"rims": {"arch": "rims_predictor_tiny"}, "lstm": {"arch": "lstm_predictor_tiny"}},
        ["--task", "sequence_prediction", "--criterion", "sequence_prediction", "--batch-size", 16],
        {
            "tests": ["test3", "test5"], "metric": "loss", "activations": ["test5"],
            "paper": {"source": "A Paper, Table 7", "figures": {"lstm": {"test5": 4.32}}},
        },
        seeds=(1, 2),
    )  # fmt: skip
    status, output = snakemake(root, snakefile="sequences.smk")
    assert status == 0, output
    return root, output


def test_everything_is_made_in_one_command(copying):
    root, _ = copying
    results = root / "runs/toy"
    assert {path.name for path in results.glob("table.*")} == {"table.md", "table.json", "table.csv", "table.png"}
    assert (results / "table.png").read_bytes().startswith(b"\x89PNG")
    drawn = results / "activations/rims.short.test5"
    assert (drawn / "activity.md").is_file() and (drawn / "sequence_1.png").is_file()
    assert [path.name for path in (results / "activations").iterdir()] == ["rims.short.test5"]
    for cell in ("rims.short.seed1", "rims.short.seed2", "lstm.short.seed1", "lstm.short.seed2"):
        assert (results / "models" / cell / "checkpoint_best.pt").is_file()


def test_the_table_has_what_was_scored(copying):
    root, _ = copying
    results = root / "runs/toy"
    table = json.loads((results / "table.json").read_text())
    assert [row["family"] for row in table["rows"]] == ["rims", "lstm"]
    found = [json.loads((results / f"scores/lstm.short.seed{seed}.json").read_text())["test5"] for seed in (1, 2)]
    column = table["rows"][1]["columns"]["test5"]
    assert column["loss"]["values"] == [score["loss"] for score in found] and column["paper"] == 4.32
    assert 1.5 < column["loss"]["mean"] < 3 and 0 <= found[0]["accuracy"] <= 1
    assert table["chance"] == {column: pytest.approx(2.0794, abs=1e-4) for column in ("test3", "test5")}
    curve = table["rows"][0]["curves"]["rims.short.seed2"]
    assert [update for update, _ in curve] == [2, 4, 6]
    text = (results / "table.md").read_text()
    assert "| model | test3 | test5 | paper | parameters | updates | training |" in text
    assert re.search(r"\| lstm \| \d\.\d{3} ± \d\.\d{3} \| \d\.\d{3} ± \d\.\d{3} \| 4\.32 \| [\d,]+ \| 6 \|", text)
    assert re.search(r"\| rims \| .* \| – \|", text)
    assert "Chance level, the best constant answer: 2.079." in text and "paper: A Paper, Table 7." in text
    rows = list(csv.DictReader((results / "table.csv").open()))
    assert len(rows) == 2 * 2 * 2 * 2  # families, columns, metrics, seeds
    assert {
        row["paper"] for row in rows if (row["family"], row["column"], row["metric"]) == ("lstm", "test5", "loss")
    } == {"4.32"}


def test_scores_are_those_of_fairseq_validate(copying):
    root, _ = copying
    log = (root / "runs/toy/models/rims.short.seed1/train.log").read_text()
    best = min(float(values["valid_loss"]) for stage, values in train.parse_log(log) if stage == "valid")
    with folder(root):
        experiment = load_sequences("toy.yaml")
        cell = Cell("rims", "short", 1)
        subject = load_subject(experiment.model_dir(cell))
        assert score_split(subject, experiment.folders["short"], "valid")["loss"] == pytest.approx(best, abs=2e-5)


def test_a_second_run_does_nothing(copying):
    root, output = copying
    assert "training rims, short, seed 1" in output
    status, output = snakemake(root, "-n", snakefile="sequences.smk")
    assert status == 0 and "Nothing to be done" in output, output


def test_a_further_seed_is_trained_and_joins_the_table(copying, tmp_path):
    root, _ = copying
    path = tmp_path / "more.yaml"
    path.write_text((root / "toy.yaml").read_text().replace("  - 1\n  - 2\n", "  - 1\n  - 2\n  - 3\n"))
    status, output = snakemake(root, "-n", snakefile="sequences.smk", experiment=str(path))
    assert status == 0, output
    jobs = output.split("Job stats:")[1].split("total")[0].strip().splitlines()[2:]
    assert dict(line.split() for line in jobs) == {"train": "2", "score": "2", "table": "1", "all": "1"}


def test_the_experiment_must_be_named(tmp_path):
    status, output = snakemake(tmp_path, "-n", snakefile="sequences.smk", experiment=None)
    assert status != 0 and "say which experiment: --config experiment=configs/copying_small.yaml" in output


def test_a_metric_that_the_task_lacks_is_an_error(copying, tmp_path, monkeypatch):
    root, _ = copying
    monkeypatch.chdir(root)
    path = tmp_path / "toy.yaml"
    path.write_text((root / "toy.yaml").read_text().replace("metric: loss", "metric: perplexity"))
    with pytest.raises(ValueError, match="evaluate.metric is perplexity, but test3 has loss, accuracy"):
        score_cell(load_sequences(path), Cell("rims", "short", 1))
    with pytest.raises(ValueError, match="evaluate.metric is perplexity, but --task sequence_prediction has loss, acc"):
        train.train_cell(load_sequences(path), Cell("rims", "short", 1))
    with pytest.raises(ValueError, match=r"rims.short.seed1.json: has no perplexity; test3 has loss, accuracy"):
        sequence_table.collect(load_sequences(path))
    with pytest.raises(ValueError, match=r"has no cell rims\.long\.seed1; its cells are rims\.short\.seed1, "):
        score_cell(load_sequences(path), Cell("rims", "long", 1))


def test_a_missing_score_is_named(copying, tmp_path, monkeypatch):
    root, _ = copying
    monkeypatch.chdir(root)
    path = tmp_path / "toy.yaml"
    path.write_text((root / "toy.yaml").read_text().replace("  - 1\n  - 2\n", "  - 1\n  - 2\n  - 3\n"))
    with pytest.raises(ValueError, match=r"rims\.short\.seed3\.json: not found, so this cell is not finished"):
        sequence_table.collect(load_sequences(path))


def test_answers_of_a_translation_model(tmp_path):
    data = ["memorisation", "--operation", "copy", "--length", 3, "--train", 200, "--valid", 10, "--test", 10]
    write(
        tmp_path,
        {"synthetic": {"copy": data}},
        {"rims": {"arch": "rims_seq2seq_tiny"}},
        ["--task", "translation", "--batch-size", 16],  # fairseq infers the sides, and so must the scores
        {"tests": ["test"], "metric": "character_accuracy"},
    )
    cell = Cell("rims", "copy", 1)
    with folder(tmp_path):
        experiment = load_sequences("toy.yaml")
        assert data_prep.main(experiment.settings["copy"]) == 0
        train.train_cell(experiment, cell)
        scores = json.loads(score_cell(experiment, cell).read_text())
        assert set(scores["test"]) == {"loss", "perplexity", "character_accuracy", "exact_match"}
        text = sequence_table.write_tables(experiment)
        chance = experiment.facts("copy")["splits"]["test"]["chance"]["character_accuracy"]
    assert "characters right, in percent" in text
    assert f"Chance level, the best constant answer: {100 * chance:.1f}." in text and 0.25 < chance < 0.75
    shown = f"{100 * scores['test']['character_accuracy']:.1f}"
    assert re.search(rf"\| rims \| {re.escape(shown)} \|", text)


def test_perplexity_of_a_language_model(tmp_path):
    texts = {}
    for seed, split in enumerate(("train", "valid", "test")):
        texts[split] = f"{split}.txt"
        (tmp_path / texts[split]).write_text("".join(f"{line}\n" for line in toy.sentences(30, seed)))
    write(
        tmp_path,
        {"out": "runs/toy/data", "text": texts},
        {"rims": {"arch": "rims_lm_tiny"}, "transformer": {
            "arch": "transformer_lm_tiny", "options": ["--task", "language_modeling", "--tokens-per-sample", 8]}},
        ["--task", "stateful_language_modeling", "--tokens-per-sample", 5, "--batch-size", 2],
        {"tests": ["test"], "metric": "perplexity"},
    )  # fmt: skip
    with folder(tmp_path):
        experiment = load_sequences("toy.yaml")
        assert data_prep.main(experiment.settings["text"]) == 0
        for cell in experiment.cells():
            train.train_cell(experiment, cell)
            found = json.loads(score_cell(experiment, cell).read_text())["test"]["perplexity"]
            model, task = perplexity.load_language_model(str(experiment.model_dir(cell) / "checkpoint_best.pt"), None)
            tokens = perplexity.split_tokens("runs/toy/data", "test", task.dictionary)
            losses = perplexity.token_losses(model, tokens, perplexity.longest_unroll(model))
            assert found == pytest.approx(float(losses.mean().exp()), rel=1e-5)
        descriptions = [experiment.description(cell)["task"] for cell in experiment.cells()]
    assert descriptions == ["stateful_language_modeling", "language_modeling"]


@pytest.mark.parametrize(
    "metric, value, text",
    [
        ("loss", {"mean": 2.0811, "std": 0.0123}, "2.081 ± 0.012"),
        ("loss", {"mean": 0.000052, "std": 0.000031}, "0.000052 ± 0.000031"),
        ("loss", {"mean": 0.0, "std": None}, "0.000"),
        ("loss", {"mean": 0.00312, "std": None}, "0.0031"),
        ("accuracy", {"mean": 0.98765, "std": 0.001}, "98.8 ± 0.1"),
        ("perplexity", {"mean": 270.944, "std": None}, "270.94"),
        ("exact_match", 0.125, "12.5"),
    ],
)
def test_figures_for_a_reader(metric, value, text):
    assert sequence_table.figure_text(metric, value) == text


def test_a_split_that_is_not_there_is_found_before_training(copying, tmp_path, monkeypatch):
    root, _ = copying
    monkeypatch.chdir(root)
    path = tmp_path / "toy.yaml"
    path.write_text((root / "toy.yaml").read_text().replace("- test3\n", "- test7\n"))
    with pytest.raises(ValueError, match="evaluate names the split 'test7', but runs/toy/data/short has train, valid,"):
        train.train_cell(load_sequences(path), Cell("rims", "short", 1))

"""The results table, from scores made by hand."""

import csv
import dataclasses
import hashlib
import json

import pytest
import table8
from experiment import Cell, load_experiment

from fairseq_plugins.scoring import read_lines, score
from tests.system.toy_experiment import write_experiment

REFERENCE = [f"the {word} is seen by all of the people there." for word in ("cat", "dog", "sun", "sea", "hill") * 6]
SECONDS = {"rims": 90.0, "lstm": 30.0, "transformer": 7200.0}


def worsen(lines, every):
    """Spoil each n-th line, so that translations differ in quality."""
    return ["wrong" if index % every == 0 else line for index, line in enumerate(lines)]


@pytest.fixture
def finished(tmp_path, monkeypatch):
    """An experiment of two seeds whose models are all trained and scored; the RIMs are clearly better than the LSTM."""
    monkeypatch.chdir(tmp_path)
    experiment = load_experiment(write_experiment(tmp_path, seeds=[1, 2]))
    for test in experiment.tests:
        _, reference = experiment.test_files(test)
        reference.parent.mkdir(parents=True)
        reference.write_text("".join(line + "\n" for line in REFERENCE))
    for cell in experiment.cells():
        experiment.model_dir(cell).mkdir(parents=True)
        model = {"parameters": 1000 * cell.seed, "updates": 7, "training_seconds": SECONDS[cell.family] * cell.seed,
                 "words_per_second": 100.0 * cell.seed, "arch": f"{cell.family}_tiny", "machine": "one",
                 "threads": 1, "data": "d1", "versions": {"torch": "2"}, "command": ["/home/somebody"]}  # fmt: skip
        (experiment.model_dir(cell) / "model.json").write_text(json.dumps(model))
        for test in experiment.tests:
            hypotheses = worsen(REFERENCE, {"rims": 10, "lstm": 2, "transformer": 2}[cell.family] + cell.seed - 1)
            path = experiment.score_file(cell, test)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps({**score(hypotheses, REFERENCE), "lines": 30, "seconds": 1.5 * cell.seed}))
            path.with_suffix(".hyp").write_text("".join(line + "\n" for line in hypotheses))
    return experiment


def test_numbers_of_the_table(finished):
    table = table8.collect(finished)
    row = next(row for row in table["rows"] if (row["family"], row["setting"]) == ("rims", "single"))
    scores = [json.loads(finished.score_file(Cell("rims", "single", seed), "transfer").read_text()) for seed in (1, 2)]
    values = [found["bleu"] for found in scores]
    assert row["tests"]["transfer"]["bleu"]["values"] == values
    assert row["tests"]["transfer"]["bleu"]["mean"] == pytest.approx(sum(values) / 2, abs=1e-4)
    assert row["tests"]["transfer"]["bleu"]["std"] == pytest.approx(abs(values[0] - values[1]) / 2**0.5, abs=1e-3)
    assert row["training_seconds"]["mean"] == 135.0
    assert row["words_per_second"]["values"] == [100.0, 200.0]
    assert row["sentences_per_second"]["values"] == [20.0, 10.0]
    assert row["paper_bleu"] == 23.71
    assert row["gaps"] == {"transfer": {"mean": 0.0, "std": 0.0, "values": [0.0, 0.0]}}
    assert table["signatures"]["bleu"].startswith("nrefs:1|case:mixed|eff:no|tok:13a")
    assert table["signatures"]["chrf"].startswith("nrefs:1|case:mixed|eff:yes|nc:6")


def test_paired_bootstrap_marks_what_differs_from_the_lstm(finished):
    rows = {row["family"]: row["tests"]["in_domain"] for row in table8.collect(finished)["rows"]}
    assert set(rows["rims"]["p_values"]) == {1, 2}
    bleu = [rows[family]["bleu"]["values"] for family in ("rims", "lstm")]
    assert list(rows["rims"]["differences"].values()) == [
        round(rims - lstm, 2) for rims, lstm in zip(*bleu, strict=True)
    ]
    assert max(rows["rims"]["p_values"].values()) < 0.025
    assert table8.bleu_text(rows["rims"]).endswith("*")
    assert rows["lstm"]["p_values"] == {}
    # The same translation as the LSTM's.
    assert rows["transformer"]["p_values"] == {1: 1.0, 2: 1.0}
    assert not table8.bleu_text(rows["transformer"]).endswith("*")


@pytest.mark.parametrize(
    ("differences", "p", "starred"),
    [
        ([3.0, 0.4], [0.001, 0.024], True),
        ([-3.0, -0.4], [0.001, 0.024], True),
        ([3.0, -3.0], [0.001, 0.001], False),  # the seeds contradict each other
        ([3.0, 0.4], [0.001, 0.026], False),
        ([], [], False),  # the LSTM itself
    ],
)
def test_a_star_stands_where_all_seeds_agree(differences, p, starred):
    result = {"differences": dict(enumerate(differences)), "p_values": dict(enumerate(p))}
    assert table8.is_significant(result) == starred


def test_what_a_second_pair_changes_is_told_by_family_and_seed(finished):
    for seed in finished.seeds:  # the LSTM alone gets better, and only on one of the test sets
        path = finished.score_file(Cell("lstm", "multitask", seed), "transfer")
        path.write_text(json.dumps({**score(REFERENCE, REFERENCE), "lines": 30, "seconds": 1.0}))
        path.with_suffix(".hyp").write_text("".join(line + "\n" for line in REFERENCE))
    table = table8.collect(finished)
    lstm = next(row for row in table["rows"] if (row["family"], row["setting"]) == ("lstm", "multitask"))
    assert lstm["gaps"]["transfer"]["values"] == [
        round(100.0 - value, 2) for value in lstm["tests"]["in_domain"]["bleu"]["values"]
    ]
    assert f" | {table8.plus_minus(lstm['gaps']['transfer'], '{:+.2f}')} | 20.37 | " in table8.markdown(
        table, finished.tests
    )
    found = {row["family"]: row for row in table["effects"]}
    assert list(found) == list(finished.families)
    single = next(row for row in table["rows"] if (row["family"], row["setting"]) == ("lstm", "single"))
    before = single["tests"]["transfer"]["bleu"]["values"]
    gained = found["lstm"]["tests"]["transfer"]
    assert gained["bleu"]["values"] == pytest.approx([100.0 - value for value in before])
    assert max(gained["p_values"].values()) < 0.05
    assert found["lstm"]["tests"]["in_domain"] == {
        "bleu": {"mean": 0.0, "std": 0.0, "values": [0.0, 0.0]}, "p_values": {1: 1.0, 2: 1.0},
        "differences": {1: 0.0, 2: 0.0},
    }  # fmt: skip
    assert [found[family]["paper_bleu"] for family in ("rims", "lstm", "transformer")] == [0.52, -0.95, 0.03]
    text = table8.markdown(table, finished.tests)
    line = next(line for line in text.splitlines() if line.startswith("| en-de, en-fr − en-de | LSTM |"))
    assert f"| +0.00 ± 0.00 | {table8.plus_minus(gained['bleu'], '{:+.2f}')}* | -0.95 |" in line


def test_one_setting_has_nothing_to_compare(finished):
    one = dataclasses.replace(finished, settings={"single": ["en-de"]})
    table = table8.collect(one)
    assert table["effects"] == []
    assert "more pairs" not in table8.markdown(table, one.tests)


def test_main_writes_all_four_files_and_prints_the_markdown(finished, capsys):
    assert table8.main(["--config", str(finished.path)]) == 0
    text = capsys.readouterr().out
    assert text == (finished.root / "table8.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 6 + 2 + 3
    assert {line.count("|") for line in lines[:8]} == {lines[0].count("|")}
    assert {line.count("|") for line in lines[8:]} == {lines[8].count("|")}
    for figure in ("22.89", "22.92", "21.32", "20.37", "23.71", "24.23", " ± ", "2.2 min", "45 s", "3.0 h"):
        assert figure in text
    with open(finished.root / "table8.csv") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3 * 2 * 2 * 2
    assert all(float(row["bleu"]) > 0 and float(row["training_seconds"]) > 0 for row in rows)
    for row in rows:
        path = finished.score_file(Cell(row["family"], row["setting"], int(row["seed"])), row["test"])
        digest = hashlib.sha256(path.with_suffix(".hyp").read_bytes()).hexdigest()
        assert row["hypothesis_sha256"] == digest
    written = (finished.root / "table8.json").read_text()
    assert "somebody" not in written  # it is to be shown to others
    table = json.loads(written)
    assert table["seeds"] == [1, 2] and table["family_options"].keys() == finished.families.keys()
    assert (finished.root / "table8.png").read_bytes().startswith(b"\x89PNG")
    assert not list(finished.root.glob("*.tmp-*"))


def test_a_translation_that_lost_a_line_is_refused(finished, capsys):
    path = finished.score_file(Cell("transformer", "multitask", 2), "transfer").with_suffix(".hyp")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    assert table8.main(["--config", str(finished.path)]) == 1
    error = capsys.readouterr().err
    assert f"{path} has 29 lines but runs/toy/data/tests/transfer/en-de.ref has 30" in error
    assert not (finished.root / "table8.md").exists()


@pytest.mark.parametrize("what", ["model.json", "transfer.json"])
def test_an_unfinished_cell_is_named(finished, capsys, what):
    cell = Cell("rims", "single", 1)
    path = (finished.model_dir(cell) if what == "model.json" else finished.score_file(cell, "transfer").parent) / what
    path.unlink()
    assert table8.main(["--config", str(finished.path)]) == 1
    assert f"{path}: not found, so this cell is not finished; run the workflow" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "message"), [('{"parameters": 1', r"is damaged \("), ("{}", "has no 'arch'"), ("[]", "has no")]
)
def test_a_damaged_model_is_named(finished, content, message):
    path = finished.model_dir(Cell("rims", "single", 1)) / "model.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"model\.json: {message}.*remove it and run the workflow"):
        table8.collect(finished)


def test_every_translation_is_read_once(finished, monkeypatch):
    read = []
    monkeypatch.setattr(table8, "read_lines", lambda path: read.append(path) or read_lines(path))
    table8.collect(finished)
    assert len(read) == len(set(read)) == len(finished.cells()) * len(finished.tests) + len(finished.tests)


def test_scores_of_different_signatures_are_not_compared(finished, capsys):
    path = finished.score_file(Cell("rims", "single", 1), "transfer")
    path.write_text(path.read_text().replace("tok:13a", "tok:zh"))
    assert table8.main(["--config", str(finished.path)]) == 1
    assert "different bleu signatures" in capsys.readouterr().err


def test_one_seed_has_no_spread():
    assert table8.plus_minus(table8.spread([3.14159])) == "3.14"
    assert table8.plus_minus(table8.spread([1.0, 3.0])) == "2.00 ± 1.41"
    assert table8.plus_minus(table8.spread([1.0, 3.0]), "{:+.1f}") == "+2.0 ± 1.4"

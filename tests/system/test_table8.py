"""The results table, from scores made by hand."""

import csv
import dataclasses
import hashlib
import json
import math

import comparisons
import pytest
import scored_cells
import table8
from experiment import Cell, load_experiment
from figures import plus_minus, spread
from scored_cells import ScoredCell

from fairseq_plugins.scoring import paired_bootstrap, read_lines, score
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
                 "threads": 1, "data": "d1", "versions": {"torch": "2"}, "command": ["/home/somebody"],
                 "checkpoint_sha256": cell.name}  # fmt: skip
        (experiment.model_dir(cell) / "model.json").write_text(json.dumps(model))
        for test in experiment.tests:
            hypotheses = worsen(REFERENCE, {"rims": 10, "lstm": 2, "transformer": 2}[cell.family] + cell.seed - 1)
            write_scores(experiment, cell, test, hypotheses)
    return experiment


def write_scores(experiment, cell, test, hypotheses):
    """What scoring leaves of a translation."""
    path = experiment.score_file(cell, test)
    path.parent.mkdir(parents=True, exist_ok=True)
    more = {"lines": 30, "seconds": 1.5 * cell.seed, "checkpoint_sha256": cell.name}
    path.write_text(json.dumps({**score(hypotheses, REFERENCE), **more}))
    path.with_suffix(".hyp").write_text("".join(line + "\n" for line in hypotheses))


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


def difference(table, side, other):
    """The comparison of two sides, each of them a family and a setting."""
    return next(row for row in table["comparisons"] if (tuple(row["side"]), tuple(row["other"])) == (side, other))


def test_families_are_compared_with_each_other(finished):
    table = table8.collect(finished)
    rows = {row["family"]: row["tests"]["in_domain"]["bleu"] for row in table["rows"] if row["setting"] == "single"}
    measured = difference(table, ("rims", "single"), ("lstm", "single"))["tests"]["in_domain"]
    found = measured["bleu"]
    assert found["mean"] == pytest.approx(rows["rims"]["mean"] - rows["lstm"]["mean"], abs=1e-3)
    assert found["std"] == pytest.approx(math.hypot(rows["rims"]["std"], rows["lstm"]["std"]), abs=1e-3)
    # Of the seeds the closest ones: the worst of the better side and the best of the other.
    worst, best = ([seed for _, seed in sorted(zip(rows[family]["values"], (1, 2), strict=True))] for family in
                   ("rims", "lstm"))  # fmt: skip
    translations = [
        read_lines(finished.hypothesis_file(cell, "in_domain"))
        for cell in (Cell("lstm", "single", best[-1]), Cell("rims", "single", worst[0]))
    ]
    for metric, result in measured.items():
        values = paired_bootstrap(translations[0], {"x": translations[1]}, REFERENCE, samples=50, metric=metric)
        assert result["p_value"] == values["x"]
    assert comparisons.is_significant(found)
    text = table8.markdown(table, finished.tests)
    both = [f"{plus_minus(measured[metric], '{:+.2f}')}* ({measured[metric]['p_value']:.3f})" for metric in measured]
    assert f"| en-de | RIMs − LSTM | {' | '.join([both[0]] * 2 + [both[1]] * 2)} | +2.39 |" in text
    # The same translations.
    same = difference(table, ("lstm", "single"), ("transformer", "single"))
    nothing = same["tests"]["in_domain"]["bleu"]
    assert nothing["p_value"] is None and nothing["mean"] == 0
    assert "| en-de | LSTM − Transformer | +0.00 ± " in text and "(overlap) | -1.57 |" in text


@pytest.mark.parametrize(
    ("figures", "others", "bootstrapped"),
    [
        ([3.0, 5.0], [1.0, 2.9], True),
        ([1.0, 2.9], [3.0, 5.0], True),
        ([3.0, 5.0], [1.0, 3.1], False),
        ([3.0, 5.0], [1.0, 3.0], False),  # a tie
        ([3.0], [4.0], True),
    ],
)
@pytest.mark.parametrize("metric", ["bleu", "chrf"])
def test_sides_that_overlap_have_no_p_value(monkeypatch, metric, figures, others, bootstrapped):
    asked = []

    def bootstrap(first, rest, *_, metric, **__):
        asked.append((first, rest, metric))
        return {"ahead": 0.02}

    monkeypatch.setattr(comparisons, "paired_bootstrap", bootstrap)
    sides = [[ScoredCell({}, {"t": {metric: figure}}, {"t": [str(figure)]}, {}) for figure in side]
             for side in (figures, others)]  # fmt: skip
    found = comparisons.compare(*sides, "t", metric, ["reference"], 7)
    assert found["p_value"] == (0.02 if bootstrapped else None)
    assert comparisons.is_significant(found) == bootstrapped
    if bootstrapped:
        better, worse = (figures, others) if figures[0] > others[0] else (others, figures)
        assert asked == [([str(max(worse))], {"ahead": [str(min(better))]}, metric)]
    assert found["std"] is None if len(figures) == 1 else found["std"] > 0


def test_a_difference_that_other_sentences_could_change_is_not_significant():
    assert not comparisons.is_significant({"p_value": 0.026})
    assert comparisons.is_significant({"p_value": 0.024})


def test_what_a_second_pair_changes_is_told_by_family(finished):
    for seed in finished.seeds:  # the LSTM alone gets better, and only on one of the test sets
        write_scores(finished, Cell("lstm", "multitask", seed), "transfer", REFERENCE)
    table = table8.collect(finished)
    lstm = next(row for row in table["rows"] if (row["family"], row["setting"]) == ("lstm", "multitask"))
    assert lstm["gaps"]["transfer"]["values"] == [
        round(100.0 - value, 2) for value in lstm["tests"]["in_domain"]["bleu"]["values"]
    ]
    gap = plus_minus(lstm["gaps"]["transfer"], "{:+.2f}")
    text = table8.markdown(table, finished.tests)
    assert f" | {gap} | 20.37 | " in text
    single = next(row for row in table["rows"] if (row["family"], row["setting"]) == ("lstm", "single"))
    found = difference(table, ("lstm", "multitask"), ("lstm", "single"))
    gained = found["tests"]["transfer"]["bleu"]
    assert gained["mean"] == pytest.approx(100.0 - single["tests"]["transfer"]["bleu"]["mean"], abs=1e-3)
    assert gained["p_value"] < 0.025
    unchanged = found["tests"]["in_domain"]["bleu"]
    assert unchanged["mean"] == 0.0 and unchanged["p_value"] is None
    papers = [
        difference(table, (family, "multitask"), (family, "single"))["paper_bleu"] for family in finished.families
    ]
    assert papers == [0.52, -0.95, 0.03]
    line = next(line for line in text.splitlines() if line.startswith("| en-de, en-fr − en-de | LSTM |"))
    assert f" (overlap) | {plus_minus(gained, '{:+.2f}')}* ({gained['p_value']:.3f}) | " in line
    assert line.endswith(" | -0.95 |")


def test_one_model_has_nothing_to_compare(finished):
    only = {"rims": finished.families["rims"]}
    one = dataclasses.replace(finished, settings={"single": ["en-de"]}, families=only)
    table = table8.collect(one)
    assert table["comparisons"] == []
    assert "difference" not in table8.markdown(table, one.tests)


def test_the_length_of_the_translations_is_told(finished):
    write_scores(finished, Cell("rims", "single", 1), "transfer", [f"{line} {line}" for line in REFERENCE])
    table = table8.collect(finished)
    found = table["rows"][0]["tests"]
    assert found["transfer"]["length_ratio"]["values"][0] == 2.0
    assert 0.9 < found["in_domain"]["length_ratio"]["mean"] < 1
    assert f"| {plus_minus(found['transfer']['length_ratio'])} | 1,000 |" in table8.markdown(table, finished.tests)


def test_scores_of_another_checkpoint_are_refused(finished, capsys):
    """As after a training that went on."""
    path = finished.model_dir(Cell("lstm", "multitask", 2)) / "model.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "checkpoint_sha256": "new"}))
    assert table8.main(["--config", str(finished.path)]) == 1
    score_file = finished.score_file(Cell("lstm", "multitask", 2), "in_domain")
    assert f"{score_file}: is of another checkpoint than the one that {path.parent} has now" in capsys.readouterr().err


def test_main_writes_all_four_files_and_prints_the_markdown(finished, capsys):
    assert table8.main(["--config", str(finished.path)]) == 0
    text = capsys.readouterr().out
    assert text == (finished.root / "table8.md").read_text()
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert len(lines) == 2 + 6 + 2 + 2 * 3 + 3
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
    assert table["seeds"] == [1, 2] and table["families"] == finished.families
    assert table8.comma_separated(table) == (finished.root / "table8.csv").read_text()  # nothing is lost in between
    assert table8.markdown(table, finished.tests) == text
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
    for module in (table8, scored_cells):
        monkeypatch.setattr(module, "read_lines", lambda path: read.append(path) or read_lines(path))
    table8.collect(finished)
    assert len(read) == len(set(read)) == len(finished.cells()) * len(finished.tests) + len(finished.tests)


def test_scores_of_different_signatures_are_not_compared(finished, capsys):
    path = finished.score_file(Cell("rims", "single", 1), "transfer")
    path.write_text(path.read_text().replace("tok:13a", "tok:zh"))
    assert table8.main(["--config", str(finished.path)]) == 1
    assert "different bleu signatures" in capsys.readouterr().err


def test_one_seed_has_no_spread():
    assert plus_minus(spread([3.14159])) == "3.14"
    assert plus_minus(spread([1.0, 3.0])) == "2.00 ± 1.41"
    assert plus_minus(spread([1.0, 3.0]), "{:+.1f}") == "+2.0 ± 1.4"

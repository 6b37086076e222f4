"""The Snakefile: which jobs it would run, and that it leaves alone what is done."""

import importlib
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from experiment import Cell, TranslationExperiment, load_experiment

from tests.system.toy_experiment import write_experiment
from tests.system.toy_models import ROOT, snakemake

TABLES = {"table": 1, "validation": 1, "lengths": 1, "report": 1, "all": 1}
"""The jobs after all models are scored."""


def job_counts(output):
    """Rule -> number of jobs, from the list that Snakemake prints."""
    rows = output.split("Job stats:")[1].split("total")[0].splitlines()
    return {row.split()[0]: int(row.split()[1]) for row in rows if row and row.split()[-1].isdigit()}


def finish(experiment, cell):
    """Leave the files of a cell that is trained and scored."""
    paths = [experiment.model_dir(cell) / "model.json", experiment.trained_mark(cell)]
    for test in experiment.tests:
        path = experiment.score_file(cell, test)
        paths += [path, path.with_suffix(".hyp")]
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}\n")


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path)
    return load_experiment("toy.yaml")


def test_dry_run_lists_every_job_and_does_none(experiment, tmp_path):
    status, output = snakemake(tmp_path, "-n")
    assert status == 0, output
    assert job_counts(output) == {"prepare": 1, "train": 6, "score": 12, **TABLES}
    for cell in experiment.cells():
        assert f"training {cell.family}, {cell.setting}, seed {cell.seed}" in output
    assert "scoring rims, multitask, seed 1 on transfer" in output
    assert not (tmp_path / "runs").exists()


def test_finished_cells_are_left_alone(experiment, tmp_path):
    (experiment.root).mkdir(parents=True)
    (experiment.root / "prepared.json").write_text("{}\n")
    finish(experiment, Cell("rims", "single", 1))
    finish(experiment, Cell("lstm", "multitask", 1))
    status, output = snakemake(tmp_path, "-n")
    assert status == 0, output
    assert job_counts(output) == {"train": 4, "score": 8, **TABLES}
    assert "training rims, single" not in output and "training rims, multitask" in output


def test_a_mark_without_its_model_says_nothing(experiment, tmp_path):
    experiment.root.mkdir(parents=True)
    (experiment.root / "prepared.json").write_text("{}\n")
    cell = Cell("rims", "single", 1)
    finish(experiment, cell)
    (experiment.model_dir(cell) / "model.json").unlink()
    status, output = snakemake(tmp_path, "-n")
    assert status == 0, output
    assert job_counts(output)["train"] == 6


def test_paths_with_spaces_are_quoted(tmp_path):
    path = write_experiment(tmp_path, families={"lstm": {"arch": "lstm_seq2seq_tiny"}})
    content = yaml.safe_load(path.read_text())
    content["data"]["out"] = "my data/toy"
    content["name"] = "my toy"
    (tmp_path / "my toy.yaml").write_text(yaml.safe_dump(content))
    status, output = snakemake(tmp_path, "-n", "-p", experiment="my toy.yaml")
    assert status == 0, output
    commands = [shlex.split(line) for line in output.splitlines() if " --config " in line or " --model " in line]
    assert len(commands) == 1 + 2 + 4 + 4
    for words in commands:
        if "--config" in words:
            assert words[words.index("--config") + 1] == "my toy.yaml"
        else:
            assert words[words.index("--model") + 1].startswith("runs/my toy/models/lstm.")
            assert words[words.index("--source") + 1].startswith("my data/toy/tests/")
            assert words[words.index("--output") + 1].startswith("runs/my toy/scores/lstm.")
    prepare = next(words for words in commands if "prepare" in words)
    assert prepare[prepare.index("cp") + 1 :][:2] == ["my data/toy/signature.json", "runs/my toy/prepared.json.tmp"]


def test_the_folder_of_the_text_is_quoted(tmp_path):
    path = write_experiment(tmp_path)
    content = yaml.safe_load(path.read_text())
    for pair in content["data"]["pairs"].values():
        pair["train"] = [{side: f"{{corpora}}/{name}" for side, name in pair["train"][0].items()}]
    path.write_text(yaml.safe_dump(content))
    options = ["-n", "-p", "--config", "experiment=toy.yaml", "corpora=my corpora"]
    status, output = snakemake(tmp_path, *options, experiment=None)
    assert status == 0, output
    words = shlex.split(next(line for line in output.splitlines() if "data_prep prepare" in line))
    assert words[words.index("--corpora") + 1] == "my corpora"


@pytest.mark.parametrize(
    ("target", "rule"),
    [("table8_formal", "all"), ("table8_formal_units", "all"), ("table8_formal_tuning", "validation")],
)
def test_make_runs_table_8_on_the_text_that_it_is_given(target, rule, tmp_path):
    corpora = tmp_path / "my corpora"
    corpora.mkdir()
    command = ["make", "-n", target, f"CORPORA={corpora}"]
    printed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout
    words = shlex.split(next(line for line in printed.splitlines() if "snakemake" in line))
    experiment = target.removesuffix("_units")
    assert words[1:4] == ["-s", "scripts/Snakefile", rule]
    assert words[-2:] == [f"experiment=configs/{experiment}.yaml", f"corpora={corpora}"]
    commands = re.findall(r"scripts/(task_units|plot_activations)\.py (.*)", printed.replace("\\\n", " "))
    assert len(commands) == (2 if target.endswith("_units") else 0)
    for script, rest in commands:
        arguments = shlex.split(rest.partition("||")[0])
        module = importlib.import_module(script)
        read = module.parse(arguments)
        files = [read.text, *([path for _, path in read.reference] if script == "task_units" else [read.compare])]
        assert all(Path(file).is_relative_to(corpora) for file in files)


@pytest.mark.parametrize("target", ["table8_formal", "table8_formal_tuning", "table8_formal_units"])
@pytest.mark.parametrize(("given", "named"), [("", "CORPORA is not given"), ("no such", "no such")])
def test_make_asks_for_the_text(target, given, named):
    result = subprocess.run(["make", target, f"CORPORA={given}"], cwd=ROOT, text=True, capture_output=True, check=False)
    assert result.returncode == 2
    assert f"{named}: no such folder; name that of the text: make {target} CORPORA=DIR\n" in result.stderr


def test_a_lock_left_by_a_kill_does_not_stop_the_workflow(experiment, tmp_path):
    locks = tmp_path / ".snakemake" / "locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").write_text(str(experiment.root / "table8.md") + "\n")
    for cell in experiment.cells():
        finish(experiment, cell)
    for name, kinds in {"table8": 4, "validation": 3, "lengths": 2}.items():
        for kind in ("md", "json", "png", "csv")[:kinds]:
            (experiment.root / f"{name}.{kind}").write_text("\n")
    (experiment.root / "report.html").write_text("\n")
    (experiment.root / "prepared.json").write_text("{}\n")
    os.utime(experiment.root / "prepared.json", (0, 0))
    status, output = snakemake(tmp_path)
    assert status == 0, output
    assert "Nothing to be done" in output


def test_absent_experiment_is_named(tmp_path):
    status, output = snakemake(tmp_path, "-n")
    assert status != 0
    assert "toy.yaml: no such experiment file; the ones that come with the project are in configs/" in output


def test_experiments_of_the_project_are_valid():
    experiments = {path.stem: load_experiment(path) for path in (ROOT / "configs").glob("*.yaml")}
    in_translation = {name for name, one in experiments.items() if isinstance(one, TranslationExperiment)}
    assert {"demo", "formal_small"} <= in_translation
    for name in in_translation:
        assert experiments[name].name == name
        assert {"in_domain", "transfer"} <= set(experiments[name].tests)

"""Experiment files on sequences: what is read from them, and the messages for what is wrong."""

import argparse
import copy
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from experiment import (
    Cell,
    SequenceExperiment,
    TranslationExperiment,
    load_experiment,
    load_sequences,
    load_translation,
)
from fairseq import options

import fairseq_plugins  # noqa: F401  registers the architectures
from data_prep import experiment_file
from data_prep.commands import synthetic
from tests.system.toy_experiment import write_experiment
from tests.system.toy_models import ROOT

CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
SEQUENCES = [path for path in CONFIGS if isinstance(load_experiment(path), SequenceExperiment)]
CONTENT = {
    "name": "toy",
    "data": {"synthetic": {"short": ["copying", "--delay", 3], "long": ["copying", "--delay", 5]}},
    "train": {
        "seeds": [1, 2],
        "families": {"rims": {"arch": "rims_predictor_tiny"}, "lstm": {"arch": "lstm_predictor_tiny"}},
        "options": ["--task", "sequence_prediction", "--lr", 0.01],
        "setting_options": {"long": ["--max-update", 7]},
    },
    "evaluate": {
        "tests": ["test3", "test9"],
        "metric": "loss",
        "activations": ["test3"],
        "paper": {"source": "A Paper", "figures": {"rims": {"long test9": 0.5}}},
    },
}


def write(folder: Path, *keys: str, value: object = None) -> Path:
    """Write the experiment with the value at these keys replaced, or taken out for None."""
    content = copy.deepcopy(CONTENT)
    place = content
    for key in keys[:-1]:
        place = place[key]
    if keys and value is None:
        del place[keys[-1]]
    elif keys:
        place[keys[-1]] = value
    path = folder / "toy.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def test_what_is_read(tmp_path):
    experiment = load_sequences(write(tmp_path))
    assert experiment.settings == {
        "short": ["synthetic", "copying", "--delay", "3", "--out", "runs/toy/data/short"],
        "long": ["synthetic", "copying", "--delay", "5", "--out", "runs/toy/data/long"],
    }
    assert list(experiment.columns) == ["short test3", "short test9", "long test3", "long test9"]
    assert experiment.columns["long test9"] == ("long", "test9")
    assert experiment.paper == {"rims": {"long test9": 0.5}} and experiment.paper_source == "A Paper"
    cell = Cell("rims", "long", 2)
    assert len(experiment.cells()) == 8 and cell in experiment.cells()
    arguments = experiment.train_arguments(cell)
    assert arguments[arguments.index("--arch") + 1] == "rims_predictor_tiny"
    assert arguments[-2:] == ["--max-update", "7"] and "--max-update" not in experiment.train_arguments(
        Cell("rims", "short", 2)
    )
    assert experiment.train_data(cell) == "runs/toy/data/long"
    assert experiment.description(cell) == {"task": "sequence_prediction", "data_folder": "runs/toy/data/long"}
    assert experiment.prepare_command(cell).startswith("python -m data_prep synthetic copying --delay 5 --out ")


def test_pictures_are_of_rims_and_the_first_seed(tmp_path):
    experiment = load_sequences(write(tmp_path))
    assert experiment.pictures() == [(Cell("rims", "short", 1), "test3"), (Cell("rims", "long", 1), "test3")]


@pytest.mark.parametrize(
    "settings, tests, columns",
    [
        (("short",), ["a", "b"], ["a", "b"]),
        (("short", "long"), ["a"], ["short", "long"]),
        (("short",), ["a"], ["a"]),
    ],
)
def test_columns_have_no_needless_names(tmp_path, settings, tests, columns):
    path = write(tmp_path, "evaluate", value={"tests": tests, "metric": "loss"})
    content = yaml.safe_load(path.read_text())
    content["data"]["synthetic"] = {name: CONTENT["data"]["synthetic"][name] for name in settings}
    del content["train"]["setting_options"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    assert list(load_sequences(path).columns) == columns


def test_text_is_prepared_from_the_file_itself(tmp_path):
    path = write(tmp_path, "data", value={"out": "runs/lm/data", "text": {"dataset": "wikitext-2"}})
    content = yaml.safe_load(path.read_text())
    del content["train"]["setting_options"], content["evaluate"]["paper"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    experiment = load_sequences(path)
    assert experiment.settings == {"text": ["prepare", "--config", str(path)]}
    assert experiment.folders == {"text": Path("runs/lm/data")}


def test_language_models_are_unrolled(tmp_path):
    path = write(tmp_path, "data", value={"out": "runs/lm/data", "text": {"dataset": "wikitext-2"}})
    content = yaml.safe_load(path.read_text())
    del content["train"]["setting_options"], content["evaluate"]["paper"]
    content["evaluate"]["unroll"] = [5, 20]
    content["train"]["families"]["transformer"] = {"arch": "transformer_lm_tiny"}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    experiment = load_sequences(path)
    cells = experiment.unrolled()
    assert [cell.name for cell in cells] == ["rims.text.seed1", "lstm.text.seed1", "transformer.text.seed1"]
    assert [experiment.unroll_words(cell) for cell in cells] == [["5", "20", "all"], ["5", "20", "all"], ["5", "20"]]


@pytest.mark.parametrize(
    "keys, value, message",
    [
        (("evaluate",), None, "the key evaluate is missing"),
        (("evaluate", "metric"), "bleu", "evaluate.metric names 'bleu', but the list of metrics has loss, accuracy"),
        (("evaluate", "tests"), [], "evaluate.tests must be a non-empty list"),
        (("evaluate", "beam"), 5, "unknown key evaluate.beam"),
        (("evaluate", "paper", "figures"), {"gru": {"a": 1}}, "names 'gru', but train.families has rims, lstm"),
        (("evaluate", "paper", "figures"), {"rims": {"test7": 1}}, "names 'test7', but the table has short test3"),
        (("evaluate", "paper", "figures"), {"rims": {"long test9": "low"}}, "long test9 must be a number, got 'low'"),
        (("evaluate", "paper", "source"), None, "the key evaluate.paper.source is missing"),
        (("data", "synthetic"), {}, "data.synthetic must be a non-empty mapping"),
        (("data", "synthetic"), {"short": {"delay": 3}}, "data.synthetic.short must be a list"),
        (("data", "texts"), {"a": 1}, "unknown key data.texts"),
        (("data", "out"), "data", "unknown key data.out"),
        (("evaluate", "unroll"), [5], "evaluate.unroll is for language models; data has no 'text'"),
        (("data", "text"), {"dataset": "wikitext-2"}, "unknown key data.synthetic"),
        (("train", "setting_options"), {"longest": []}, "names 'longest', but the data sets has short, long"),
        (("train", "settings"), {"a": []}, "unknown key train.settings"),
        (("train", "seeds"), [1, 1], "train.seeds must be different whole numbers"),
    ],
)
def test_errors_name_file_and_key(tmp_path, keys, value, message):
    path = write(tmp_path, *keys, value=value)
    with pytest.raises(ValueError) as error:
        load_sequences(path)
    assert str(error.value).startswith(f"{path}: ") and message in str(error.value)


def test_no_task_is_an_error(tmp_path):
    experiment = load_sequences(write(tmp_path, "train", "options", value=["--lr", 0.1]))
    with pytest.raises(ValueError, match="train.options has no --task"):
        experiment.description(Cell("rims", "short", 1))


def test_the_two_kinds_are_told_apart(tmp_path):
    sequences = write(tmp_path)
    with pytest.raises(ValueError, match="is no experiment in translation; run it with scripts/sequences.smk"):
        load_translation(sequences)
    translation = write_experiment(tmp_path)
    assert isinstance(load_experiment(translation), TranslationExperiment)
    with pytest.raises(ValueError, match="is an experiment in translation; run it with scripts/Snakefile"):
        load_sequences(translation)


@pytest.mark.parametrize("path", SEQUENCES, ids=lambda path: path.stem)
def test_experiments_that_come_with_the_project(path):
    experiment = load_sequences(path)
    assert experiment.name == path.stem
    for cell in experiment.cells():
        arguments = [experiment.train_data(cell), *experiment.train_arguments(cell)]
        parsed = options.parse_args_and_arch(options.get_training_parser(), arguments)  # unknown ones are errors
        assert parsed.arch == experiment.families[cell.family]["arch"]
        assert parsed.task == experiment.description(cell)["task"]
    for setting, words in experiment.settings.items():
        if words[0] == "synthetic":
            assert set(splits(words[1:])) >= {*experiment.tests, *experiment.activations}, setting
        else:
            assert experiment_file.load(path).out == experiment.folders[setting]


def splits(words):
    """The splits that ``python -m data_prep synthetic`` writes for these words."""
    parser = argparse.ArgumentParser()
    synthetic.add_arguments(parser)
    return synthetic.make_task(parser.parse_args(words)).splits


def test_make_has_a_target_for_every_experiment():
    rules = subprocess.run(["make", "-pn", "help"], cwd=ROOT, text=True, capture_output=True, check=True).stdout
    targets = set(re.findall(r"^(\w+): setup$", rules, re.MULTILINE)) - {"demo", "test", "check"}
    assert targets == {path.stem for path in SEQUENCES}


def test_there_is_one_for_every_task():
    names = {path.stem for path in SEQUENCES}
    for task in ("copying", "copying_ablations", "adding", "programs", "memorisation", "nth_farthest", "wikitext2"):
        assert task in names, task
        assert f"{task}_small" in names, task

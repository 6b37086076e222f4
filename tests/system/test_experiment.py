"""The experiment file as the workflow reads it."""

import pytest
import yaml
from experiment import Cell, load_experiment

from tests.system.toy_experiment import write_experiment


def change(path, *keys, value):
    """Set one value of the file, or remove it when the value is None."""
    content = yaml.safe_load(path.read_text())
    mapping = content
    for key in keys[:-1]:
        mapping = mapping[key]
    if value is None:
        del mapping[keys[-1]]
    else:
        mapping[keys[-1]] = value
    path.write_text(yaml.safe_dump(content))
    return path


def test_cells_are_families_by_settings_by_seeds(tmp_path):
    experiment = load_experiment(write_experiment(tmp_path, seeds=[1, 2]))
    assert len(experiment.cells()) == 3 * 2 * 2
    cell = Cell("rims", "multitask", 2)
    assert cell in experiment.cells()
    assert str(experiment.model_dir(cell)) == "runs/toy/models/rims.multitask.seed2"
    assert str(experiment.score_file(cell, "transfer")) == "runs/toy/scores/rims.multitask.seed2/transfer.json"
    assert [str(path) for path in experiment.test_files("transfer")] == [
        "runs/toy/data/tests/transfer/en-de.src",
        "runs/toy/data/tests/transfer/en-de.ref",
    ]


def test_one_pair_and_several_pairs_train_differently(tmp_path):
    experiment = load_experiment(write_experiment(tmp_path))
    single = experiment.train_arguments(Cell("lstm", "single", 1))
    several = experiment.train_arguments(Cell("lstm", "multitask", 1))
    assert single[:8] == [
        "--task", "translation", "--source-lang", "en", "--target-lang", "de", "--arch", "lstm_seq2seq_tiny",
    ]  # fmt: skip
    assert several[:6] == [
        "--task", "multitask_translation", "--lang-pairs", "en-de,en-fr", "--arch", "multilingual_lstm_seq2seq_tiny",
    ]  # fmt: skip
    assert "--required-batch-size-multiple 1 --ddp-backend legacy_ddp" in " ".join(several)


def test_options_of_setting_and_family_come_after_the_common_ones(tmp_path):
    path = write_experiment(
        tmp_path,
        options=["--lr", 0.1],
        setting_options={"multitask": ["--lr", 0.2]},
        families={"lstm": {"arch": "a", "options": ["--lr", 0.3]}},
    )
    experiment = load_experiment(path)
    assert experiment.train_arguments(Cell("lstm", "multitask", 1))[-6:] == [
        "--lr",
        "0.1",
        "--lr",
        "0.2",
        "--lr",
        "0.3",
    ]
    assert experiment.train_arguments(Cell("lstm", "single", 1))[-4:] == ["--lr", "0.1", "--lr", "0.3"]


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["name"], None, "the key name is missing"),
        (["train"], None, "the key train is missing"),
        (["train", "seeds"], None, "the key train.seeds is missing"),
        (["train", "seeds"], [], r"train.seeds must be a non-empty list, got \[\]"),
        (["train", "sedes"], [1], "unknown key train.sedes; known are families"),
        (["evaluate", "beams"], 4, "unknown key evaluate.beams; known are batch_size, beam, bootstrap"),
        (["train", "families", "rims"], {"arhc": "x"}, "unknown key train.families.rims.arhc"),
        (["train", "families", "rims"], {"options": []}, "the key train.families.rims.arch is missing"),
        (["train", "target_pair"], "en-es", "train.target_pair names 'en-es', but data.pairs has en-de, en-fr"),
        (["train", "settings", "single"], ["en-es"], "train.settings.single names 'en-es'"),
        (["train", "settings", "single"], ["en-fr"], "train.target_pair names 'en-de', but train.settings.single has"),
        (["train", "setting_options"], {"twice": []}, "train.setting_options names 'twice'"),
        (["data", "pairs", "en-de", "tests"], {}, "data.pairs.en-de.tests is empty"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, keys, value, message):
    path = change(write_experiment(tmp_path), *keys, value=value)
    with pytest.raises(ValueError, match=message) as error:
        load_experiment(path)
    assert str(path) in str(error.value)


def test_absent_file_and_no_mapping(tmp_path):
    with pytest.raises(ValueError, match=r"no\.yaml: no such experiment file; .* configs/"):
        load_experiment(tmp_path / "no.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ValueError, match="expected a mapping .* got list"):
        load_experiment(tmp_path / "list.yaml")

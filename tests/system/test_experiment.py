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


def test_data_of_another_experiment(tmp_path):
    path = write_experiment(tmp_path)
    other = tmp_path / "other.yaml"
    content = yaml.safe_load(path.read_text())
    other.write_text(yaml.safe_dump({**content, "name": "other", "data": "toy.yaml"}))
    owner, experiment = load_experiment(path), load_experiment(other)
    cell = experiment.cells()[0]
    assert experiment.data == owner.data and experiment.data_config == owner.data_config
    assert experiment.prepare_command(cell) == f"python -m data_prep prepare --config {path}"
    assert str(experiment.root) == "runs/other"
    change(path, "data", "out", value=None)
    assert str(load_experiment(other).data) == "runs/toy/data"
    change(other, "train", "target_pair", value="en-es")
    with pytest.raises(ValueError, match=r"other\.yaml: train.target_pair names 'en-es'"):
        load_experiment(other)
    path.unlink()
    with pytest.raises(ValueError, match=r"other\.yaml: data names 'toy\.yaml', but there is no .*/toy\.yaml"):
        load_experiment(other)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (["name"], None, "the key name is missing"),
        (["train"], None, "the key train is missing"),
        (["train", "seeds"], None, "the key train.seeds is missing"),
        (["train", "seeds"], [], r"train.seeds must be a non-empty list, got \[\]"),
        (["train", "sedes"], [1], "unknown key train.sedes; known are families"),
        (["evaluate", "beams"], 4, "unknown key evaluate.beams; known are batch_size, beam, bootstrap, max_len_a"),
        (["train", "families", "rims"], {"arhc": "x"}, "unknown key train.families.rims.arhc"),
        (["train", "families", "rims"], {"options": []}, "the key train.families.rims.arch is missing"),
        (["train", "target_pair"], "en-es", "train.target_pair names 'en-es', but data.pairs has en-de, en-fr"),
        (["train", "settings", "single"], ["en-es"], "train.settings.single names 'en-es'"),
        (["train", "settings", "single"], ["en-fr"], "train.target_pair names 'en-de', but train.settings.single has"),
        (["train", "setting_options"], {"twice": []}, "train.setting_options names 'twice'"),
        (["data", "pairs", "en-de", "tests"], {}, "data.pairs.en-de.tests is empty"),
        (["evalaute"], {"beam": 3}, "unknown key evalaute; known are corpora_root, data, evaluate, name, train"),
        (["name"], 7, "name must be a non-empty text, got 7"),
        (["data", "out"], ["a"], r"data.out must be a text, got \['a'\]"),
        (["train", "options"], "--lr 0.1", "train.options must be a list, got '--lr 0.1'"),
        (
            ["train", "options"],
            ["--fp16", True],
            "train.options must hold text and numbers, got True; put it in quotes",
        ),
        (["train", "families", "rims"], {"arch": "a", "options": "--lr"}, "train.families.rims.options must be a list"),
        (["train", "setting_options"], {"single": "--lr"}, "train.setting_options.single must be a list, got '--lr'"),
        (["train", "setting_options"], ["single"], "train.setting_options must be a mapping"),
        (["train", "settings", "single"], "en-de", "train.settings.single must be a non-empty list, got 'en-de'"),
        (["train", "seeds"], ["1"], r"train.seeds must be different whole numbers, at least 0, got \['1'\]"),
        (["train", "seeds"], [1, 1], r"train.seeds must be different whole numbers, at least 0, got \[1, 1\]"),
        (["train", "threads"], "two", "train.threads must be a whole number, at least 1, got 'two'"),
        (["train", "tensorboard"], "runs", r"train.tensorboard must be a truth value \(true or false\), got 'runs'"),
        (["train", "resources"], 16000, "train.resources must be a mapping, got 16000"),
        (["evaluate", "beam"], "5", "evaluate.beam must be a whole number, at least 1, got '5'"),
        (["evaluate", "max_len_a"], "2", "evaluate.max_len_a must be a number, got '2'"),
        (["evaluate", "max_len_a"], -1, "evaluate.max_len_a must be at least 0, got -1"),
        (["evaluate", "batch_size"], 0, "evaluate.batch_size must be a whole number, at least 1, got 0"),
        (["evaluate", "bootstrap"], True, "evaluate.bootstrap must be a whole number, at least 1, got True"),
        (["evaluate"], 5, "evaluate must be a mapping, got 5"),
        (["data", "shards"], 0, "data.shards must be a whole number, at least 1, got 0"),
    ],
)
def test_errors_name_the_file_and_the_key(tmp_path, keys, value, message):
    path = change(write_experiment(tmp_path), *keys, value=value)
    with pytest.raises(ValueError, match=message) as error:
        load_experiment(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("shards", "folders"), [(None, "data"), (1, "data"), (3, "data/shard0:data/shard1:data/shard2")]
)
def test_training_data_is_the_folder_or_its_shards(tmp_path, shards, folders):
    path = change(write_experiment(tmp_path), "data", "out", value="data")
    if shards is not None:
        change(path, "data", "shards", value=shards)
    assert load_experiment(path).train_data(Cell("rims", "single", 1)) == folders


def test_absent_file_and_no_mapping(tmp_path):
    with pytest.raises(ValueError, match=r"no\.yaml: no such experiment file; .* configs/"):
        load_experiment(tmp_path / "no.yaml")
    (tmp_path / "list.yaml").write_text("- a\n")
    with pytest.raises(ValueError, match="expected a mapping .* got list"):
        load_experiment(tmp_path / "list.yaml")
    (tmp_path / "broken.yaml").write_text("name: [a\n")
    with pytest.raises(ValueError, match=r"(?s)broken\.yaml: cannot be read as YAML: .*line 2"):
        load_experiment(tmp_path / "broken.yaml")


def test_a_pair_needs_two_languages(tmp_path):
    path = write_experiment(tmp_path, settings={"single": ["ende"]}, target_pair="ende")
    content = yaml.safe_load(path.read_text())
    change(path, "data", "pairs", value={"ende": content["data"]["pairs"]["en-de"]})
    with pytest.raises(ValueError, match="train.settings.single must name pairs such as en-de, got 'ende'"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("keys", "value", "where"),
    [
        (("train", "families"), {"a|b": {"arch": "x"}}, "train.families"),
        (("train", "settings"), {"a|b": ["en-de"]}, "train.settings"),
        (("data", "pairs", "en-de", "tests"), {"a\nb": {}}, "data.pairs.en-de.tests"),
    ],
)
def test_a_name_that_no_table_can_hold_is_refused(tmp_path, keys, value, where):
    path = change(write_experiment(tmp_path), *keys, value=value)
    with pytest.raises(ValueError, match=rf"toy.yaml: {where} has the name 'a.*b'; .* one line without"):
        load_experiment(path)

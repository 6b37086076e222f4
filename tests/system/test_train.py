"""One cell: what training leaves, that a kill loses nothing, and what is not done twice."""

import dataclasses
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest import mock

import pytest
import torch
import train
from experiment import Cell, load_experiment

from fairseq_plugins.inference import load_translator
from tests.system import toy_models
from tests.system.toy_experiment import write_experiment
from tests.system.toy_models import ROOT, snakemake

CELL = Cell("lstm", "single", 1)
LOG = """\
2026-01-01 00:00:00 | INFO | train_inner | {"epoch": 1, "wps": "100", "num_updates": "2"}
2026-01-01 00:00:00 | INFO | train_inner | {"epoch": 1, "wps": "900", "num_updates": "4"}
2026-01-01 00:00:00 | INFO | valid | {"epoch": 1, "valid_loss": "3.5", "valid_ppl": "11", "valid_num_updates": "4"}
2026-01-01 00:00:00 | INFO | train_inner | {"epoch": 2, "wps": "300", "num_updates": "6"}
something else {"wps": "7"}
2026-01-01 00:00:00 | INFO | train | {"epoch": 1, "train_wps": "50"}
"""


@pytest.fixture(scope="module")
def killed_then_resumed(tmp_path_factory):
    """A model whose training was killed after its first checkpoint, and the output of the run that went on."""
    root = tmp_path_factory.mktemp("train")
    toy_models.prepare(root, updates=90, tensorboard=True)
    directory = root / "runs/toy/models" / CELL.name
    first = toy_models.train(root, CELL.family, CELL.setting)
    deadline = time.time() + 120
    while not (directory / "checkpoint_last.pt").exists() and time.time() < deadline:
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.1)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    finished_before = (directory / "model.json").exists()
    second = toy_models.train(root, CELL.family, CELL.setting)
    output = second.communicate(timeout=300)[0]
    assert second.returncode == 0, output
    return root, directory, output, finished_before


def test_training_goes_on_from_the_last_checkpoint(killed_then_resumed):
    _, directory, output, finished_before = killed_then_resumed
    assert not finished_before
    assert f"{CELL.name}: going on from checkpoint_last.pt" in output
    log = (directory / "train.log").read_text()
    first, second = log.split(train.STARTED)[1:]
    assert train.FINISHED not in first and train.FINISHED in second
    updates = [int(values["num_updates"]) for stage, values in train.parse_log(second) if stage == "train_inner"]
    assert updates[0] > 15 and updates[-1] == 90
    assert json.loads((directory / "model.json").read_text())["updates"] == 90


def test_tensorboard_has_the_curves_before_and_after_the_kill(killed_then_resumed):
    _, directory, _, _ = killed_then_resumed
    points = {stage: toy_models.tensorboard(directory / "tensorboard" / stage) for stage in ("train_inner", "valid")}
    updates = sorted(step for step, _ in points["train_inner"]["loss"])
    assert updates[0] <= 15 and updates[-1] == 90
    assert all(loss > 0 for _, loss in points["valid"]["loss"])
    assert {"ppl", "lr", "wps"} <= set(points["train_inner"])


def test_the_model_directory_has_all_that_translation_needs(killed_then_resumed):
    _, directory, _, _ = killed_then_resumed
    names = {path.name for path in directory.iterdir()}
    assert names == {
        "checkpoint_best.pt", "checkpoint_last.pt", "dict.en.txt", "dict.de.txt", "dict.fr.txt", "spm.model",
        "train.log", "recipe.json", "model.json", "tensorboard", ".lock",
    }  # fmt: skip
    model = json.loads((directory / "model.json").read_text())
    assert (model["family"], model["setting"], model["seed"]) == ("lstm", "single", 1)
    assert (model["arch"], model["task"], model["lang_pairs"]) == ("lstm_seq2seq_tiny", "translation", ["en-de"])
    assert 1e5 < model["parameters"] < 1e7
    assert model["training_seconds"] > 0 and model["words_per_second"] > 0
    assert "cores" in model["machine"] and str(ROOT) not in json.dumps(model)
    assert set(model["versions"]) == {"python", "torch", "fairseq-fixed", "sentencepiece"}


@pytest.fixture
def experiment(killed_then_resumed, tmp_path, monkeypatch):
    """A copy of the trained experiment, to change."""
    root = killed_then_resumed[0]
    shutil.copytree(root, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return load_experiment("toy.yaml")


def test_summarise_refuses_a_checkpoint_that_would_run_code(experiment):
    """In a new process, where nothing else has imported the plugin's repairs before."""
    torch.save(Exploit(), experiment.model_dir(CELL) / "checkpoint_last.pt")
    code = (
        "import train; from experiment import *; "
        "train.summarise(load_experiment('toy.yaml'), Cell('lstm', 'single', 1))"
    )
    environment = dict(os.environ, PYTHONPATH=str(toy_models.ROOT / "scripts"), TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD="1")
    result = subprocess.run([sys.executable, "-c", code], env=environment, text=True, capture_output=True)
    assert "checkpoint_last.pt: refused, nothing in it was run" in result.stderr
    assert not Path("exploited").exists()


def test_a_copy_that_is_cut_short_leaves_no_part(experiment, monkeypatch):
    directory = experiment.model_dir(CELL)
    (directory / "model.json").unlink()
    before = (directory / "spm.model").read_bytes()

    def cut(source, target):
        Path(target).write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(shutil, "copyfile", cut)
    with pytest.raises(OSError, match="disk full"):
        train.train_cell(experiment, CELL)
    assert (directory / "spm.model").read_bytes() == before
    assert not list(directory.glob("*.tmp-*"))


def test_the_workflow_keeps_a_finished_model_whose_recipe_was_changed(experiment):
    """Snakemake removes what a job declares when its options change, so that must not be the model."""
    directory = experiment.model_dir(CELL)
    model = (directory / "model.json").read_bytes()
    (experiment.root / "prepared.json").write_text("{}\n")
    mark = str(experiment.trained_mark(CELL))
    status, output = snakemake(Path.cwd(), mark)
    assert status == 0 and "already trained" in output, output
    text = experiment.path.read_text()
    experiment.path.write_text(text.replace("- 90\n", "- 60\n"))
    status, output = snakemake(Path.cwd(), mark)
    assert status != 0 and "was begun with" in output, output
    assert not Path(mark).exists()
    assert (directory / "model.json").read_bytes() == model
    experiment.path.write_text(text)
    status, output = snakemake(Path.cwd(), mark)
    assert status == 0 and "already trained" in output, output
    assert (directory / "model.json").read_bytes() == model


class Exploit:
    """Unpickled, it would make a file."""

    def __reduce__(self):
        return os.mkdir, ("exploited",)


def no_training(*arguments):
    pytest.fail("trained again")


def test_a_finished_cell_is_not_trained_again(experiment, monkeypatch, capsys):
    monkeypatch.setattr(train, "run_training", no_training)
    before = (experiment.model_dir(CELL) / "model.json").read_bytes()
    assert train.main(["--config", "toy.yaml", "--family", "lstm", "--setting", "single", "--seed", "1"]) == 0
    assert "already trained" in capsys.readouterr().out
    assert (experiment.model_dir(CELL) / "model.json").read_bytes() == before


def test_a_kill_after_training_only_repeats_the_last_step(experiment, monkeypatch):
    monkeypatch.setattr(train, "run_training", no_training)
    path = experiment.model_dir(CELL) / "model.json"
    before = path.read_bytes()
    path.unlink()
    train.train_cell(experiment, CELL)
    assert path.read_bytes() == before


def test_a_directory_begun_with_other_options_is_not_continued(experiment, monkeypatch, capsys):
    monkeypatch.setattr(train, "run_training", no_training)
    text = experiment.path.read_text()
    experiment.path.write_text(text.replace("- 90\n", "- 60\n"))
    assert train.main(["--config", "toy.yaml", "--family", "lstm", "--setting", "single", "--seed", "1"]) == 1
    error = capsys.readouterr().err
    assert "lstm.single.seed1: was begun with --task translation" in error and "--max-update 60" in error
    assert "remove the directory to train anew" in error


def test_more_updates_continue_a_finished_model(experiment):
    """What was learnt is kept, and the model counts as unfinished at once, whatever happens next."""
    directory = experiment.model_dir(CELL)
    more = dataclasses.replace(experiment, options=[*experiment.options, "--max-update", "94"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(train, "run_training", mock.Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            train.train_cell(more, CELL)
    assert not (directory / "model.json").exists() and not train.is_finished(directory / "train.log")
    train.train_cell(more, CELL)
    assert json.loads((directory / "model.json").read_text())["updates"] == 94
    assert "Loaded checkpoint" in (directory / "train.log").read_text().split(train.STARTED)[-1]
    with pytest.raises(ValueError, match=r"was begun with .*, now wanted: "):
        train.train_cell(experiment, CELL)  # fewer


def test_trained_further_is_the_model_that_was_trained_at_once(tmp_path, monkeypatch):
    found = {}
    for name, steps in {"further": (6, 11), "at_once": (11,)}.items():
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        path = toy_models.prepare(tmp_path / name, updates=6)
        for updates in steps:
            experiment = load_experiment(path.name)
            options = [*experiment.options, "--max-update", str(updates), "--save-interval-updates", "1000"]
            train.train_cell(dataclasses.replace(experiment, options=options), CELL)
        last = experiment.model_dir(CELL) / "checkpoint_last.pt"
        found[name] = torch.load(last, weights_only=False)["model"]
    assert found["further"].keys() == found["at_once"].keys()
    for name, tensor in found["at_once"].items():
        assert torch.equal(found["further"][name], tensor), name


@pytest.mark.parametrize("schedule", ["cosine", "polynomial_decay", "tri_stage"])
def test_a_schedule_of_a_given_length_is_not_made_longer(tmp_path, schedule):
    arguments = ["--lr-scheduler", schedule, "--max-update", "8"]
    train.check_recipe(tmp_path, {"arguments": arguments, "data": "d"})
    more = {"arguments": [*arguments, "--max-update", "9"], "data": "d"}
    with pytest.raises(ValueError, match=f"with a smaller --max-update, by which --lr-scheduler {schedule} sets"):
        train.check_recipe(tmp_path, more)
    assert json.loads((tmp_path / "recipe.json").read_text())["arguments"] == arguments


@pytest.mark.parametrize(
    ("arguments", "goes_on"),
    [
        (["--lr", "1", "--max-update", "9"], True),
        (["--max-update", "3", "--lr", "1", "--max-update", "9"], True),
        (["--lr", "2", "--max-update", "9"], False),
        (["--lr", "1", "--max-update", "7"], False),
        (["--lr", "1"], False),
        (["--lr", "1", "--max-update"], False),
    ],
)
def test_what_asks_for_more_updates_alone(arguments, goes_on):
    found = {"arguments": ["--lr", "1", "--max-update", "8"], "data": "d"}
    assert train.asks_for_more(found, {"arguments": arguments, "data": "d"}) == goes_on
    assert not train.asks_for_more(found, {"arguments": arguments, "data": "other"})


def test_a_directory_begun_on_other_data_is_not_continued(experiment):
    signature = experiment.data / "signature.json"
    signature.write_text(json.dumps({**json.loads(signature.read_text()), "identity": "another"}))
    with pytest.raises(ValueError, match="was begun on data prepared differently"):
        train.train_cell(experiment, CELL)


def test_a_checkpoint_of_unknown_origin_is_not_continued(experiment):
    (experiment.model_dir(CELL) / "recipe.json").unlink()
    with pytest.raises(ValueError, match="holds a checkpoint but no recipe.json"):
        train.train_cell(experiment, CELL)


@pytest.mark.parametrize("content", ["", '{"arguments": [', "[]", '{"data": 3, "identity": 3}'])
def test_damaged_records_are_named(experiment, content):
    recipe, signature = experiment.model_dir(CELL) / "recipe.json", experiment.data / "signature.json"
    recipe.write_text(content)
    with pytest.raises(ValueError, match=r"recipe\.json: is damaged \(.*\); .* remove the directory to train anew"):
        train.train_cell(experiment, CELL)
    signature.write_text(content)
    with pytest.raises(ValueError, match=r"signature\.json: is damaged \(.*\); remove runs/toy/data and prepare .*toy"):
        train.train_cell(experiment, CELL)


def test_dictionaries_are_those_the_data_was_made_with(experiment):
    """Training, and translation with the trained model: the size of the dictionary stays."""
    directory = experiment.model_dir(CELL)
    for path in (experiment.data / "dict.de.txt", directory / "dict.de.txt"):
        first, second, *others = path.read_text().splitlines(keepends=True)
        path.write_text("".join([second, first, *others]))
    with pytest.raises(ValueError, match=r"(?s)training failed .*data/dict\.de\.txt: is not the dictionary that"):
        train.train_cell(experiment, Cell("rims", "single", 1))
    with pytest.raises(ValueError, match=r"checkpoint_best\.pt: was trained with another dict\.de\.txt"):
        load_translator(directory)


def test_data_in_shards_is_trained_on_by_shards(experiment):
    text = experiment.path.read_text()
    experiment.path.write_text(text.replace("  workers: 1\n", "  workers: 1\n  shards: 2\n"))
    experiment = load_experiment(experiment.path)
    cell = Cell("rims", "single", 1)
    assert experiment.train_data(cell) == "runs/toy/data/shard0:runs/toy/data/shard1"
    with pytest.raises(ValueError, match=r"data/shard0/dict\.de\.txt: not found; prepare the data first"):
        train.train_cell(experiment, cell)
    for folder in experiment.train_folders:
        folder.mkdir()
        for path in [*experiment.data.glob("*.bin"), *experiment.data.glob("*.idx"), *experiment.data.glob("dict.*")]:
            shutil.copy(path, folder)
    train.train_cell(experiment, cell)
    log = (experiment.model_dir(cell) / "train.log").read_text()
    assert "runs/toy/data/shard0/train.en-de.en" in log and "runs/toy/data/shard1/train.en-de.en" in log


def test_failed_training_shows_the_end_of_its_log(experiment, monkeypatch):
    cell = Cell("rims", "single", 1)
    monkeypatch.setattr(train, "train_command", lambda *ignored: ["sh", "-c", "echo the reason; exit 3"])
    with pytest.raises(ValueError, match=r"(?s)rims\.single\.seed1: training failed with status 3; .*the reason"):
        train.train_cell(experiment, cell)
    assert not (experiment.model_dir(cell) / "model.json").exists()


def test_missing_data_and_unknown_cell(experiment):
    with pytest.raises(ValueError, match=r"has no cell lstm\.single\.seed7; its cells are rims\.single\.seed1, "):
        train.train_cell(experiment, Cell("lstm", "single", 7))
    (experiment.data / "spm.model").unlink()
    with pytest.raises(ValueError, match=r"spm\.model: not found; .* python -m data_prep prepare --config toy\.yaml"):
        train.train_cell(experiment, CELL)


def test_the_arguments_are_shown_for_a_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    write_experiment(tmp_path, families={"lstm": {"arch": "a", "options": ["--adam-betas", "(0.9, 0.98)"]}})
    options = ["--config", "toy.yaml", "--family", "lstm", "--setting", "single", "--show"]
    assert train.main([*options, "--seed", "1"]) == 0
    shown = shlex.split(capsys.readouterr().out)
    assert [sys.executable, "-P", *shown] == train.train_command(load_experiment("toy.yaml"), CELL)
    # As the help text says it: the shell takes the quotes away.
    command = shlex.join([sys.executable, str(ROOT / "scripts/train.py"), *options, "--seed", "1"])
    printed = subprocess.run(
        ["sh", "-c", f"eval printf '%s\\\\n' $({command})"], stdout=subprocess.PIPE, text=True, check=True
    )
    assert printed.stdout.splitlines() == shown
    assert not Path("runs").exists()
    assert train.main([*options, "--seed", "7"]) == 1
    assert "has no cell lstm.single.seed7" in capsys.readouterr().err


def test_torchrun_trains_a_model_in_several_processes(tmp_path, monkeypatch):
    options = ["--ddp-backend", "legacy_ddp", "--cpu", "--distributed-backend", "gloo", "--distributed-world-size", "1"]
    toy_models.prepare(tmp_path, updates=6, families={"lstm": {"arch": "lstm_seq2seq_tiny", "options": options}})
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")  # without the environment's own programs, which need not be on it
    launcher = ["torchrun", "--standalone", "--nproc-per-node", "2"]
    train.train_cell(load_experiment("toy.yaml"), CELL, launcher)
    directory = Path("runs/toy/models") / CELL.name
    assert "training on 2 devices" in (directory / "train.log").read_text()
    model = json.loads((directory / "model.json").read_text())
    assert model["updates"] == 6 and model["command"][:5] == [*launcher, "-m"]
    assert load_translator(directory).translate(["the cat sees the dog."]) != [""]


def test_a_launcher_that_is_not_there(experiment):
    with pytest.raises(ValueError, match=r"--launcher: there is no program 'torchrum', neither beside .* nor on the"):
        train.train_cell(experiment, CELL, ["torchrum", "--nproc-per-node", "2"])


def test_a_loss_that_is_no_number_does_not_stop_a_cell_from_being_finished(experiment):
    train.train_cell(experiment, CELL)
    directory = experiment.model_dir(CELL)
    with open(directory / "train.log", "a") as log:
        log.write('x | INFO | valid | {"valid_loss": "nan", "valid_num_updates": "99"}\n')
    losses = [float(values["valid_loss"]) for stage, values in train.parse_log((directory / "train.log").read_text())
              if stage == "valid"]  # fmt: skip
    assert train.summarise(experiment, CELL)["best_valid_loss"] == min(losses[:-1])


def test_progress_is_shown_between_validations(tmp_path, monkeypatch, capsys):
    (tmp_path / "log").write_text(LOG)
    with subprocess.Popen(["true"]) as process:
        train.follow(process, tmp_path / "log", 0, "cell", interval=0)
        assert capsys.readouterr().out == "cell: update 4, valid loss 3.5, perplexity 11\n"
        monkeypatch.setattr(train, "SHOWN_EVERY", -1)
        train.follow(process, tmp_path / "log", 0, "cell", interval=0)
    assert capsys.readouterr().out.splitlines() == [
        "cell: update 2, words/s 100", "cell: update 4, words/s 900", "cell: update 4, valid loss 3.5, perplexity 11",
        "cell: update 6, words/s 300",
    ]  # fmt: skip


def test_figures_of_the_log():
    assert [stage for stage, _ in train.parse_log(LOG)] == [
        "train_inner",
        "train_inner",
        "valid",
        "train_inner",
        "train",
    ]
    assert train.words_per_second(LOG) == 300.0
    assert train.words_per_second(LOG.splitlines()[-1]) == 50.0
    assert train.words_per_second("") is None


def test_a_second_process_waits_for_the_first(tmp_path, capsys):
    import threading

    entered = []

    def other():
        with train.exclusive(tmp_path):
            entered.append(True)

    with train.exclusive(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(0.3)
        assert not entered
    thread.join(5)
    assert entered
    assert "another process still trains this model, waiting for it" in capsys.readouterr().out

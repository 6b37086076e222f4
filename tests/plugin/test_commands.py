"""Every fairseq command with every architecture, on toy data."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fairseq import hub_utils
from fairseq.models import ARCH_MODEL_REGISTRY
from fairseq_cli import validate

from fairseq_plugins.__main__ import main
from tests.plugin import toy

SINGLE = ["rims_seq2seq_tiny", "lstm_seq2seq_tiny", "rmc_seq2seq_tiny", "fairseq_lstm_tiny", "transformer_seq2seq_tiny"]
MULTI = [f"multilingual_{name}" for name in SINGLE if not name.startswith("fairseq")]
GENERATE = ("--user-dir", toy.USER_DIR, "--cpu", "--beam", "2", "--max-len-b", "5")


def task(arch, *, training):
    if not arch.startswith("multilingual"):
        return ("--task", "translation", "-s", "en", "-t", "de")
    pairs = ("--task", "multitask_translation", "--lang-pairs", "en-de,en-fr")
    return pairs if training else (*pairs, "-s", "en", "-t", "de")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy.binarise(tmp_path_factory.mktemp("toy") / "corpus", train=60, valid=8)


@pytest.fixture(scope="module", params=SINGLE + MULTI)
def trained(request, data, tmp_path_factory):
    """Architecture, model folder of three updates."""
    folder = tmp_path_factory.mktemp(request.param)
    toy.train(data, folder, "--arch", request.param, *task(request.param, training=True))
    return request.param, folder


def hypotheses(output):
    return [line.split("\t")[2] for line in output.splitlines() if line.startswith("H-")]


def test_generate_translates_every_line(trained, data):
    arch, folder = trained
    output = toy.run_fairseq(
        "generate", data, *GENERATE, *task(arch, training=False), "--path", folder / "checkpoint_last.pt"
    )
    assert len(hypotheses(output)) == 197


def test_interactive(trained, data, tmp_path):
    arch, folder = trained
    (tmp_path / "input").write_text("w1 w2 w3\nw4\nw5 w6\n")
    output = toy.run_fairseq(
        "interactive", data, *GENERATE, *task(arch, training=False), "--path", folder / "checkpoint_last.pt",
        "--input", tmp_path / "input", "--buffer-size", "3", "--batch-size", "2",
    )  # fmt: skip
    assert len(hypotheses(output)) == 3


def test_validate(trained, data, caplog, monkeypatch):
    arch, folder = trained
    monkeypatch.setattr(validate, "reset_logging", lambda: None)  # it would take caplog's handler away
    caplog.set_level("INFO")
    toy.run_fairseq(
        "validate", data, "--user-dir", toy.USER_DIR, "--cpu", *task(arch, training=True),
        "--path", folder / "checkpoint_last.pt", "--max-tokens", "400", "--log-format", "simple",
    )  # fmt: skip
    assert any("valid on 'valid' subset | loss" in message for message in caplog.messages)


def test_resume_equals_an_uninterrupted_run(trained, data, tmp_path):
    """Interrupted after three updates, in the second epoch, and run to the end of the third."""
    arch, folder = trained
    arguments = ("--arch", arch, *task(arch, training=True), "--max-update", "6", "--disable-validation")
    whole = toy.train(data, tmp_path / "whole", *arguments)
    resumed = toy.train(data, tmp_path / "resumed", *arguments, "--restore-file", folder / "checkpoint_last.pt")
    whole, resumed = (torch.load(path, weights_only=False)["model"] for path in (whole, resumed))
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_from_pretrained(trained, data):
    arch, folder = trained
    loaded = hub_utils.from_pretrained(
        str(folder), "checkpoint_last.pt", str(data), user_dir=toy.USER_DIR, source_lang="en", target_lang="de"
    )
    hub = hub_utils.GeneratorHubInterface(loaded["args"], loaded["task"], loaded["models"])
    translations = hub.translate(["w1 w2", "w3"], beam=2)
    assert len(translations) == 2 and all(isinstance(line, str) for line in translations)


@pytest.mark.parametrize(
    ("arch", "option"),
    [
        ("rims_seq2seq_tiny", "num_active=2"),
        ("lstm_seq2seq_tiny", "dropout=0"),
        ("rmc_seq2seq_tiny", "memory_mlp_layers=3"),
    ],
)
def test_hydra(data, tmp_path, arch, option):
    """A named size in fairseq-hydra-train, with an option changed."""
    command = [
        sys.executable, "-m", "fairseq_cli.hydra_train", "task=translation", f"task.data={data}",
        "task.source_lang=en", "task.target_lang=de", f"+model._name={arch}", f"+model.{option}",
        "criterion=cross_entropy", "optimizer=adam", "optimization.lr=[0.001]", "optimization.max_update=2",
        "dataset.max_tokens=400", "dataset.num_workers=0", "common.cpu=true", f"common.user_dir={toy.USER_DIR}",
        f"checkpoint.save_dir={tmp_path}/checkpoints", "lr_scheduler=fixed", f"hydra.run.dir={tmp_path}",
    ]  # fmt: skip
    result = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert result.returncode == 0, result.stderr[-2000:]
    config = torch.load(tmp_path / "checkpoints/checkpoint_last.pt", weights_only=False)["cfg"]["model"]
    name, value = option.split("=")
    assert (config["_name"], config[name], config["encoder_embed_dim"]) == (arch, float(value), 128)


@pytest.mark.parametrize("arch", ["rims_seq2seq", "rims_seq2seq_tiny", "transformer_seq2seq_small"])
def test_options_of_an_architecture_are_explained(arch, capsys):
    assert main([arch]) == 0
    text = capsys.readouterr().out
    assert "--share-all-embeddings" in text
    assert ("k_T" in text and "--comm-dropout" in text) == arch.startswith("rims")


def test_every_option_of_rims_has_a_help_text():
    options = argparse.ArgumentParser(add_help=False)
    ARCH_MODEL_REGISTRY["rims_seq2seq"].add_args(options)
    assert len(options._actions) > 30
    assert [action.dest for action in options._actions if not action.help] == []


def test_unknown_architecture(capsys):
    with pytest.raises(SystemExit):
        main(["bogus"])
    assert "unknown architecture 'bogus'" in capsys.readouterr().err


def test_user_dir_is_printed_from_anywhere(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(Path(toy.USER_DIR).parent)}
    command = [sys.executable, "-m", "fairseq_plugins"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment, check=True)
    assert result.stdout.strip() == toy.USER_DIR

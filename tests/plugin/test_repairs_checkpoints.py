"""Repairs around checkpoints: copies are whole, and a checkpoint cannot run anything."""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import os
import re
import resource
from argparse import Namespace
from pathlib import Path
from unittest import mock

import fairseq
import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils, utils
from fairseq.file_io import PathManager
from fairseq.optim.adam import FairseqAdam

from fairseq_plugins.repairs import atomic_copy, checkpoint_names, config_code, safe_checkpoints
from tests.plugin import toy
from tests.plugin.original import without_repair

EVAL_BLEU = ("--eval-bleu", "--eval-bleu-args", '{"beam": 1, "max_len_b": 3}')


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return toy.binarise(tmp_path_factory.mktemp("toy"), train=40, valid=8, test=8)


@pytest.fixture(scope="module")
def checkpoint(data, tmp_path_factory) -> Path:
    return toy.train(data, tmp_path_factory.mktemp("model"), *toy.LSTM_OPTIONS, *EVAL_BLEU)


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that exists once something in a checkpoint has been run."""
    return tmp_path / "marker"


def generate(data: Path, checkpoint: Path) -> str:
    options = ("--user-dir", toy.USER_DIR, "--cpu", "--beam", "1", "--num-workers", "0")
    return toy.run_fairseq("generate", data, "-s", "en", "-t", "de", "--path", checkpoint, *options)


def load(checkpoint: Path):
    """Build the model and the task that a checkpoint names, as fairseq's hub and ``fairseq-validate`` do."""
    return checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])


def forge(checkpoint: Path, target: Path, **sections: dict) -> Path:
    """A copy of ``checkpoint`` with some settings replaced: ``forge(..., model={"decoder_attention": "..."})``."""
    state = torch.load(checkpoint)
    for section, settings in sections.items():
        config = state["cfg"][section]
        (vars(config) if isinstance(config, Namespace) else config).update(settings)
    torch.save(state, target)
    return target


# Whole copies


@contextlib.contextmanager
def full_disk(size: int):
    """Let no file grow beyond ``size`` bytes, so that a copy stops half-way."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture
def two_files(tmp_path) -> tuple[Path, Path]:
    source, target = tmp_path / "checkpoint_1_2.pt", tmp_path / "checkpoint_last.pt"
    source.write_bytes(b"new" * 1000)
    target.write_bytes(b"old" * 1000)
    return source, target


def test_a_copy_is_a_copy(two_files, tmp_path):
    source, target = two_files
    assert PathManager.copy(str(source), str(target), overwrite=True)
    assert target.read_bytes() == source.read_bytes()
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_a_copy_that_stops_half_way_leaves_the_old_file(two_files, tmp_path):
    source, target = two_files
    with full_disk(1500), pytest.raises(OSError, match="File too large"):
        PathManager.copy(str(source), str(target), overwrite=True)
    assert target.read_bytes() == b"old" * 1000
    assert sorted(tmp_path.iterdir()) == [source, target]


def test_a_copy_stopped_before_the_rename_leaves_the_old_file(two_files):
    source, target = two_files
    with mock.patch.object(os, "replace", side_effect=KeyboardInterrupt), pytest.raises(KeyboardInterrupt):
        PathManager.copy(str(source), str(target), overwrite=True)
    assert target.read_bytes() == b"old" * 1000


def test_the_copy_is_on_disk_before_it_gets_its_name(two_files):
    calls = mock.Mock()
    with (
        mock.patch.object(os, "fsync", side_effect=os.fsync) as fsync,
        mock.patch.object(os, "replace", side_effect=os.replace) as replace,
    ):
        calls.attach_mock(fsync, "fsync")
        calls.attach_mock(replace, "replace")
        PathManager.copy(*map(str, two_files))
    assert [call[0] for call in calls.mock_calls] == ["fsync", "replace"]


def test_fairseq_leaves_half_a_file(two_files):
    source, target = two_files
    with without_repair(PathManager, "copy"):
        assert atomic_copy.needed()
        with full_disk(1500), pytest.raises(OSError, match="File too large"):
            PathManager.copy(str(source), str(target), overwrite=True)
    assert len(target.read_bytes()) < 3000
    assert not atomic_copy.needed()


def test_training_killed_while_it_copies_can_resume(data, tmp_path):
    last = toy.train(data, tmp_path, *toy.LSTM_OPTIONS)
    with (
        mock.patch.object(os, "replace", side_effect=KeyboardInterrupt),
        pytest.raises(KeyboardInterrupt),
    ):
        toy.train(data, tmp_path, *toy.LSTM_OPTIONS, "--max-update", "5")
    assert updates(last) == 3
    assert updates(toy.train(data, tmp_path, *toy.LSTM_OPTIONS, "--max-update", "6")) == 6


# Good checkpoints


def updates(checkpoint: Path) -> int:
    return torch.load(checkpoint)["optimizer_history"][-1]["num_updates"]


def test_a_checkpoint_with_bleu_loads_generates_and_resumes(data, checkpoint, tmp_path):
    assert any(isinstance(value, np.ndarray) for value in numpy_values(torch.load(checkpoint)))
    assert generate(data, checkpoint).count("H-") == 8
    resumed = toy.train(
        data, tmp_path, *toy.LSTM_OPTIONS, *EVAL_BLEU, "--restore-file", str(checkpoint), "--max-update", "5"
    )
    assert updates(resumed) == 5


def numpy_values(item) -> list:
    """Every leaf of nested dictionaries and lists."""
    if isinstance(item, dict):
        item = list(item.values())
    if isinstance(item, list | tuple):
        return [leaf for value in item for leaf in numpy_values(value)]
    return [item]


def test_the_old_format_loads_as_well(checkpoint, tmp_path):
    old = tmp_path / "old.pt"
    torch.save(torch.load(checkpoint), old, _use_new_zipfile_serialization=False)
    models, _, _ = load(old)
    assert len(models) == 1


@contextlib.contextmanager
def no_safe_globals():
    before = torch.serialization.get_safe_globals()
    torch.serialization.clear_safe_globals()
    try:
        yield
    finally:
        torch.serialization.add_safe_globals(before)


def test_pytorch_refuses_a_good_checkpoint_without_the_list(checkpoint):
    with no_safe_globals():
        assert safe_checkpoints.needed()
        with pytest.raises(ValueError, match="Unsupported global: GLOBAL argparse.Namespace"):
            load(checkpoint)
        torch.serialization.add_safe_globals([Namespace])
        with pytest.raises(ValueError, match="Unsupported global: GLOBAL numpy"):
            load(checkpoint)
    assert not safe_checkpoints.needed()


@pytest.mark.parametrize("module", ["numpy.core.multiarray", "numpy._core.multiarray"])
def test_numpy_arrays_of_both_versions(module, tmp_path):
    path = tmp_path / "array.pt"
    value = {"counts": np.arange(3), "score": np.float64(0.5)}
    torch.save(value, path, _use_new_zipfile_serialization=False)
    ours = np.zeros(1).__reduce__()[0].__module__
    path.write_bytes(path.read_bytes().replace(f"c{ours}\n".encode(), f"c{module}\n".encode()))
    loaded = torch.load(path, weights_only=True)
    assert loaded["counts"].tolist() == [0, 1, 2]
    assert loaded["score"] == 0.5


# Pickles


class Payload:
    """Unpickling this calls ``function``."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


PAYLOADS = {
    "system": lambda marker: Payload(os.system, f"touch {marker}"),
    "open": lambda marker: Payload(open, str(marker), "w"),
    "exec": lambda marker: Payload(exec, f"open({str(marker)!r}, 'w')"),
    "namespace": lambda marker: Namespace(evil=Payload(os.system, f"touch {marker}")),
    "array": lambda marker: np.array([Payload(os.system, f"touch {marker}")], dtype=object),
}


@pytest.fixture(params=PAYLOADS)
def payload(request, marker):
    return PAYLOADS[request.param](marker)


@pytest.fixture(params=["zip", "old"])
def poisoned(request, checkpoint, payload, tmp_path) -> Path:
    """A checkpoint with a payload in its extra state."""
    state, path = torch.load(checkpoint), tmp_path / "poisoned.pt"
    state["extra_state"]["payload"] = payload
    torch.save(state, path, _use_new_zipfile_serialization=request.param == "zip")
    return path


def test_a_pickle_payload_is_refused(poisoned, marker):
    with pytest.raises(ValueError, match=rf"{poisoned}: refused, nothing in it was run: .*") as error:
        load(poisoned)
    assert re.search(r"GLOBAL \S*(system|open|exec)\b|ObjectDType", str(error.value))
    assert "weights_only" not in str(error.value)
    assert not marker.exists()


@pytest.mark.parametrize(("payload", "poisoned"), [("system", "zip")], indirect=True)
def test_generate_and_resume_refuse_it_too(poisoned, marker, data, tmp_path):
    with pytest.raises(ValueError, match="poisoned.pt: refused"):
        generate(data, poisoned)
    with pytest.raises(ValueError, match="poisoned.pt: refused"):
        toy.train(data, tmp_path / "resumed", *toy.LSTM_OPTIONS, "--restore-file", str(poisoned))
    assert not marker.exists()


def test_it_is_refused_although_pytorch_is_told_to_unpickle(poisoned, marker, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with pytest.raises(ValueError, match="poisoned.pt: refused"):
        load(poisoned)
    with pytest.raises(ValueError, match="poisoned.pt: refused"):
        checkpoint_utils.load_ema_from_checkpoint(str(poisoned))
    assert not marker.exists()


def test_fairseq_would_run_it_then(poisoned, marker, monkeypatch):
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    with without_repair(checkpoint_utils, "load_checkpoint_to_cpu"):
        load(poisoned)
    assert marker.exists()


def test_half_a_checkpoint_is_no_payload(checkpoint, tmp_path):
    half = tmp_path / "half.pt"
    half.write_bytes(checkpoint.read_bytes()[:1000])
    with pytest.raises(RuntimeError, match="central directory"):
        load(half)


# Names


def code(marker: Path) -> str:
    return f"__import__('os').system('touch {marker}')"


REFUSED_NAMES = [
    ("model", {"_name": "fconv", "arch": "fconv"}, "fconv"),
    ("model", {"_name": "fconv"}, "fconv"),
    ("model", {"_name": None, "arch": "wav2vec2"}, "wav2vec2"),
    ("model", {"_name": "no_such_model"}, "no_such_model"),
    ("model", {"_name": 7}, "7"),
    ("task", {"_name": "audio_pretraining"}, "audio_pretraining"),
    ("task", {"task": "translation_from_pretrained_xlm"}, "translation_from_pretrained_xlm"),
    ("criterion", {"_name": "ctc"}, "ctc"),
]


@pytest.mark.parametrize(("section", "names", "refused"), REFUSED_NAMES)
def test_other_names_are_refused(section, names, refused, checkpoint, tmp_path, marker):
    settings = names | {"encoder_layers": code(marker), "wer_args": code(marker)}
    forged = forge(checkpoint, tmp_path / "forged.pt", **{section: settings})
    with pytest.raises(ValueError, match=rf"forged.pt: refused: it asks for the {section} .{{0,1}}{refused}") as error:
        load(forged)
    assert f"ALLOWED_MODULES[{section!r}]" in str(error.value)
    assert not marker.exists()


def test_a_section_without_a_name_is_refused(checkpoint, tmp_path):
    forged = forge(checkpoint, tmp_path / "forged.pt", model={"_name": None, "arch": None})
    with pytest.raises(ValueError, match="forged.pt: refused: its configuration names no model"):
        load(forged)


def test_old_checkpoints_keep_their_names_elsewhere(checkpoint, tmp_path, marker):
    state = torch.load(checkpoint)
    args = vars(state.pop("cfg")["model"]) | {"arch": "fconv", "encoder_layers": code(marker)}
    torch.save(state | {"args": Namespace(**args)}, tmp_path / "old.pt")
    with pytest.raises(ValueError, match="old.pt: refused: it asks for the model 'fconv'"):
        load(tmp_path / "old.pt")
    assert not marker.exists()


def test_fairseq_evaluates_the_settings_of_fconv(checkpoint, tmp_path, marker):
    settings = {"_name": "fconv", "arch": "fconv", "encoder_layers": code(marker)}
    forged = forge(checkpoint, tmp_path / "forged.pt", model=settings)
    fconv = importlib.import_module("fairseq.models.fconv")
    with (
        without_repair(checkpoint_utils, "load_checkpoint_to_cpu"),
        mock.patch.object(fconv, "eval", builtins.eval),
        pytest.raises(TypeError),
    ):
        assert checkpoint_names.needed()
        load(forged)
    assert marker.exists()
    assert not checkpoint_names.needed()


@pytest.mark.parametrize("name", ["lstm", "lstm_luong_wmt_en_de", "lstm_lm", "transformer", "transformer_iwslt_de_en"])
def test_fairseqs_own_models_that_the_project_uses(name):
    assert checkpoint_names.is_allowed("model", name)


@pytest.mark.parametrize("name", ["transformer_lm", "transformer_lm_gpt", "multilingual_transformer"])
def test_more_of_them(name):
    assert checkpoint_names.is_allowed("model", name)


# Code in settings


EVALUATED = [
    ("model", {"decoder_attention": None}),
    ("model", {"_name": "transformer_lm", "character_embeddings": True, "character_filters": None}),
    ("task", {"_name": "multilingual_translation", "task": "multilingual_translation", "left_pad_source": None}),
]


@pytest.fixture(params=EVALUATED, ids=lambda case: list(case[1])[-1])
def coded(request, checkpoint, data, tmp_path, marker) -> Path:
    """A checkpoint with allowed names and code in a setting that fairseq evaluates."""
    section, settings = request.param
    state = torch.load(checkpoint)
    arguments = dict(vars(state["cfg"]["model"]))
    if settings.get("_name") == "transformer_lm":
        positions = {"tokens_per_sample": 16, "max_target_positions": 16}
        state["cfg"]["task"] = {"_name": "language_modeling", "data": str(data), **positions}
        (data / "dict.txt").write_text((data / "dict.en.txt").read_text())
        arguments = {}
    lang_pairs = {"lang_pairs": "en-de", "source_lang": None, "target_lang": None} if section == "task" else {}
    values = {key: code(marker) if value is None else value for key, value in settings.items()}
    merged = arguments | lang_pairs | values
    state["cfg"][section] = Namespace(**merged) if arguments else merged
    torch.save(state, tmp_path / "coded.pt")
    return tmp_path / "coded.pt"


def test_code_in_a_setting_is_refused(coded, marker):
    with pytest.raises(ValueError, match=r"coded.pt: refused, nothing in it was run: .*not code; got \"__import__"):
        load(coded)
    assert not marker.exists()


def test_fairseq_runs_it(coded, marker):
    modules = [utils, importlib.import_module("fairseq.models.transformer_lm")]
    with contextlib.ExitStack() as patches:
        for module in modules:
            patches.enter_context(mock.patch.object(module, "eval", builtins.eval))
        # The command's exit status, 0, is a value none of the three can go on with.
        with pytest.raises((RuntimeError, TypeError, AttributeError)):
            load(coded)
    assert marker.exists()


def test_generate_refuses_code(data, checkpoint, tmp_path, marker):
    forged = forge(checkpoint, tmp_path / "forged.pt", model={"decoder_attention": code(marker)})
    with pytest.raises(ValueError, match="forged.pt: refused"):
        generate(data, forged)
    assert not marker.exists()


def test_code_among_an_optimizers_settings_is_refused(marker):
    settings = Namespace(adam_betas=code(marker), adam_eps=1e-8, lr=[0.1], weight_decay=0.0)
    with pytest.raises(config_code.NotAValue, match="must be a plain value"):
        FairseqAdam.optimizer_config.fget(Namespace(cfg=settings))
    assert not marker.exists()


VALUES = [
    "True", "0", "3", "-1.5", "'text'", "None", "0.9, 0.98", "(0.9, 0.999)", "5000,20000", " 1", "{'beam': 4}",
    "[(512, 3)] * 20", "[(512, 3)] * 2 + [(128, 5)]", "3 * [1]", "1e-30,1e-3", "[]", "1 + 2",
]  # fmt: skip


@pytest.mark.parametrize("text", VALUES)
def test_values_are_read_as_before(text):
    assert config_code.read_value(text) == eval(text)


CODE = [
    "__import__('os')", "len('a')", "os", "(1).real", "[x for x in (1,)]", "lambda: 0", "2 ** 9", "f'{1}'", "", "1 +",
    "[0] * 1000000000", "1000000000 * 'a'", "a := 1", "[1][0]",
    "'a' + 1", "{[]: 1}",
]  # fmt: skip


@pytest.mark.parametrize("text", CODE)
def test_anything_else_is_refused(text):
    with pytest.raises(config_code.NotAValue, match="must be a plain value such as True, 3"):
        config_code.read_value(text)


@pytest.mark.parametrize("text", ["'a' + 1", "{[]: 1}"])
def test_a_value_that_fails_is_not_taken_for_the_default(text):
    with pytest.raises(config_code.NotAValue, match="must be a plain value"):
        utils.eval_bool(text, default=True)


def test_fairseqs_functions_give_what_they_gave():
    assert utils.eval_bool("False") is False
    assert utils.eval_bool(None, default=True) is True
    assert utils.eval_bool(True, default=True) is True  # not text: the default, as with the builtin
    assert utils.eval_str_list("5000,20000", type=int) == [5000, 20000]
    assert utils.eval_str_list("4", type=int) == [4]
    assert utils.eval_str_dict("{'a': 1}") == {"a": 1}


def test_every_module_that_evaluates_text_is_known():
    root = Path(fairseq.__file__).parent
    found = set()
    for path in root.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "eval(" not in text or "examples" in path.parts:
            continue
        calls = [node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
        if any(isinstance(function, ast.Name) and function.id == "eval" for function in calls):
            found.add(".".join(path.relative_to(root.parent).with_suffix("").parts))
    assert found == {module.__name__ for module in config_code.faulty_modules()} == set(config_code.MODULES)


def test_a_checkpoints_user_dir_is_not_imported(data, checkpoint, tmp_path, marker):
    plugin = tmp_path / "someone_elses_plugin"
    plugin.mkdir()
    (plugin / "__init__.py").write_text(f"open({str(marker)!r}, 'w')")
    forged = forge(
        checkpoint, tmp_path / "forged.pt", common={"user_dir": str(plugin)}, model={"user_dir": str(plugin)}
    )
    load(forged)
    assert generate(data, forged).count("H-") == 8
    assert not marker.exists()

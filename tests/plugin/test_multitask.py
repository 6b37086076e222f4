"""The multitask task: what is counted, weighted, logged, saved and refused, and the fairseq commands with it."""

from __future__ import annotations

import json
import math
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import sacrebleu
import torch
from fairseq import options, tasks, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq_cli import validate

from tests.plugin import toy

utils.import_user_module(Namespace(user_dir=toy.USER_DIR))
from fairseq_plugins.tasks import multitask_translation as multitask  # noqa: E402
from fairseq_plugins.tasks.pair_bleu import STATISTICS, bleu_score  # noqa: E402

TASK = ("--task", "multitask_translation", "--lang-pairs", "en-de,en-fr")
ARCH = ("--arch", "multilingual_lstm_seq2seq_tiny")
FAMILIES = [f"multilingual_{family}_seq2seq_tiny" for family in ("rims", "lstm", "transformer", "rmc")]
EVALUATION = ("--user-dir", toy.USER_DIR, "--cpu", "--required-batch-size-multiple", "1", "--max-tokens", "400")
VALID = {"en-de": 7, "en-fr": 20}
BLEU = ("--eval-bleu", "--eval-bleu-args", '{"beam": 2, "max_len_b": 20}')


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pairs of unequal size."""
    return toy.binarise(tmp_path_factory.mktemp("multitask"), train={"en-de": 60, "en-fr": 100}, valid=VALID)


def configure(data: Path, *argv: str) -> Any:
    """The configuration of a training command."""
    arguments = ["fairseq-train", str(data), *TASK, *ARCH, *toy.TRAIN_OPTIONS, *argv]
    with mock.patch.object(sys, "argv", arguments):
        return convert_namespace_to_omegaconf(options.parse_args_and_arch(options.get_training_parser()))


def build(data: Path, *argv: str) -> tuple[Any, Any, Any]:
    """Task, model (the same parameters each time) and criterion of a training command."""
    cfg = configure(data, *argv)
    task = tasks.setup_task(cfg.task)
    torch.manual_seed(0)
    return task, task.build_model(cfg.model), task.build_criterion(cfg.criterion)


def batches(task: Any, split: str, **options: Any) -> list[dict[str, Any]]:
    """All batches of a split that is loaded."""
    options = {"max_sentences": 6, **options}
    return list(task.get_batch_iterator(task.dataset(split), **options).next_epoch_itr(shuffle=False))


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict]]:
    """Gives what ``--log-format json`` has logged after each validation so far."""
    monkeypatch.setattr(validate, "reset_logging", lambda: None)
    caplog.set_level("INFO")
    return lambda: [
        {name: float(value) for name, value in json.loads(message).items() if name != "epoch"}
        for message in caplog.messages
        if message.startswith("{") and '"valid_loss"' in message
    ]


class TestValidation:
    def test_each_sentence_of_each_pair_once(self, data: Path) -> None:
        task, _, _ = build(data)
        task.load_dataset("valid")
        seen: dict[str, list[int]] = {pair: [] for pair in VALID}
        for batch in batches(task, "valid"):
            for pair, sample in batch.items():
                seen[pair] += sample["id"].tolist()
        assert {pair: sorted(ids) for pair, ids in seen.items()} == {pair: list(range(n)) for pair, n in VALID.items()}

    def test_batches_respect_max_tokens(self, data: Path) -> None:
        task, _, _ = build(data)
        task.load_dataset("valid")
        parts = [
            sample for batch in batches(task, "valid", max_sentences=None, max_tokens=30) for sample in batch.values()
        ]
        assert max(sample["target"].numel() for sample in parts) <= 30
        assert sum(len(sample["id"]) for sample in parts) == sum(VALID.values())

    def test_losses_are_those_of_the_sentences_one_by_one(self, data: Path) -> None:
        task, model, criterion = build(data)
        task.load_dataset("valid")
        logs = [task.valid_step(batch, model, criterion)[2] for batch in batches(task, "valid")]
        pooled = {"loss": 0.0, "ntokens": 0, "nsentences": 0}
        for pair, dataset in task.dataset("valid").datasets.items():
            own = dict.fromkeys(pooled, 0.0)
            for index in range(len(dataset)):
                with torch.no_grad():
                    _, _, log = criterion(model.models[pair], dataset.collater([dataset[index]]))
                own = {name: own[name] + float(log[name]) for name in own}
            assert own["nsentences"] == VALID[pair]
            for name in pooled:
                assert sum(float(log[f"{pair}:{name}"]) for log in logs) == pytest.approx(own[name], rel=1e-5)
                pooled[name] += own[name]
        for name in pooled:
            assert sum(float(log[name]) for log in logs) == pytest.approx(pooled[name], rel=1e-5)

    def test_too_long_sentences_can_be_skipped(self, data: Path) -> None:
        task, _, _ = build(data)
        task.load_dataset("valid")
        limit = dict.fromkeys(VALID, (6, 6))
        dataset = task.dataset("valid")
        short = {pair: int((part.src_sizes <= 6).sum()) for pair, part in dataset.datasets.items()}
        assert 0 < short["en-fr"] < VALID["en-fr"]
        kept = batches(task, "valid", max_positions=limit, ignore_invalid_inputs=True)
        assert {pair: sum(len(b[pair]["id"]) for b in kept if pair in b) for pair in VALID} == short

    def test_a_batch_without_a_pair_logs_the_same_entries(self, data: Path) -> None:
        """Several processes add up their logs entry by entry."""
        task, model, criterion = build(data, *BLEU)
        task.load_dataset("valid")
        both, one = (task.valid_step(batches(task, "valid")[index], model, criterion)[2] for index in (0, -1))
        assert one["en-de:ntokens"] == 0 and one["en-de:loss"] == 0 and both["en-de:ntokens"] > 0
        assert [(name, torch.is_tensor(value)) for name, value in both.items()] == [
            (name, torch.is_tensor(value)) for name, value in one.items()
        ]
        assert {f"en-de:{name}" for name in STATISTICS} < set(one)


class TestTraining:
    def test_an_epoch_is_as_long_as_the_longest_set(self, data: Path) -> None:
        task, _, _ = build(data)
        task.load_dataset("train", combine=True)
        ids = {pair: [int(i) for b in batches(task, "train") for i in b[pair]["id"]] for pair in task.lang_pairs}
        assert sorted(ids["en-fr"]) == list(range(100))
        assert sorted(ids["en-de"]) == sorted([*range(60), *ids["en-de"][60:]])
        assert len(ids["en-de"]) == 100

    def test_weights_multiply_the_gradient_and_not_the_logs(self, data: Path) -> None:
        gradients, logs = {}, {}
        for weights in ("", "en-de=2,en-fr=0.5", "en-fr=1e-30", "en-de=1e-30"):
            task, model, criterion = build(data, "--pair-weights", weights, "--dropout", "0", "--layer-dropout", "0")
            task.load_dataset("train", combine=True)
            optimizer = mock.Mock(backward=lambda loss: loss.backward())
            _, sample_size, logs[weights] = task.train_step(batches(task, "train")[0], model, criterion, optimizer, 0)
            gradients[weights] = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
            assert sample_size == sum(logs[weights][f"{pair}:ntokens"] for pair in task.lang_pairs)
        german, french = gradients["en-fr=1e-30"], gradients["en-de=1e-30"]
        assert german.abs().max() > 0.1 and french.abs().max() > 0.1
        torch.testing.assert_close(gradients[""], german + french, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(gradients["en-de=2,en-fr=0.5"], 2 * german + 0.5 * french, atol=1e-4, rtol=1e-4)
        assert logs[""] == logs["en-de=2,en-fr=0.5"]

    def test_an_ignored_batch_leaves_no_gradient(self, data: Path) -> None:
        task, model, criterion = build(data)
        task.load_dataset("train", combine=True)
        optimizer = mock.Mock(backward=lambda loss: loss.backward())
        task.train_step(batches(task, "train")[0], model, criterion, optimizer, 0, ignore_grad=True)
        assert all(p.grad is None or not p.grad.any() for p in model.parameters())

    def test_the_encoder_is_shared_and_the_decoders_are_not(self, data: Path) -> None:
        _, model, _ = build(data)
        german, french = model.models["en-de"], model.models["en-fr"]
        assert german.encoder is french.encoder
        assert not {id(p) for p in german.decoder.parameters()} & {id(p) for p in french.decoder.parameters()}

    @pytest.mark.parametrize("stop", [4, 13], ids=["first epoch", "second epoch"])
    def test_resuming_in_an_epoch_changes_nothing(self, data: Path, tmp_path: Path, stop: int) -> None:
        argv = (*TASK, *ARCH, "--batch-size", "10", "--disable-validation", "--no-epoch-checkpoints")
        whole = toy.train(data, tmp_path / "whole", *argv, "--max-update", "16")
        toy.train(data, tmp_path / "parts", *argv, "--max-update", str(stop))
        parts = toy.train(data, tmp_path / "parts", *argv, "--max-update", "16")
        expected, actual = (torch.load(path, weights_only=False)["model"] for path in (whole, parts))
        torch.testing.assert_close(actual, expected, rtol=0, atol=0)


class TestMetrics:
    def test_loss_in_bits_and_bleu_of_each_pair(self, data: Path) -> None:
        task, model, criterion = build(data, *BLEU)
        task.load_dataset("valid")
        logs = [task.valid_step(batch, model, criterion)[2] for batch in batches(task, "valid")]
        with multitask.metrics.aggregate(new_root=True) as aggregate:
            for log in logs:
                task.reduce_metrics([log], criterion)
        values = aggregate.get_smoothed_values()
        for pair in VALID:
            loss = sum(float(log[f"{pair}:loss"]) for log in logs) / sum(log[f"{pair}:ntokens"] for log in logs)
            assert values[f"{pair}_loss"] == pytest.approx(loss / math.log(2), abs=1e-3)
            assert values[f"{pair}_nll_loss"] == values[f"{pair}_loss"]
            assert values[f"{pair}_ppl"] == pytest.approx(math.exp(loss), rel=1e-2)
            sums = [sum(log[f"{pair}:{name}"] for log in logs) for name in STATISTICS]
            assert values[f"{pair}_bleu"] == bleu_score(sums)

    def test_bleu_is_corpus_bleu(self) -> None:
        hypotheses = ["a b c d e f", "a c b d", "x"]
        references = ["a b c d e g", "a b c d", "y z"]
        parts = [sacrebleu.corpus_bleu([h], [[r]]) for h, r in zip(hypotheses, references, strict=True)]
        rows = [(*part.counts, *part.totals, part.sys_len, part.ref_len) for part in parts]
        expected = sacrebleu.corpus_bleu(hypotheses, [references]).score
        assert expected > 1
        assert bleu_score(np.sum(rows, axis=0)) == pytest.approx(expected, abs=0.006)

    def test_bleu_of_empty_translations_is_zero(self) -> None:
        assert bleu_score([0] * 9 + [12]) == 0

    @pytest.mark.parametrize("metric", ["en-de_bleu", "en-fr_loss"])
    def test_best_checkpoint_follows_one_pair(
        self, data: Path, tmp_path: Path, validations: Callable[[], list[dict]], metric: str
    ) -> None:
        maximise = ["--maximize-best-checkpoint-metric"] if metric.endswith("bleu") else []
        last = toy.train(
            data, tmp_path, *TASK, *ARCH, *BLEU, *maximise, "--best-checkpoint-metric", metric, "--lr", "0.01",
            "--max-update", "16", "--log-format", "json", "--validate-interval-updates", "4",
            "--save-interval-updates", "4", "--no-epoch-checkpoints", "--keep-interval-updates", "1",
        )  # fmt: skip
        history = [log[f"valid_{metric}"] for log in validations()]
        assert len(set(history)) > 1
        best = max(history) if maximise else min(history)
        state = torch.load(last.with_name("checkpoint_best.pt"), weights_only=False)["extra_state"]
        assert state["val_loss"] == state["best"] == pytest.approx(best)
        assert torch.load(last, weights_only=False)["extra_state"]["val_loss"] == pytest.approx(history[-1])


class TestCommands:
    @pytest.mark.parametrize("arch", FAMILIES)
    def test_197_lines_give_197_hypotheses(self, data: Path, tmp_path: Path, arch: str) -> None:
        """Without --lang-pairs and --encoder-langtok, which the checkpoint knows."""
        argv = (*TASK, "--arch", arch, "--best-checkpoint-metric", "en-de_loss")
        token = ("--encoder-langtok", "tgt") if "transformer" in arch else ()
        checkpoint = toy.train(data, tmp_path, *argv, *token)
        argv = ("--task", "multitask_translation", "-s", "en", "--path", checkpoint, *EVALUATION, "--beam", "1")
        for target in ("de", "fr"):
            output = toy.run_fairseq("generate", data, "-t", target, *argv, "--max-len-b", "5")
            ids = [int(line.split("\t")[0][2:]) for line in output.splitlines() if line.startswith("H-")]
            assert sorted(ids) == list(range(197))
        lines = tmp_path / "input.txt"
        lines.write_text("w1 w2 w3\nw4\n")
        output = toy.run_fairseq("interactive", data, "-t", "fr", *argv, "--max-len-b", "5", "--input", lines)
        assert sum(line.startswith("H-") for line in output.splitlines()) == 2

    def test_validate_finds_what_training_logged(
        self, data: Path, tmp_path: Path, validations: Callable[[], list[dict]]
    ) -> None:
        checkpoint = toy.train(
            data, tmp_path, *TASK, *ARCH, *BLEU, "--log-format", "json", "--lr", "0.01", "--max-update", "20"
        )
        argv = ("--task", TASK[1], "--path", checkpoint, *EVALUATION, "--log-format", "json")
        toy.run_fairseq("validate", data, *argv)
        trained, validated = validations()[-2:]
        names = [f"valid_{pair}_{name}" for pair in VALID for name in ("loss", "bleu")]
        assert {name: trained[name] for name in names} == {name: validated[name] for name in names}
        output = toy.run_fairseq(
            "generate", data, *TASK, "-s", "en", "-t", "de", "--path", checkpoint, *EVALUATION,
            "--gen-subset", "valid", "--beam", "2", "--max-len-b", "20",
        )  # fmt: skip
        rows = [line.split("\t") for line in output.splitlines()]
        hypotheses, references = ([row[-1] for row in rows if row[0].startswith(kind)] for kind in ("H-", "T-"))
        assert len(hypotheses) == VALID["en-de"]
        bleu = sacrebleu.corpus_bleu(hypotheses, [references]).score
        assert trained["valid_en-de_bleu"] == pytest.approx(bleu, abs=0.006) and bleu > 0

    def test_resumed_from_a_checkpoint_the_padding_side_stays(self, data: Path, tmp_path: Path) -> None:
        state = torch.load(toy.train(data, tmp_path, *TASK, *ARCH, "--disable-validation"), weights_only=False)
        task = tasks.setup_task(state["cfg"]["task"], from_checkpoint=True)
        assert task.args.left_pad_source is True and task.args.left_pad_target is False


class TestDataParallel:
    @pytest.mark.parametrize("backend", [(), ("--ddp-backend", "c10d"), ("--ddp-backend", "slowmo")])
    def test_a_backend_that_lets_processes_diverge_is_refused(self, data: Path, backend: tuple[str, ...]) -> None:
        argv = ("--distributed-world-size", "2", "--ddp-backend", "pytorch_ddp", *backend)
        with pytest.raises(ValueError, match="would train a model of its own.*Use --ddp-backend legacy_ddp"):
            build(data, *argv)

    def test_one_process_may_use_any(self, data: Path) -> None:
        build(data, "--distributed-world-size", "1", "--ddp-backend", "pytorch_ddp")

    def test_two_processes_may_use_legacy_ddp(self, data: Path) -> None:
        build(data, "--distributed-world-size", "2", "--ddp-backend", "legacy_ddp")

    def test_the_processes_of_a_launcher_count_too(self, data: Path) -> None:
        distributed = {"is_initialized": lambda: True, "get_world_size": lambda: 4}
        refused = pytest.raises(ValueError, match="would train a model of its own")
        with mock.patch.multiple(torch.distributed, **distributed), refused:
            build(data, "--distributed-world-size", "1", "--ddp-backend", "pytorch_ddp")


class TestErrors:
    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (("--lang-pairs", "en-de,fr"), "expected pairs such as en-de,en-fr, got 'fr'"),
            (("--lang-pairs", "en-de,-fr"), "got '-fr'"),
            (("--lang-pairs", "en-de,en-de"), "given twice in 'en-de,en-de'"),
            (("--lang-pairs", "en-de,fr-de"), "same source language, got en and fr"),
            (("--pair-weights", "en-it=2"), "'en-it=2' is not PAIR=NUMBER with one of en-de,en-fr"),
            (("--pair-weights", "en-de=2,en-de=3"), "en-de is given twice"),
            (("--pair-weights", "en-de=much"), "expected a number for en-de, got 'much'"),
            (("--pair-weights", "en-de=0"), "positive number for en-de, got 0; to train without a pair leave it out"),
            (("--pair-weights", "en-de=nan"), "positive number for en-de, got nan"),
            (("--eval-bleu", "--eval-bleu-args", "beam=4"), "--eval-bleu-args takes a JSON object"),
            (("--eval-bleu", "--eval-bleu-detok-args", "[1]"), "--eval-bleu-detok-args takes a JSON object"),
            (("-s", "en", "-t", "de"), "training takes its pairs from --lang-pairs alone"),
            (("--decoder-langtok",), "every language pair has a decoder of its own"),
            (("--arch", "transformer_seq2seq_tiny"), "transformer_seq2seq_tiny has one decoder"),
        ],
    )
    def test_options(self, data: Path, argv: tuple[str, ...], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            build(data, *argv)

    def test_no_pairs(self, data: Path) -> None:
        args = configure(data).task
        args.lang_pairs = None
        with pytest.raises(ValueError, match="--lang-pairs is required.*such as --lang-pairs en-de,en-fr"):
            tasks.setup_task(args)

    def test_missing_dictionary(self, data: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"has no dict.it.txt: .* needs dict.de.txt, dict.en.txt"):
            build(data, "--lang-pairs", "en-de,en-it")

    def test_missing_split(self, data: Path) -> None:
        task, _, _ = build(data)
        with pytest.raises(FileNotFoundError, match=r"valid7.en-de.en.idx not found: pair en-de has no binarised"):
            task.load_dataset("valid7")

    def test_translation_options(self, data: Path, tmp_path: Path) -> None:
        """What -s, -t and --lang-pairs have to be when translating."""
        checkpoint = toy.train(data, tmp_path / "model", *TASK, "--arch", FAMILIES[2], "--disable-validation")
        single = toy.train(
            data, tmp_path / "single", "--task", "translation", "-s", "en", "-t", "de", "--disable-validation",
            "--arch", "transformer_seq2seq_tiny",
        )  # fmt: skip
        for argv, path, message in (
            (("-s", "en"), checkpoint, "-s en -t None: expected the two languages of one of the model's pairs, en-de"),
            (("-s", "en", "-t", "it"), checkpoint, "-s en -t it: expected .* en-de,en-fr"),
            ((), checkpoint, "give the pair to translate with -s and -t, one of en-de,en-fr"),
            (("-s", "en", "-t", "de", "--lang-pairs", "en-de"), checkpoint, "trained with --lang-pairs en-de,en-fr"),
            (("-s", "en", "-t", "de"), single, "not trained with --task multitask_translation"),
        ):
            with pytest.raises(ValueError, match=message):
                toy.run_fairseq("generate", data, "--task", TASK[1], "--path", path, *EVALUATION, *argv)

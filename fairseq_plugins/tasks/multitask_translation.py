"""The task ``multitask_translation``: several language pairs trained together, with one encoder and a decoder a pair.

``--task multitask_translation --lang-pairs en-de,en-fr --arch multilingual_...``

- Training takes as many sentences of each pair in every batch. An epoch is as long as the longest set and the shorter
  ones repeat. The pairs' losses are summed and the gradient is divided by the tokens of all of them.
  ``--pair-weights en-fr=0.5`` multiplies that pair's loss, hence its gradient, and neither how often the pair is seen,
  nor the number of tokens divided by, nor the losses that are logged.
- Validation counts each sentence of each pair once, and logs ``en-de_loss``, ``en-de_nll_loss``, ``en-de_ppl`` and,
  with ``--eval-bleu``, ``en-de_bleu``. ``--best-checkpoint-metric`` takes any of them (BLEU is better when higher:
  add ``--maximize-best-checkpoint-metric``).
- Translation names its pair: ``fairseq-generate DATA --task multitask_translation -s en -t de --path CHECKPOINT``.
- Several processes need ``--ddp-backend legacy_ddp``. Without a GPU, fairseq does not start them itself; two on the
  CPU: ``torchrun --nproc-per-node 2 -m fairseq_cli.train DATA ... --cpu --ddp-backend legacy_ddp
  --distributed-backend gloo``
"""

from __future__ import annotations

import math
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from fairseq import checkpoint_utils, models, utils
from fairseq.criterions import FairseqCriterion
from fairseq.data import Dictionary, indexed_dataset
from fairseq.logging import metrics
from fairseq.models import FairseqMultiModel
from fairseq.optim.amp_optimizer import AMPOptimizer
from fairseq.tasks import register_task
from fairseq.tasks.multilingual_translation import MultilingualTranslationTask
from torch import Tensor

from fairseq_plugins.repairs.multi_model_ddp import check_backend
from fairseq_plugins.tasks.pair_bleu import STATISTICS, PairBleu, add_bleu_options, log_bleu
from fairseq_plugins.tasks.pair_datasets import OncePerSentence, RepeatShorter

Logs = dict[str, Any]


def parse_lang_pairs(value: str | Sequence[str]) -> list[str]:
    """Read ``"en-de,en-fr"``.

    Raises:
        ValueError: a pair is malformed or given twice, or the source languages differ.
    """
    pairs = [pair.strip() for pair in value.split(",")] if isinstance(value, str) else list(value)
    for pair in pairs:
        if len(pair.split("-")) != 2 or not all(pair.split("-")):
            raise ValueError(f"--lang-pairs: expected pairs such as en-de,en-fr, got {pair!r} in {','.join(pairs)!r}")
    if len(set(pairs)) < len(pairs):
        raise ValueError(f"--lang-pairs: a pair is given twice in {','.join(pairs)!r}")
    sources = sorted({pair.split("-")[0] for pair in pairs})
    if len(sources) > 1:
        raise ValueError(
            "--lang-pairs: the pairs share one encoder, so they need the same source language, "
            f"got {' and '.join(sources)} in {','.join(pairs)!r}"
        )
    return pairs


def parse_pair_weights(value: str | None, lang_pairs: Sequence[str]) -> dict[str, float]:
    """Read ``"en-de=1.0,en-fr=0.5"``; a pair that is not named weighs 1.

    Raises:
        ValueError: an entry is malformed, names no pair of ``lang_pairs`` or one twice, or is not a positive number.
    """
    weights: dict[str, float] = {}
    for entry in value.split(",") if value else ():
        pair, _, number = entry.strip().partition("=")
        if pair not in lang_pairs:
            raise ValueError(f"--pair-weights: {entry!r} is not PAIR=NUMBER with one of {','.join(lang_pairs)}")
        if pair in weights:
            raise ValueError(f"--pair-weights: {pair} is given twice in {value!r}")
        try:
            weights[pair] = float(number)
        except ValueError:
            raise ValueError(f"--pair-weights: expected a number for {pair}, got {number!r}") from None
        if not 0 < weights[pair] < math.inf:
            raise ValueError(
                f"--pair-weights: expected a positive number for {pair}, got {number}; "
                "to train without a pair leave it out of --lang-pairs"
            )
    return {pair: weights.get(pair, 1.0) for pair in lang_pairs}


def task_of_checkpoint(path: str) -> Namespace:
    """The task's arguments in the (first) checkpoint of ``--path``.

    Raises:
        ValueError: it was not trained on several pairs.
    """
    checkpoint = utils.split_paths(path)[0]
    args = checkpoint_utils.load_checkpoint_to_cpu(checkpoint)["cfg"]["task"]
    if getattr(args, "lang_pairs", None) is None:
        raise ValueError(f"{checkpoint} was not trained with --task multitask_translation; use --task translation")
    return args


def has_several_processes(args: Namespace) -> bool:
    """Whether this run is one of several, by its options or by the process group that it is in."""
    initialised = torch.distributed.is_available() and torch.distributed.is_initialized()
    return max(args.distributed_world_size, torch.distributed.get_world_size() if initialised else 1) > 1


def check_direction(args: Namespace, from_checkpoint: bool) -> None:
    """Check ``-s`` and ``-t``, which are for translation only.

    Raises:
        ValueError: one of the two is missing, they name no pair of ``--lang-pairs``, or this is training.
    """
    direction = f"{args.source_lang}-{args.target_lang}"
    if args.source_lang is None and args.target_lang is None:
        return
    trains = hasattr(args, "max_update") and not from_checkpoint
    if trains:
        raise ValueError("-s and -t choose the pair to translate; training takes its pairs from --lang-pairs alone")
    if direction not in args.lang_pairs:
        raise ValueError(
            f"-s {args.source_lang} -t {args.target_lang}: expected the two languages of one of the model's pairs, "
            f"{','.join(args.lang_pairs)}"
        )


def check_dictionaries(args: Namespace) -> None:
    """Check that the data folder has the dictionary of every language, as all of them shape the model.

    Raises:
        FileNotFoundError: naming those that are missing.
    """
    folder = utils.split_paths(args.data)[0]
    languages = sorted({language for pair in args.lang_pairs for language in pair.split("-")})
    names = [f"dict.{language}.txt" for language in languages]
    missing = [name for name in names if not os.path.exists(os.path.join(folder, name))]
    if missing:
        raise FileNotFoundError(
            f"{folder} has no {' and no '.join(missing)}: --lang-pairs {','.join(args.lang_pairs)} needs "
            f"{', '.join(names)}. Copy them from the data that the model was trained on"
        )


@register_task("multitask_translation")
class MultitaskTranslationTask(MultilingualTranslationTask):
    """Several pairs with the same source language; see the module's text for what it does."""

    @staticmethod
    def add_args(parser: ArgumentParser) -> None:
        """Add the task's options to the parser."""
        MultilingualTranslationTask.add_args(parser)
        parser.add_argument(
            "--pair-weights",
            metavar="PAIR=WEIGHT,...",
            help="multiply a pair's training loss, e.g. en-fr=0.5 (default: 1 for each pair); "
            "does not change how often the pair is seen",
        )
        add_bleu_options(parser)

    @classmethod
    def update_args(cls, args: Namespace) -> None:
        """Bring options in their final form; does nothing to those that already are (a checkpoint's).

        To translate, ``--lang-pairs`` and ``--encoder-langtok`` come from the checkpoint unless the pairs are given.

        Raises:
            ValueError: on unusable ``--lang-pairs``.
        """
        args.left_pad_source = utils.eval_bool(str(args.left_pad_source))
        args.left_pad_target = utils.eval_bool(str(args.left_pad_target))
        if args.lang_pairs is None and getattr(args, "path", None):
            trained = task_of_checkpoint(args.path)
            args.lang_pairs, args.encoder_langtok = trained.lang_pairs, trained.encoder_langtok
        if args.lang_pairs is None:
            raise ValueError("--lang-pairs is required: the pairs to train together, such as --lang-pairs en-de,en-fr")
        args.lang_pairs = parse_lang_pairs(args.lang_pairs)

    @classmethod
    def prepare(cls, args: Namespace, **kwargs: Any) -> tuple[dict[str, Dictionary], bool]:
        """Check the options and load the dictionaries.

        Returns:
            the dictionary of each language, and whether this is training or validation (True) or translation (False).

        Raises:
            ValueError: options that are wrong or contradict each other.
            FileNotFoundError: a dictionary is missing.
        """
        cls.update_args(args)
        if args.decoder_langtok:
            raise ValueError("--decoder-langtok has no use here: every language pair has a decoder of its own")
        check_direction(args, kwargs.get("from_checkpoint", False))
        if args.source_lang is None and has_several_processes(args):
            check_backend(args.ddp_backend)
        check_dictionaries(args)
        return super().prepare(args, **kwargs)

    def __init__(self, args: Namespace, dicts: dict[str, Dictionary], training: bool) -> None:
        super().__init__(args, dicts, training)
        self.pair_weights = parse_pair_weights(args.pair_weights, args.lang_pairs)
        self.pair_bleu: dict[str, PairBleu] = {}

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **kwargs: Any) -> None:
        """Load a split of every pair.

        fairseq asks for the data to train on with ``combine=True``. Everything else is for evaluation.

        Raises:
            FileNotFoundError: a pair lacks the split.
        """
        self._check_split(split, epoch)
        super().load_dataset(split, epoch, **kwargs)
        if self.training:
            datasets = self.datasets[split].datasets
            to_train = combine and split == self.args.train_subset
            self.datasets[split] = RepeatShorter(datasets, self.args.seed) if to_train else OncePerSentence(datasets)

    def _check_split(self, split: str, epoch: int) -> None:
        """Raise FileNotFoundError, which says what to do, when a pair lacks the split."""
        paths = utils.split_paths(self.args.data)
        folder = paths[(epoch - 1) % len(paths)]
        for pair in self.lang_pairs:
            source, target = pair.split("-")
            files = [os.path.join(folder, f"{split}.{name}.{source}") for name in (pair, f"{target}-{source}")]
            if not any(indexed_dataset.dataset_exists(file, impl=self.args.dataset_impl) for file in files):
                raise FileNotFoundError(
                    f"{files[0]}.idx not found: pair {pair} has no binarised {split!r} data. "
                    f"Binarise it into {folder}, or leave {pair} out of --lang-pairs"
                )

    def build_model(self, args: Namespace, from_checkpoint: bool = False) -> FairseqMultiModel:
        """Build the model of every pair.

        Raises:
            ValueError: the architecture has one decoder only, or a checkpoint was trained on other pairs.
        """
        trained = getattr(args, "lang_pairs", None)
        if trained is not None and set(parse_lang_pairs(trained)) != set(self.args.lang_pairs):
            raise ValueError(
                f"the model was trained with --lang-pairs {','.join(parse_lang_pairs(trained))}, "
                f"got {','.join(self.args.lang_pairs)}; give the same pairs, or no --lang-pairs to translate"
            )
        model = models.build_model(args, self, from_checkpoint)
        if not isinstance(model, FairseqMultiModel):
            name = getattr(args, "arch", None) or type(model).__name__
            raise ValueError(f"{name} has one decoder; multitask_translation needs a multilingual_... architecture")
        if self.training and self.args.eval_bleu:
            self.pair_bleu = {
                pair: PairBleu(self.args, pair, self.dicts, model.models[pair]) for pair in self.eval_lang_pairs
            }
        return model

    def build_generator(self, *args: Any, **kwargs: Any) -> Any:
        """Build the beam search for the pair of ``-s`` and ``-t``.

        Raises:
            ValueError: they were not given.
        """
        if self.training:
            raise ValueError(f"give the pair to translate with -s and -t, one of {','.join(self.lang_pairs)}")
        return super().build_generator(*args, **kwargs)

    def train_step(
        self,
        sample: Mapping[str, Any],
        model: FairseqMultiModel,
        criterion: FairseqCriterion,
        optimizer: Any,
        update_num: int,
        ignore_grad: bool = False,
    ) -> tuple[Tensor, int, Logs]:
        """Add the gradients of each pair in turn.

        Returns:
            the unweighted loss (natural logarithm, summed over pairs and tokens), the sample size that the gradient
            is divided by, and the logs.
        """
        model.train()
        model.set_num_updates(update_num)
        logs: dict[str, Logs] = {}
        loss_sum, sample_size_sum = torch.zeros(()), 0
        for pair in self._pairs_in(sample):
            with torch.autocast("cuda", enabled=isinstance(optimizer, AMPOptimizer)):
                loss, sample_size, logs[pair] = criterion(model.models[pair], sample[pair])
            optimizer.backward(loss * (0.0 if ignore_grad else self.pair_weights[pair]))
            loss_sum = loss_sum.to(loss.device) + loss.detach()
            sample_size_sum += sample_size
        return loss_sum, sample_size_sum, pool_logs(logs, self.lang_pairs)

    def valid_step(
        self, sample: Mapping[str, Any], model: FairseqMultiModel, criterion: FairseqCriterion
    ) -> tuple[Tensor, int, Logs]:
        """Evaluate the pairs that are in the batch; see `train_step` for what is returned."""
        model.eval()
        logs: dict[str, Logs] = {}
        loss_sum, sample_size_sum = torch.zeros(()), 0
        with torch.no_grad():
            for pair in self._pairs_in(sample):
                loss, sample_size, logs[pair] = criterion(model.models[pair], sample[pair])
                if pair in self.pair_bleu:
                    logs[pair].update(self.pair_bleu[pair].statistics(sample[pair]))
                loss_sum = loss_sum.to(loss.device) + loss
                sample_size_sum += sample_size
        return loss_sum, sample_size_sum, pool_logs(logs, self.lang_pairs)

    def _pairs_in(self, sample: Mapping[str, Any]) -> list[str]:
        return [pair for pair in self.lang_pairs if sample.get(pair)]

    def reduce_metrics(self, logging_outputs: Sequence[Logs], criterion: FairseqCriterion) -> None:
        """Log the pooled loss as the criterion does, then each pair's own."""
        super().reduce_metrics(logging_outputs, criterion)
        for pair in self.lang_pairs:
            prefix = f"{pair}:"
            names = {name.removeprefix(prefix) for log in logging_outputs for name in log if name.startswith(prefix)}
            log_pair(pair, {name: sum(log.get(prefix + name, 0) for log in logging_outputs) for name in names})


def pool_logs(logs: Mapping[str, Logs], lang_pairs: Sequence[str]) -> Logs:
    """Sum the logs of the pairs in a batch, and keep each pair's own as ``en-de:loss``.

    A pair that is not in ``logs`` gets zeros of the same types: fairseq sums the logs of several processes
    by position, so that each must hold the same entries.
    """
    names = list(next(iter(logs.values())))
    pooled = {name: sum(log[name] for log in logs.values()) for name in names}
    for pair in lang_pairs:
        own = logs.get(pair) or {name: torch.zeros_like(v) if torch.is_tensor(v) else 0 for name, v in pooled.items()}
        pooled |= {f"{pair}:{name}": own[name] for name in names}
    return pooled


def log_pair(pair: str, sums: Mapping[str, Any]) -> None:
    """Log one pair's loss (bits per token, or per sentence with ``--sentence-avg``), perplexity and BLEU.

    Args:
        pair: language pair, the first part of the names that are logged.
        sums: the pair's logs, summed over batches and processes; nothing is logged when they hold no token.
    """
    if not sums.get("ntokens"):
        return
    bits = 1 / math.log(2)
    metrics.log_scalar(f"{pair}_loss", sums["loss"] / sums["sample_size"] * bits, sums["sample_size"], round=3)
    nll_loss = sums.get("nll_loss", sums["loss"]) / sums["ntokens"] * bits
    metrics.log_scalar(f"{pair}_nll_loss", nll_loss, sums["ntokens"], round=3)
    metrics.log_derived(f"{pair}_ppl", lambda meters: utils.get_perplexity(meters[f"{pair}_nll_loss"].avg))
    if STATISTICS[0] in sums:
        log_bleu(pair, sums)

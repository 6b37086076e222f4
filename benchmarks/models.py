"""Whole models on real sentences: target words a second in training, sentences a second in beam search.

An update is fairseq's own: forward, label-smoothed cross-entropy, backward, clipping, Adam. All models get the same
batches in turn, each a new shape, as in training. Words are target tokens with the end of sentence, as fairseq counts
them.

Models that are not trained would end their translations at random, so every hypothesis is made exactly as long as the
longest reference of its batch: the search does the same number of steps for all.
"""

from __future__ import annotations

import itertools
import warnings
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fairseq.tasks
from fairseq import options, utils
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.trainer import Trainer

import fairseq_plugins  # noqa: F401
from benchmarks.config import LayerConfig
from benchmarks.registry import parameters
from benchmarks.results import Row, compare
from benchmarks.sentences import binarised
from benchmarks.timing import clock_of, interleave_over
from fairseq_plugins.models import sizes
from fairseq_plugins.parameters import FAMILIES, VOCABULARY

SIZES = ("tiny", "small", "base")
RIVALS = ("lstm_seq2seq", "fairseq_lstm", "transformer_seq2seq")
MAX_TOKENS, BATCH_SENTENCES, BEAM, WARMUP = 2000, 16, 5, 2
RECIPE = (
    "--share-all-embeddings", "--criterion", "label_smoothed_cross_entropy", "--label-smoothing", "0.1",
    "--optimizer", "adam", "--lr", "0.0001", "--clip-norm", "1.0", "--max-tokens", str(MAX_TOKENS),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What to measure: a named size of all families, batches of each measure, the folder of data, the device."""

    size: str = "small"
    rounds: int = 20
    data: Path | None = None
    device: str = "cpu"


def layer_configs(plan: Plan) -> list[LayerConfig]:
    """The layers that the RIM model has, so that they can be verified."""
    values: Mapping[str, Any] = sizes.RIMS[plan.size]
    return [
        LayerConfig(
            input_size=values[f"{side}_embed_dim"],
            hidden_size=values[f"{side}_hidden_size"],
            comm_key_size=32,
            comm_value_size=32,
            device=plan.device,
        )
        for side in ("encoder", "decoder")
    ]


def configuration(arch: str, data: Path, device: str) -> Any:
    """fairseq's configuration of an architecture, as ``fairseq-train`` makes it of its command line."""
    arguments = [str(data), "--arch", arch, *RECIPE, *(["--cpu"] if device == "cpu" else [])]
    parsed = options.parse_args_and_arch(options.get_training_parser(), arguments)
    return convert_namespace_to_omegaconf(parsed)


def make_task(plan: Plan, data: Path) -> Any:
    """The translation task with its sentences.

    The built-in grammar fills few entries of the dictionary; it is padded to what goes with the size of the models, as
    the output layer costs by the entry.
    """
    task = fairseq.tasks.setup_task(configuration(f"lstm_seq2seq_{plan.size}", data, plan.device).task)
    if plan.data is None:
        for dictionary in (task.source_dictionary, task.target_dictionary):
            dictionary.pad_to_multiple_(VOCABULARY[plan.size])
    for split in ("train", "valid"):
        task.load_dataset(split)
    return task


def make_trainer(arch: str, task: Any, data: Path, device: str) -> Trainer:
    """A model and all that an update needs."""
    config = configuration(arch, data, device)
    return Trainer(config, task, task.build_model(config.model), task.build_criterion(config.criterion))


def batches(task: Any, split: str, count: int, **limits: int) -> list[dict[str, Any]]:
    """``count`` batches in random order, the same at every call; they repeat where there are fewer."""
    iterator = task.get_batch_iterator(task.dataset(split), seed=1, **limits)
    return list(itertools.islice(itertools.cycle(iterator.next_epoch_itr(shuffle=True)), count))


def compare_models(
    what: str,
    figures: Mapping[str, list[float]],
    trainers: Mapping[str, Trainer],
    about: Mapping[str, object],
    unit: str,
) -> list[Row]:
    """Ratios of all models to ``lstm_seq2seq``, and of ours to fairseq's own."""
    counts = {arch: parameters(trainer.model) for arch, trainer in trainers.items()}
    ours, rivals = next(iter(figures)), [arch for arch in figures if arch.startswith(RIVALS)]
    return [
        row
        for index, rival in enumerate(rivals)
        for row in compare(
            what, figures, rival, unit=unit, names=None if index == 0 else [ours], config=about, parameters=counts
        )
    ]


def speeds(sizes: Sequence[int], seconds: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Words or sentences a second, batch by batch."""
    return {arch: [size / time for size, time in zip(sizes, times, strict=True)] for arch, times in seconds.items()}


def measure_training(trainers: Mapping[str, Trainer], task: Any, plan: Plan, about: Mapping[str, object]) -> list[Row]:
    """Updates on batches of up to ``MAX_TOKENS`` tokens."""
    samples = batches(task, "train", WARMUP + plan.rounds, max_tokens=MAX_TOKENS)
    updates = {arch: lambda sample, trainer=trainer: trainer.train_step([sample]) for arch, trainer in trainers.items()}
    interleave_over(samples[:WARMUP], updates, clock=clock_of(plan.device))
    seconds = interleave_over(samples[WARMUP:], updates, clock=clock_of(plan.device))
    words = [sample["ntokens"] for sample in samples[WARMUP:]]
    return compare_models("training", speeds(words, seconds), trainers, about, "words/s")


def search(trainer: Trainer, task: Any) -> Any:
    """A call that translates a batch, every hypothesis as long as the batch's longest reference."""
    model = trainer.model.eval()
    model.prepare_for_inference_(trainer.cfg)
    generator = task.build_generator([model], Namespace(beam=BEAM))

    def call(sample: dict[str, Any]) -> object:
        length = sample["target"].shape[1] - 1  # tokens before the end of sentence
        generator.max_len_a, generator.max_len_b, generator.min_len = 0, length, length
        return task.inference_step(generator, [model], sample)

    return call


def measure_generation(
    trainers: Mapping[str, Trainer], task: Any, plan: Plan, about: Mapping[str, object]
) -> list[Row]:
    """Beam search on batches of ``BATCH_SENTENCES`` sentences."""
    samples = batches(task, "valid", 1 + plan.rounds, max_sentences=BATCH_SENTENCES)
    if plan.device != "cpu":
        samples = [utils.move_to_cuda(sample) for sample in samples]
    searches = {arch: search(trainer, task) for arch, trainer in trainers.items()}
    interleave_over(samples[:1], searches, clock=clock_of(plan.device))
    seconds = interleave_over(samples[1:], searches, clock=clock_of(plan.device))
    sentences = [sample["nsentences"] for sample in samples[1:]]
    return compare_models("generation", speeds(sentences, seconds), trainers, about, "sentences/s")


def measure(plan: Plan) -> list[Row]:
    """Both measures, for the families that have the size.

    Raises:
        ValueError: if the data cannot be used.
    """
    with warnings.catch_warnings(), binarised(plan.data) as data:
        warnings.simplefilter("ignore")  # of fairseq and torch about fairseq's code
        task = make_task(plan, data)
        names = [f"{family}_{plan.size}" for family in FAMILIES]
        trainers = {name: make_trainer(name, task, data, plan.device) for name in names}
        source = "built-in grammar" if plan.data is None else plan.data.absolute().name
        about = {"device": plan.device, "dtype": "float32"}
        about["data"] = f"{source}, {len(task.target_dictionary)} dictionary entries"
        training = {**about, "batch": f"{MAX_TOKENS} tokens"}
        generation = {**about, "batch": f"{BATCH_SENTENCES} sentences"}
        return [
            *measure_training(trainers, task, plan, training),
            *measure_generation(trainers, task, plan, generation),
        ]

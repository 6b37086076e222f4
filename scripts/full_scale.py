"""Try an experiment's file on stand-in text, and estimate the hours that the whole would take on this machine.

The text is made up in the shape of WMT14's (stand_in.py) and prepared with the file's own filters, subwords and shards;
every model of the first seed is trained on it for a few updates with the file's own options. Without a GPU that is in
float32 and in smaller batches; --update-freq stays. Only the speed is used, not what the models learn.

hours = updates of the file * target words of its updates / target words a second measured here
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import os
import shlex
import statistics
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from batch_words import known_sizes, one_shard, read_lengths, words_per_batch
from experiment import Cell, TranslationExperiment, load_translation
from files import write_json, write_text
from stand_in import data_config
from train import last_value, machine, speeds, train_cell

from data_prep import experiment_file
from data_prep.prepare import prepare

WARMUP = 2  # updates that are not measured: code is compiled, memory is taken, and fairseq's clock starts
CPU_TOKENS = 500
GPU_SPEED = 50_000  # target words a second, to reckon with where none was measured
MIXED_PRECISION = {"--fp16", "--memory-efficient-fp16", "--bf16", "--memory-efficient-bf16", "--amp"}


@dataclass(frozen=True)
class Plan:
    """What the file asks for in the training of one model.

    Attributes:
        updates: how many.
        batches: of one update, on all its devices together.
        max_tokens: of a batch.
    """

    updates: int
    batches: int
    max_tokens: int

    @classmethod
    def of(cls, experiment: TranslationExperiment, cell: Cell) -> Plan:
        """Read the options of a model.

        Raises:
            ValueError: if one that is needed is missing or is no whole number; the message names file and model.
        """
        arguments = experiment.train_arguments(cell)
        try:
            devices = option(arguments, "--distributed-world-size", max(1, torch.cuda.device_count()))
            batches = devices * option(arguments, "--update-freq", 1)
            return cls(option(arguments, "--max-update"), batches, option(arguments, "--max-tokens"))
        except ValueError as error:
            raise ValueError(f"{experiment.path}: {cell.name}: {error}") from None


@dataclass(frozen=True)
class Estimate:
    """One model: what was measured, and what the file plans.

    Attributes:
        family: row of the experiment.
        setting: column of the experiment.
        parameters: trained parameters.
        words_per_second: target words a second, of each update measured.
        cores: processors that the training kept busy on average.
        updates: that the file asks for.
        words_per_update: target words of one of its updates, by language pair, on average.
        passes: how often the updates go through the training text of the target pair; None where its size is not known.
    """

    family: str
    setting: str
    parameters: int
    words_per_second: list[float]
    cores: float
    updates: int
    words_per_update: dict[str, float]
    passes: float | None

    @property
    def words(self) -> float:
        """Target words of all updates."""
        return self.updates * sum(self.words_per_update.values())

    @property
    def hours(self) -> float:
        """Of all updates, on the machine that was measured."""
        return self.words / statistics.median(self.words_per_second) / 3600


def option(arguments: list[str], name: str, default: int | None = None) -> int:
    """The number that an option ends up with: its last one.

    Raises:
        ValueError: if it is missing and there is no default, or is no whole number.
    """
    value = last_value(arguments, name)
    if not value and default is not None:
        return default
    if not value.isdecimal():
        raise ValueError(f"an estimate needs a whole number as {name}, got {value or 'nothing'}; see train.options")
    return int(value)


def stand_in_experiment(
    experiment: TranslationExperiment, updates: int, max_tokens: int | None, threads: int | None
) -> TranslationExperiment:
    """The first seed of an experiment, with few updates on one device and every update logged; paths are relative.

    Args:
        experiment: the experiment.
        updates: of every model.
        max_tokens: of a batch; None: as the file says.
        threads: CPU threads; None: as the file says.
    """
    changes = ["--distributed-world-size", "1", "--max-update", str(updates), "--log-interval", "1"]
    changes += ["--save-interval-updates", "0"]  # only at the end, so that no update's time has it
    if max_tokens is not None:
        changes += ["--max-tokens", str(max_tokens)]
    keep = (lambda words: words) if torch.cuda.is_available() else in_float32
    return replace(
        experiment,
        data=Path("data"),
        seeds=experiment.seeds[:1],
        options=keep(experiment.options),
        setting_options={name: keep(words) for name, words in experiment.setting_options.items()},
        families={
            name: {**how, "options": [*keep(how["options"]), *changes]} for name, how in experiment.families.items()
        },
        threads=threads or experiment.threads,
    )


def in_float32(words: list[str]) -> list[str]:
    """Options without those of mixed precision."""
    return [word for word in words if word not in MIXED_PRECISION]


def words_per_update(tried: TranslationExperiment, cell: Cell, plan: Plan) -> dict[str, float]:
    """Target words of an update as planned, by language pair, on average; lengths are those of the stand-in."""
    lengths = {pair: read_lengths(tried.train_folders, pair) for pair in tried.settings[cell.setting]}
    shard = one_shard(lengths, known_sizes(tried.data_config), tried.shards)
    per_batch = words_per_batch(shard, plan.max_tokens)
    return {pair: plan.batches * words for pair, words in per_batch.items()}


def estimate(tried: TranslationExperiment, cell: Cell, plan: Plan) -> Estimate:
    """Train a model on the stand-in data and estimate the whole; its checkpoints are removed.

    Raises:
        ValueError: if training fails or is too short to be measured.
    """
    words = words_per_update(tried, cell, plan)
    busy, start = cpu_seconds(), time.monotonic()
    train_cell(tried, cell)
    cores = (cpu_seconds() - busy) / (time.monotonic() - start)
    directory = tried.model_dir(cell)
    for checkpoint in directory.glob("checkpoint*.pt"):
        checkpoint.unlink()
    measured = speeds((directory / "train.log").read_text(encoding="utf-8", errors="replace"))[WARMUP:]
    if not measured:
        raise ValueError(f"{directory / 'train.log'}: no update after the first {WARMUP}; give more --updates")
    model = json.loads((directory / "model.json").read_text(encoding="utf-8"))
    return Estimate(
        cell.family, cell.setting, model["parameters"], measured, cores, plan.updates, words, passes(tried, plan, words)
    )


def passes(tried: TranslationExperiment, plan: Plan, words: dict[str, float]) -> float | None:
    """How often the planned updates go through the training text of the target pair; None if its size is not known."""
    pair = tried.target_pair
    size = known_sizes(tried.data_config).get(pair)
    return None if size is None else plan.updates * words[pair] / (size * subwords_per_pair(tried.data)[pair])


def cpu_seconds() -> float:
    """Of this process and of those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def device_name() -> str:
    """What trains."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"CPU ({torch.backends.cpu.get_cpu_capability()})"


def report(experiment: TranslationExperiment, estimates: list[Estimate], how: dict[str, Any]) -> str:
    """The table in Markdown, and what a reader must know of it."""
    pair, words = experiment.target_pair, len(experiment.seeds) * sum(one.words for one in estimates)
    lines = [
        f"# {experiment.name} on one {how['device']}",
        "",
        f"| family | setting | parameters | words/s | cores | updates | words an update | passes over {pair} | hours |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|",
        *(table_row(one) for one in estimates),
        "",
        f"All {len(experiment.cells())} models, {len(experiment.seeds)} of each: "
        f"{len(experiment.seeds) * sum(one.hours for one in estimates):,.0f} hours of one such device. "
        f"They read {words / 1e9:,.1f} billion target words, which at {GPU_SPEED:,} words/s take "
        f"{words / GPU_SPEED / 3600:,.0f} hours.",
        "",
        *notes(how),
    ]
    return "\n".join(lines) + "\n"


def table_row(one: Estimate) -> str:
    """Of one model; the slowest and the fastest update in brackets."""
    speed = one.words_per_second
    cells = [
        one.family,
        one.setting,
        f"{one.parameters:,}",
        f"{statistics.median(speed):,.0f} [{min(speed):,.0f}–{max(speed):,.0f}]",
        f"{one.cores:.2f}",
        f"{one.updates:,}",
        f"{sum(one.words_per_update.values()):,.0f}",
        "" if one.passes is None else f"{one.passes:.1f}",
        f"{one.hours:,.1f}",
    ]
    return f"| {' | '.join(cells)} |"


def notes(how: dict[str, Any]) -> list[str]:
    """How the figures came about, and how to use them for another machine."""
    assumed = ", ".join(f"{size:,} ({pair})" for pair, size in how["sizes"].items())
    sizes = [f"- Assumed of the training text, sentence pairs after cleaning: {assumed}."] if assumed else []
    made = ", ".join(f"{count:.1f} ({pair})" for pair, count in how["subwords_per_pair"].items())
    precision = f"Float32 instead of {' '.join(how['left_out'])}, as there is no GPU; " if how["left_out"] else ""
    return [
        "- Words are target subwords and ends of sentences, as fairseq counts them, of all pairs of a setting.",
        f"- Made by: `{how['command']}`, on {how['machine']}.",
        f"- Measured: the median of {how['updates'] - WARMUP} updates, those after the first {WARMUP}; in brackets the "
        f"slowest and the fastest. "
        f"{precision}batches of up to {how['max_tokens']:,} tokens, the file's --update-freq, "
        f"CPU threads: {how['threads']}.",
        "- Cores: processors that the training kept busy. On a CPU, fewer than its threads mean that other jobs had "
        "them, and that the hours are too many in proportion.",
        "- Words of an update: the average of the file's own --max-tokens and --update-freq, on as many sentences as a "
        f"shard of the text has, of the lengths of the stand-in; its translations have {made} subwords.",
        *sizes,
        "- Not counted: preparing the data, validating, saving, scoring.",
        "- Another device takes hours × (words/s here) / (words/s there); this command measures it there. N devices "
        "take at best 1/N of the time.",
    ]


def subwords_per_pair(data: Path) -> dict[str, float]:
    """Target subwords of a training pair, from the report of the data's preparation."""
    pairs = json.loads((data / "report.json").read_text(encoding="utf-8"))["pairs"]
    counts = {pair: found["encoded"]["train"][pair.split("-")[1]] for pair, found in pairs.items()}
    return {pair: count["tokens"] / count["lines"] for pair, count in counts.items()}


def run(arguments: argparse.Namespace) -> str:
    """Do all of it in the folder ``--output``; returns the table.

    Raises:
        ValueError: for numbers out of range, a file that is no experiment in translation, a folder that is in use, or a
            training that fails.
    """
    if arguments.updates <= WARMUP:
        raise ValueError(f"--updates must be at least {WARMUP + 1}, {WARMUP} are not measured; got {arguments.updates}")
    for name in ("pairs", "max_tokens", "threads"):
        if getattr(arguments, name) is not None and getattr(arguments, name) < 1:
            raise ValueError(f"--{name.replace('_', '-')} must be at least 1, got {getattr(arguments, name)}")
    experiment = load_translation(arguments.config)
    max_tokens = arguments.max_tokens or (None if torch.cuda.is_available() else CPU_TOKENS)
    tried = stand_in_experiment(experiment, arguments.updates, max_tokens, arguments.threads)
    plans = {cell: Plan.of(experiment, cell) for cell in tried.cells()}
    wanted = {word for cell in plans for word in experiment.train_arguments(cell)}
    if arguments.output.exists() and any(arguments.output.iterdir()):
        raise ValueError(f"--output {arguments.output}: is not empty; name a new folder")
    arguments.output.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(arguments.output):
        data = data_config(dict(experiment.data_config), Path("."), arguments.pairs)
        prepare(experiment_file.parse(data))
        estimates = [estimate(tried, cell, plan) for cell, plan in plans.items()]
        how = {
            "device": device_name(),
            "machine": machine(),
            "threads": tried.threads,
            "max_tokens": max_tokens or max(plan.max_tokens for plan in plans.values()),
            "left_out": [] if torch.cuda.is_available() else sorted(wanted & MIXED_PRECISION),
            "subwords_per_pair": subwords_per_pair(tried.data),
            "sizes": known_sizes(experiment.data_config),
            "updates": arguments.updates,
            "command": shlex.join(["python", "scripts/full_scale.py", *arguments.command]),
            "load": round(os.getloadavg()[0], 1),
            "torch": torch.__version__,
        }
        text = report(experiment, estimates, how)
        rows = [{**vars(one), "hours": one.hours} for one in estimates]
        write_json(Path("full_scale.json"), {"experiment": experiment.name, **how, "estimates": rows})
        write_text(Path("full_scale.md"), text)
    return text


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/full_scale.py --config configs/table8_wmt14.yaml --output runs/full_scale",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="a new folder for text, data, logs and the table"
    )
    parser.add_argument("--updates", type=int, default=6, metavar="N",
                        help="how many updates every model is trained for (default: %(default)s)")  # fmt: skip
    parser.add_argument("--pairs", type=int, default=40_000, metavar="N",
                        help="sentence pairs made up of every language pair (default: %(default)s)")  # fmt: skip
    parser.add_argument("--max-tokens", type=int, metavar="N",
                        help=f"of a batch, at most (default: {CPU_TOKENS} on a CPU, else as in the file)")  # fmt: skip
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: as in the file)")
    arguments = parser.parse_args(argv)
    arguments.command = sys.argv[1:] if argv is None else argv
    try:
        print(run(arguments), end="")
    except (OSError, ValueError) as error:
        print(f"full_scale.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # before fairseq logs everything
    sys.exit(main())

"""Command line: measure, print the ratios, write CSV. README.md has what is measured and how."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from benchmarks import verify
from benchmarks.config import DTYPES, SWEEPS, LayerConfig, parse_changes
from benchmarks.layers import MEASURES, SWEPT, TITLES, Contestants, Effort, Setting, layers_only
from benchmarks.memory import MemoryUnknown
from benchmarks.registry import NAIVE, OURS, RIVAL, Contestant, choose, contestants, running_backend
from benchmarks.results import Environment, Row, check_writable, table, write_csv
from rims_nlp.machine import cores

RESULTS = Path(__file__).with_name("results")
QUICK = Effort(rounds=7, passes=3, new_shapes=4)
SWEEP_ROUNDS, MODEL_ROUNDS = 7, 20
SWEEP_CONTESTANTS = (OURS, NAIVE, RIVAL, "nn.GRU")
EXAMPLES = """\
examples:
  python -m benchmarks.run --quick                     # the layer, in about a minute
  python -m benchmarks.run                             # the layer, with more rounds
  python -m benchmarks.run --sweep T K                 # growth in sequence length and in units
  python -m benchmarks.run --models --data runs/formal_small/data
  python -m benchmarks.run --all --authors-code ../RIMs --data runs/formal_small/data
  python -m benchmarks.run --set cell=gru batch=32 --contestants rim nn.GRU --measures forward step --output runs/gru
"""


def build_parser() -> argparse.ArgumentParser:
    """Declare the options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run",
        description="Measure RIMs beside their rivals, interleaved in one run.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parts = parser.add_argument_group("what (default: the layer)")
    parts.add_argument("--quick", action="store_true", help="the layer with few rounds, about a minute")
    parts.add_argument("--sweep", nargs="+", choices=[*SWEEPS, "all"], default=[], help="growth in one size")
    parts.add_argument("--models", action="store_true", help="whole models: training and beam search")
    parts.add_argument("--all", action="store_true", help="the layer, all sweeps and the models")
    parser.add_argument("--measures", nargs="+", choices=list(MEASURES), metavar="NAME",
                        help=f"of the layer: some of {', '.join(MEASURES)} (default: all)")  # fmt: skip
    parser.add_argument("--contestants", nargs="+", metavar="NAME", help="some of them only; the rivals always run")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="sizes of the layer, e.g. batch=32")
    parser.add_argument("--size", choices=("tiny", "small", "base"), default="small",
                        help="of the models (default: %(default)s)")  # fmt: skip
    parser.add_argument("--rounds", type=int, metavar="N", help="rounds of every timing (default: by what is measured)")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default: %(default)s)")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--dtype", choices=DTYPES, default="float32", help="of the layer (default: %(default)s)")
    parser.add_argument("--authors-code", type=Path, metavar="DIR", help="a checkout of the authors' published code")
    parser.add_argument("--data", type=Path, metavar="DIR",
                        help="binarised sentences for the models (default: the built-in grammar)")  # fmt: skip
    parser.add_argument("--output", type=Path, default=RESULTS, metavar="DIR",
                        help="where the CSV files go (default: benchmarks/results)")  # fmt: skip
    return parser


@dataclass(frozen=True)
class Part:
    """A piece of the work, which becomes one CSV file; a sweep where ``sweep`` is one, the models or the layer."""

    name: str
    sweep: str = ""


def parts(arguments: argparse.Namespace) -> list[Part]:
    """What the options ask for.

    Raises:
        ValueError: if they contradict each other, or a number is out of range.
    """
    if arguments.quick and (arguments.all or arguments.sweep or arguments.models):
        raise ValueError("--quick measures the layer only; leave out --sweep, --models and --all, or --quick")
    for option in ("rounds", "threads"):
        value = getattr(arguments, option)
        if value is not None and value < 1:
            raise ValueError(f"--{option} must be at least 1, got {value}")
    every = arguments.all
    sweeps = list(SWEEPS) if every or "all" in arguments.sweep else list(dict.fromkeys(arguments.sweep))
    chosen = [Part(f"sweep_{name}", name) for name in sweeps] + [Part("models")] * (every or arguments.models)
    if arguments.data is not None and Part("models") not in chosen:
        raise ValueError("--data gives sentences to the models; add --models or --all")
    if arguments.dtype != "float32" and Part("models") in chosen:
        raise ValueError(
            f"--dtype is the layer's, the models are float32; leave out --models or --dtype {arguments.dtype}"
        )
    layer = [Part("quick" if arguments.quick else "layer")]
    return layer + chosen if every or not chosen else chosen


class Runner:
    """Measures parts; remembers which implementations failed the verifier."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        base = LayerConfig(device=arguments.device, dtype=arguments.dtype)
        self.arguments, self.config = arguments, parse_changes(arguments.set, base)
        self.known = choose(arguments.contestants, contestants(arguments.authors_code), self.config)
        self.failures: dict[str, str] = {}

    def verified(self, known: Contestants, config: LayerConfig, todo: Iterable[verify.Case]) -> dict[str, Contestant]:
        """The contestants that can run a config and agree with the naive rung; of the others the reason is printed."""
        left_out = verify.unavailable(known.values(), config)
        for name, reason in left_out.items():
            print(f"{name} cannot run here: {reason}")
        able = {name: one for name, one in known.items() if name not in {**left_out, **self.failures}}
        found = verify.failed(verify.verify(able.values(), todo))
        for name, reason in found.items():
            print(f"{name} differs from {NAIVE}, nothing is reported of it: {reason}", file=sys.stderr)
        self.failures |= found
        return {name: one for name, one in able.items() if name not in found}

    def rounds(self, default: int) -> int:
        """``--rounds``, or the default."""
        return self.arguments.rounds or default

    def rows(self, part: Part) -> Iterator[Row]:
        """Measure a part; tables are printed as they come."""
        if part.sweep:
            yield from self.sweep(part)
        elif part.name == "models":
            yield from self.models()
        else:
            yield from self.layer(QUICK if part.name == "quick" else Effort())

    def layer(self, effort: Effort) -> Iterator[Row]:
        """All measures of the layer."""
        known = self.verified(self.known, self.config, verify.cases(self.config))
        names = ", ".join(name for name in known if verify.is_verified(known[name]))
        print(
            f"the same as {NAIVE}, values and gradients: {names}; rim runs on {running_backend(self.config)!r}",
            flush=True,
        )
        effort = replace(effort, rounds=self.rounds(effort.rounds))
        setting = Setting(self.config, effort, self.arguments.authors_code)
        for name in self.arguments.measures or MEASURES:
            yield from shown(TITLES[name], measured(name, known, setting))

    def sweep(self, part: Part) -> Iterator[Row]:
        """Time at each value of a sweep."""
        sweep, wanted = SWEEPS[part.sweep], self.arguments.contestants or SWEEP_CONTESTANTS
        chosen = {name: one for name, one in layers_only(self.known).items() if name in wanted or name == RIVAL}
        for config in sweep.configs(self.config):
            known = self.verified(chosen, config, verify.width_only(config))
            setting = Setting(config, Effort(rounds=self.rounds(SWEEP_ROUNDS)), self.arguments.authors_code)
            for name in self.arguments.measures or SWEPT:
                rows = measured(name, known, setting)
                title = f"{TITLES[name]}, {sweep.key} = {getattr(config, sweep.key)}"
                yield from shown(title, [replace(row, sweep=part.sweep) for row in rows])

    def models(self) -> Iterator[Row]:
        """Whole models."""
        from benchmarks import models  # fairseq takes seconds to import

        arguments = self.arguments
        plan = models.Plan(arguments.size, self.rounds(MODEL_ROUNDS), arguments.data, arguments.device)
        ours = {OURS: contestants()[OURS]}
        for config in models.layer_configs(plan):
            if not self.verified(ours, config, verify.width_only(config)):
                return
        rows = models.measure(plan)
        for name in ("training", "generation"):
            yield from shown(TITLES[name], [row for row in rows if row.what == name])


def measured(name: str, known: Contestants, setting: Setting) -> list[Row]:
    """The rows of a measure; none, and the reason on standard error, where the system does not tell the memory."""
    try:
        return MEASURES[name](known, setting)
    except MemoryUnknown as error:  # the other measures stand
        print(f"\n{TITLES[name]}: not measured: {error}", file=sys.stderr)
        return []


def shown(title: str, rows: list[Row]) -> list[Row]:
    """Print a table and hand the rows on."""
    if rows:
        print(f"\n{title}: median [quartiles], and ratio\n{table(rows)}", flush=True)
    return rows


def file_name(part: Part, config: LayerConfig) -> str:
    """Of a part's CSV; what departs from the CPU and float32 is in it."""
    usual = LayerConfig()
    unusual = [getattr(config, name) for name in ("device", "dtype") if getattr(config, name) != getattr(usual, name)]
    return "-".join([part.name, *unusual]).replace(":", "") + ".csv"


def main(argv: list[str] | None = None) -> int:
    """Command line; 1 if an implementation failed the verifier, 2 for wrong options or a measurement that failed."""
    arguments = build_parser().parse_args(argv)
    threads = torch.get_num_threads()
    try:
        todo = parts(arguments)
        check_writable(arguments.output)
        torch.set_num_threads(arguments.threads)
        runner = Runner(arguments)
        environment = Environment.here(runner.config)
        print(f"{environment.machine}; torch {environment.torch}, {environment.threads} threads; {runner.config}")
        if environment.load > cores() / 2:
            print(f"the machine is busy (load {environment.load}): times will be too long, and ratios may be off")
        for part in todo:
            path = arguments.output / file_name(part, runner.config)
            rows = list(runner.rows(part))
            if rows:
                write_csv(path, rows, environment)
                print(f"\nwrote {path}", flush=True)
    except (ValueError, RuntimeError) as error:
        print(f"benchmarks.run: error: {error}", file=sys.stderr)
        return 2
    finally:
        torch.set_num_threads(threads)
    return 1 if runner.failures else 0


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)  # before fairseq logs everything
    sys.exit(main())

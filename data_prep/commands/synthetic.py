"""``python -m data_prep synthetic``: the synthetic sequence tasks as data sets."""

import argparse
from dataclasses import fields
from pathlib import Path
from typing import Any

from data_prep.synthetic import memorisation, programs
from data_prep.synthetic.adding import Adding
from data_prep.synthetic.build import TASKS, Task, write
from data_prep.synthetic.copying import Copying
from data_prep.synthetic.strings import CURRICULA

HELP = "write a synthetic sequence task as a data set"
EXAMPLES = """\
examples:
  python -m data_prep synthetic copying --delay 50 --test-delay 50 200 --seed 1 --out runs/copying/data
  python -m data_prep synthetic adding --length 50 --test-length 50 200 --seed 1 --out runs/adding/data
  python -m data_prep synthetic nth_farthest --train 500000 --seed 1 --out runs/nth_farthest/data
  python -m data_prep synthetic programs --operations addition --length 5 --nesting 2 --seed 1 --out runs/programs/data
  python -m data_prep synthetic memorisation --operation reverse --length 10 --seed 1 --out runs/reverse/data

Copying, adding and N-th farthest are arrays for `--task sequence_prediction`; the other two are character strings for
`--task translation -s program -t answer` and `-s number -t answer`. facts.json has the chance level.
"""
_SUMMARIES = {
    "copying": "ten symbols, a dormant span, then the ten symbols from memory",
    "adding": "the sum of the two marked numbers in a long sequence",
    "nth_farthest": "the vector that is the n-th farthest from another one",
    "programs": "the value of a small program, character by character",
    "memorisation": "a number copied, reversed or doubled, character by character",
}
_SIZES = {
    "copying": (19_200, 2_000, 2_000),
    "adding": (30_000, 10_000, 20_000),
    "nth_farthest": (500_000, 10_000, 10_000),
    "programs": (500_000, 2_000, 12_800),
    "memorisation": (100_000, 2_000, 12_800),
}
"""Default numbers of sequences: training, validation, each test set."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the tasks and their options."""
    tasks = parser.add_subparsers(dest="task", metavar="TASK", required=True, help=", ".join(TASKS))
    parsers = {name: tasks.add_parser(name, help=summary, description=summary) for name, summary in _SUMMARIES.items()}
    _add_copying(parsers["copying"])
    _add_adding(parsers["adding"])
    _add_programs(parsers["programs"])
    _add_memorisation(parsers["memorisation"])
    for name, subparser in parsers.items():
        for split, size in zip(("train", "valid", "test"), _SIZES[name], strict=True):
            text = f"sequences of {'each test set' if split == 'test' else split} (default {size})"
            subparser.add_argument(f"--{split}", type=int, default=size, metavar="N", help=text)
        subparser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same data (default 1)")
        subparser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")
        subparser.add_argument("--overwrite", action="store_true", help="replace other data that lies there")


def _add_copying(parser: argparse.ArgumentParser) -> None:
    default = Copying()
    parser.add_argument(
        "--delay", type=int, default=default.delay, metavar="N", help="dormant steps, training and valid (default 50)"
    )
    parser.add_argument(
        "--test-delay", type=int, nargs="+", default=default.test_delay, metavar="N",
        help="dormant steps of each test set, named test50, test200 (default 50 200)",
    )  # fmt: skip
    parser.add_argument(
        "--train-on-all-steps", action="store_true", help="let the blank steps count too in training, as the authors do"
    )


def _add_adding(parser: argparse.ArgumentParser) -> None:
    default = Adding()
    parser.add_argument(
        "--length", type=int, default=default.length, metavar="N", help="steps, training and valid (default 50)"
    )
    parser.add_argument(
        "--test-length", type=int, nargs="+", default=default.test_length, metavar="N",
        help="steps of each test set, named test50, test200 (default 50 200)",
    )  # fmt: skip
    parser.add_argument(
        "--channels", type=int, default=default.channels, metavar="N",
        help="3: value and a mark channel for each number; 2: value and one mark channel (default 3)",
    )  # fmt: skip


def _add_programs(parser: argparse.ArgumentParser) -> None:
    default = programs.Programs()
    parser.add_argument(
        "--operations", choices=programs.OPERATIONS, default=default.operations, help="what occurs (default full)"
    )
    parser.add_argument("--length", type=int, default=default.length, metavar="N", help="digits (default 5)")
    parser.add_argument("--nesting", type=int, default=default.nesting, metavar="N", help="operations (default 2)")
    _add_curriculum(parser, "length and nesting")


def _add_memorisation(parser: argparse.ArgumentParser) -> None:
    default = memorisation.Memorisation()
    parser.add_argument(
        "--operation", choices=memorisation.OPERATIONS, default=default.operation, help="what to do (default copy)"
    )
    parser.add_argument("--length", type=int, default=default.length, metavar="N", help="digits (default 10)")
    _add_curriculum(parser, "length")


def _add_curriculum(parser: argparse.ArgumentParser, sizes: str) -> None:
    parser.add_argument(
        "--curriculum", choices=CURRICULA, default=CURRICULA[0],
        help=f"training sequences: mix draws {sizes} up to the maximum, none takes the maximum (default mix)",
    )  # fmt: skip


def make_task(args: argparse.Namespace) -> Task:
    """The task that the options describe.

    Raises:
        ValueError: see the task's class.
    """
    kind = TASKS[args.task]
    given = {field.name: getattr(args, field.name) for field in fields(kind)}
    options: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in given.items()
    }
    return kind(**options)


def run(args: argparse.Namespace, command: str) -> int:
    """Write the data; returns 0.

    Raises:
        ValueError: see the task's class and :func:`data_prep.synthetic.build.write`.
    """
    task = make_task(args)
    counts = {split: args.test if split.startswith("test") else getattr(args, split) for split in task.splits}
    write(task, args.out, counts=counts, seed=args.seed, command=command, overwrite=args.overwrite)
    return 0

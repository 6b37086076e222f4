"""``python -m data_prep prepare``: clean, cut into subwords and binarise parallel text."""

import argparse
from pathlib import Path

from data_prep.config import Config, override
from data_prep.datasets import find
from data_prep.experiment_file import load, parse
from data_prep.prepare import prepare
from data_prep.progress import start_log

HELP = "clean, cut into subwords and binarise parallel text, or binarise text for language models"
EXAMPLES = """\
examples:
  # everything a configuration asks for
  python -m data_prep prepare --config configs/demo.yaml
  python -m data_prep prepare --config configs/formal_small.yaml --corpora path/to/corpora --overwrite

  # data sets of the catalogue (python -m data_prep list), from local copies of their archives or downloaded
  python -m data_prep prepare --dataset wmt14.en-de wmt14.en-fr --downloads archives --vocab-size 32000 \\
      --out runs/wmt14/data
  python -m data_prep prepare --dataset wikitext-2 --out runs/wikitext-2/data

  # one language pair without a configuration
  python -m data_prep prepare --pair en-de --train-src train.en --train-tgt train.de \\
      --valid-src valid.en --valid-tgt valid.de --test in_domain news.en news.de --test transfer ted.en ted.de \\
      --vocab-size 8000 --out runs/mine/data
"""
_PLAIN_FILES = ("pair", "train_src", "train_tgt", "valid_src", "valid_tgt")
_OPTIONS = ("test", "dataset", "downloads", "vocab_size", "shards", "seed")
_SPLITS = {"train": "training", "valid": "validation"}
_SIDES = {"src": "source", "tgt": "target"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="experiment file with a 'data:' mapping")
    parser.add_argument("--corpora", type=Path, metavar="DIR", help="what {corpora}/ stands for in the configuration")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: from the configuration)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="processes (default: 1); the result does not depend on it"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the output folder")
    parser.add_argument("--quiet", action="store_true", help="show errors only, and a line a minute of long work")
    known = parser.add_argument_group("data sets of the catalogue, without --config")
    known.add_argument("--dataset", nargs="+", metavar="NAME", help="one for each language pair")
    known.add_argument(
        "--downloads", metavar="DIR", help="where their archives are, packed or unpacked, or go to (default: downloads)"
    )
    plain = parser.add_argument_group("own text, without --config")
    plain.add_argument("--pair", metavar="SRC-TGT", help="for example en-de")
    for split, split_name in _SPLITS.items():
        for side, side_name in _SIDES.items():
            plain.add_argument(f"--{split}-{side}", metavar="FILE", help=f"{split_name} text of the {side_name} side")
    plain.add_argument(
        "--test",
        nargs=3,
        action="append",
        metavar=("NAME", "SRC", "TGT"),
        help="a test set; may be given several times",
    )
    both = parser.add_argument_group("both of these")
    both.add_argument(
        "--vocab-size", type=int, metavar="N", help="pieces of the joint SentencePiece model (default: 8000)"
    )
    both.add_argument(
        "--shards", type=int, metavar="N", help="parts of the training text; fairseq reads one an epoch (default: 1)"
    )
    both.add_argument("--seed", type=int, metavar="N", help="of the SentencePiece model (default: 1)")


def run(args: argparse.Namespace, command: str) -> int:
    """Prepare the data; returns 0."""
    start_log(quiet=args.quiet)
    prepare(_configuration(args), command=command, overwrite=args.overwrite)
    return 0


def _configuration(args: argparse.Namespace) -> Config:
    """Make the configuration of the command line.

    Raises:
        ValueError: if options contradict each other or one is missing.
    """
    given = [name for name in (*_PLAIN_FILES, *_OPTIONS) if getattr(args, name) is not None]
    if args.config:
        if given:
            raise ValueError(
                f"--config and {_option(given[0])} contradict each other; put the value into the configuration"
            )
        return override(load(args.config, args.corpora, args.out), workers=args.workers)
    if args.dataset:
        unwanted = [name for name in (*_PLAIN_FILES, "test") if name in given]
        if unwanted:
            raise ValueError(f"--dataset and {_option(unwanted[0])} contradict each other; use --config for both")
    if not given:
        raise ValueError("what to prepare? Give --config, or --dataset, or --pair and its files; --help has examples")
    missing = [_option(name) for name in (() if args.dataset else _PLAIN_FILES) if name not in given]
    missing += [] if args.out else ["--out"]
    if missing:
        raise ValueError(f"without --config these options are missing: {', '.join(missing)}")
    text = _datasets(args.dataset, given) if args.dataset else {"pairs": {args.pair: _plain_pair(args)}}
    common: dict[str, object] = {
        name: getattr(args, name) for name in ("out", "downloads", "shards", "seed") if name in (*given, "out")
    }
    subword = {} if args.vocab_size is None else {"subword": {"vocab_size": args.vocab_size}}
    return override(parse({**text, **common, **subword}, args.corpora), workers=args.workers)


def _datasets(names: list[str], given: list[str]) -> dict[str, object]:
    """Say in the words of the configuration: all of these data sets."""
    datasets = [find(name) for name in names]
    if not all(dataset.pair for dataset in datasets):
        if len(datasets) > 1:
            raise ValueError(f"--dataset: expected one for text of one language, got {', '.join(names)}")
        for name in ("vocab_size", "shards", "seed"):
            if name in given:
                raise ValueError(f"{_option(name)} has no meaning for {names[0]}: its words are the dictionary")
        return {"text": {"dataset": names[0]}}
    if len({dataset.pair for dataset in datasets}) < len(datasets):
        raise ValueError("--dataset: expected one for each language pair; use --config to mix several in one")
    return {"pairs": {dataset.pair: {"dataset": dataset.name} for dataset in datasets}}


def _plain_pair(args: argparse.Namespace) -> dict[str, object]:
    """Say in the words of the configuration what the options for one pair say."""
    tests = {name: {"src": src, "tgt": tgt} for name, src, tgt in args.test or []}
    if len(tests) < len(args.test or []):
        raise ValueError("--test: a name is given twice")
    return {
        "train": [{"src": args.train_src, "tgt": args.train_tgt}],
        "valid": {"src": args.valid_src, "tgt": args.valid_tgt},
        "tests": tests,
    }


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"

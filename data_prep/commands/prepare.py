"""``python -m data_prep prepare``: clean, cut into subwords and binarise parallel text."""

import argparse
import logging
import sys
from pathlib import Path

from data_prep.config import DataConfig, load, override, parse
from data_prep.prepare import prepare

HELP = "clean, cut into subwords and binarise parallel text"
EXAMPLES = """\
examples:
  # everything a configuration asks for
  python -m data_prep prepare --config configs/demo.yaml
  python -m data_prep prepare --config configs/formal_small.yaml --corpora path/to/corpora --overwrite

  # one language pair without a configuration
  python -m data_prep prepare --pair en-de --train-src train.en --train-tgt train.de \\
      --valid-src valid.en --valid-tgt valid.de --test in_domain news.en news.de --test transfer ted.en ted.de \\
      --vocab-size 8000 --out runs/mine/data
"""
_PLAIN_FILES = ("train_src", "train_tgt", "valid_src", "valid_tgt", "out")
_SPLITS = {"train": "training", "valid": "validation"}
_SIDES = {"src": "source", "tgt": "target"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--config", type=Path, metavar="YAML", help="experiment file with a 'data:' mapping")
    parser.add_argument("--corpora", type=Path, metavar="DIR", help="what {corpora}/ stands for in the configuration")
    parser.add_argument("--out", type=Path, metavar="DIR", help="output folder (default: from the configuration)")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; the result does not depend on it")
    parser.add_argument("--overwrite", action="store_true", help="replace what is in the output folder")
    parser.add_argument("--quiet", action="store_true", help="show errors only")
    plain = parser.add_argument_group("without --config")
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
    plain.add_argument("--vocab-size", type=int, metavar="N", help="pieces of the joint SentencePiece model")
    plain.add_argument("--seed", type=int, metavar="N", help="of the SentencePiece model")


def run(args: argparse.Namespace, command: str) -> int:
    """Prepare the data; returns 0."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    logging.getLogger("data_prep").setLevel(logging.ERROR if args.quiet else logging.INFO)
    prepare(_configuration(args), command=command, overwrite=args.overwrite)
    return 0


def _configuration(args: argparse.Namespace) -> DataConfig:
    """Make the configuration of the command line.

    Raises:
        ValueError: if options contradict each other or one is missing.
    """
    plain = {name: getattr(args, name) for name in ("pair", *_PLAIN_FILES[:-1], "test", "vocab_size", "seed")}
    if args.config:
        given = [_option(name) for name, value in plain.items() if value is not None]
        if given:
            raise ValueError(f"--config and {given[0]} contradict each other; put the value into the configuration")
        return override(load(args.config, args.corpora), out=args.out, workers=args.workers)
    missing = [_option(name) for name in ("pair", *_PLAIN_FILES) if getattr(args, name) is None]
    if missing:
        raise ValueError(f"without --config these options are missing: {', '.join(missing)}")
    return override(parse(_plain_mapping(args), args.corpora), workers=args.workers)


def _plain_mapping(args: argparse.Namespace) -> dict[str, object]:
    """Say in the words of the configuration what the options for one pair say."""
    tests = {name: {"src": src, "tgt": tgt} for name, src, tgt in args.test or []}
    if len(tests) < len(args.test or []):
        raise ValueError("--test: a name is given twice")
    pair = {
        "train": [{"src": args.train_src, "tgt": args.train_tgt}],
        "valid": {"src": args.valid_src, "tgt": args.valid_tgt},
        "tests": tests,
    }
    return {
        "out": args.out,
        "pairs": {args.pair: pair},
        "subword": {} if args.vocab_size is None else {"vocab_size": args.vocab_size},
        **({} if args.seed is None else {"seed": args.seed}),
    }


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"

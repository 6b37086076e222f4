"""``python -m data_prep grammar``: parallel text from the embedded grammar."""

import argparse
from pathlib import Path

from data_prep.grammar.corpus import domains, write_corpus

HELP = "write parallel text from the embedded grammar"
EXAMPLES = """\
examples:
  python -m data_prep grammar --domain chamber --pairs 20000 --seed 1 --out runs/demo/text/chamber
  python -m data_prep grammar --domain talk --pairs 0 --valid-pairs 0 --seed 2 --out runs/demo/text/talk
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--domain", choices=domains(), required=True, help="the register: formal or spoken")
    parser.add_argument("--pairs", type=int, default=20000, metavar="N", help="training sentences (default 20000)")
    parser.add_argument("--valid-pairs", type=int, default=500, metavar="N", help="validation sentences (default 500)")
    parser.add_argument("--test-pairs", type=int, default=500, metavar="N", help="test sentences (default 500)")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="same seed, same text (default 1)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write to")


def run(args: argparse.Namespace, command: str) -> int:
    """Write the corpus; returns 0.

    Raises:
        ValueError: see :func:`data_prep.grammar.corpus.write_corpus`.
    """
    write_corpus(
        args.out,
        domain=args.domain,
        pairs=args.pairs,
        valid_pairs=args.valid_pairs,
        test_pairs=args.test_pairs,
        seed=args.seed,
    )
    return 0

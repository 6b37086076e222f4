"""The options that say which model translates and how, the same in every script."""

from __future__ import annotations

import argparse
from typing import Any

from fairseq_plugins.inference import Translator, load_translator


def add_model_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and what belongs to it."""
    parser.add_argument("--model", required=True, metavar="DIR", help="model directory")
    parser.add_argument("--target-lang", metavar="LANG", help="for a model of several pairs (default: the scored one)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="lines at once (default: 64)")
    parser.add_argument("--checkpoint", default="checkpoint_best.pt", metavar="NAME", help="default: %(default)s")
    add_search_options(parser)


def add_search_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the beam search."""
    parser.add_argument("--beam", type=int, default=5, metavar="N", help="hypotheses kept in the search (default: 5)")
    parser.add_argument("--max-len-a", type=float, default=2.0, metavar="A",
                        help="a translation has at most A tokens for each one of the source, and B more "
                        "(default: 2.0)")  # fmt: skip
    parser.add_argument("--max-len-b", type=int, default=20, metavar="B", help="see --max-len-a (default: 20)")


def search_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the options of the search, and ``--batch-size``, say, as a translator takes it."""
    return {name: getattr(arguments, name) for name in ("beam", "batch_size", "max_len_a", "max_len_b")}


def load_model(arguments: argparse.Namespace) -> Translator:
    """Load what the options name.

    Raises:
        ValueError: if it cannot be loaded or cannot translate this.
    """
    return load_translator(
        arguments.model,
        target_lang=arguments.target_lang,
        checkpoint=arguments.checkpoint,
        **search_options(arguments),
    )

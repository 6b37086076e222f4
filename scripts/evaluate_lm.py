"""Perplexity of a language model: of a whole text, by the unroll length, and by the frequency of the word.

Every token but the first is scored, the ends of lines included. A recurrent model reads the text in one piece;
``--unroll 10 50 all`` also starts it anew after 10 and after 50 tokens, without handing over its state. A Transformer
reads blocks of the length that it was trained on, or of what --unroll says, each from its own start.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import sys
import warnings
from pathlib import Path
from typing import Any

from files import write_json, write_text

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")  # of fairseq's Transformer

from fairseq_plugins import perplexity  # noqa: E402
from fairseq_plugins.scoring import read_lines  # noqa: E402

ALL, NONE = "all", "none"


def evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything that the command reports.

    Raises:
        ValueError: if something is missing, nothing is left to score, or the model cannot do what is asked.
    """
    model, task = perplexity.load_language_model(arguments.model, arguments.data)
    folder, dictionary = task.args.data, task.dictionary
    if arguments.text is None:
        tokens = perplexity.split_tokens(folder, arguments.split, dictionary)
    else:
        tokens = perplexity.text_tokens(read_lines(arguments.text), dictionary)
    limit = perplexity.longest_unroll(model)
    unrolls = sorted(set(arguments.unroll or [limit or ALL]), key=lambda unroll: (unroll == ALL, unroll))
    losses = {unroll: perplexity.token_losses(model, tokens, None if unroll == ALL else unroll) for unroll in unrolls}
    targets, longest = tokens[1:], unrolls[-1]
    found = arguments.subwords or perplexity.find_subwords(dictionary)
    subwords = None if found == NONE else found
    scores = {unroll: perplexity.total(loss, targets, dictionary, subwords) for unroll, loss in losses.items()}
    counts = perplexity.training_counts(folder, dictionary)
    frequencies = [] if counts is None else perplexity.by_frequency(losses[longest], targets, counts)
    return {
        "model": arguments.model,
        "text": arguments.text or f"{folder}/{arguments.split}",
        "tokens_scored": scores[longest].tokens,
        "words_scored": scores[longest].words,
        "subwords": subwords,
        "unknown_share": round(float((targets == dictionary.unk()).float().mean()), 6),
        "unroll": longest,
        **_figures(scores[longest]),
        "by_unroll": [{"unroll": unroll, **_figures(score)} for unroll, score in scores.items()],
        "by_training_frequency": [
            {"count": name, "tokens": score.tokens if score else 0, "perplexity": score and round(score.per_token, 4)}
            for name, score in frequencies
        ],
        "versions": {name: importlib.metadata.version(name) for name in ("torch", "fairseq-fixed")},
    }


def _figures(score: perplexity.Score) -> dict[str, float]:
    return {
        "loss_nats_per_token": round(score.loss / score.tokens, 6),
        "perplexity_per_token": round(score.per_token, 4),
        "perplexity_per_word": round(score.per_word, 4),
    }


def to_markdown(result: dict[str, Any]) -> str:
    """The tables."""
    words = "every token is a word"
    if result["subwords"]:
        words = f"they make up {result['words_scored']:,} words ({result['subwords']})"
    lines = [
        f"{result['text']}: {result['tokens_scored']:,} tokens scored, {result['unknown_share']:.1%} of them unknown; "
        f"{words}",
        "",
        "| unroll length, tokens | perplexity per word | perplexity per token |",
        "|---:|---:|---:|",
    ]
    for row in result["by_unroll"]:
        lines.append(f"| {row['unroll']} | {row['perplexity_per_word']:.2f} | {row['perplexity_per_token']:.2f} |")
    if result["by_training_frequency"]:
        lines += ["", "| occurrences in training | tokens | perplexity |", "|---|---:|---:|"]
    for row in result["by_training_frequency"]:
        shown = "none" if row["perplexity"] is None else f"{row['perplexity']:.2f}"
        lines.append(f"| {row['count']} | {row['tokens']:,} | {shown} |")
    return "\n".join(lines) + "\n"


def unroll_length(text: str) -> int | str:
    """A number of tokens, or ``all``."""
    if text == ALL:
        return ALL
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a number of tokens, at least 1, or {ALL!r}, got {text!r}")
    return int(text)


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/evaluate_lm.py --model checkpoints/checkpoint_best.pt \\\n"
        "    --data runs/wikitext-2/data --unroll 10 20 50 100 all --output runs/wikitext-2/rims",
    )
    parser.add_argument("--model", required=True, metavar="PATH", help="checkpoint, or model directory")
    parser.add_argument("--data", metavar="DIR", help="folder of the binarised text (default: what it trained on)")
    parser.add_argument("--split", default="test", help="split of the folder (default: %(default)s)")
    parser.add_argument("--text", metavar="FILE", help="score this text, tokenised as for training, and not a split")
    parser.add_argument("--unroll", nargs="+", type=unroll_length, metavar="N", help="start anew every N tokens, or "
                        "'all' (default: all; for a Transformer, as many as it takes)")  # fmt: skip
    parser.add_argument("--subwords", choices=(NONE, *perplexity.SUBWORDS), help="how words were divided, for the "
                        "perplexity per word (default: as the dictionary shows)")  # fmt: skip
    parser.add_argument("--output", metavar="PREFIX", help="also write PREFIX.json and PREFIX.md")
    arguments = parser.parse_args(argv)
    try:
        result = evaluate(arguments)
        if arguments.output is not None:
            write_json(Path(f"{arguments.output}.json"), result)
            write_text(Path(f"{arguments.output}.md"), to_markdown(result))
    except ValueError as error:
        print(f"evaluate_lm.py: {error}", file=sys.stderr)
        return 1
    print(to_markdown(result), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())

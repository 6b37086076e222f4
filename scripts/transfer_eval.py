"""Score one trained model directory on one test set: source and reference text in; hypotheses and scores out."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from pathlib import Path
from typing import Any

from files import sha256, write_json, write_text
from source_text import open_source, read_segments

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from model_options import add_model_options, load_model  # noqa: E402

from fairseq_plugins.scoring import check_line_counts, read_lines, score  # noqa: E402


def evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Translate and score; writes ``OUTPUT.hyp`` and then ``OUTPUT.json``, whose content is returned.

    Raises:
        ValueError: if the texts are missing or not aligned, or the model cannot translate this.
    """
    with open_source(arguments.source) as stream:
        sources = list(read_segments(stream, arguments.source))
    references = read_lines(arguments.reference)
    check_line_counts(sources, references, arguments.source, arguments.reference)
    translator = load_model(arguments)
    start = time.perf_counter()
    hypotheses = translator.translate(sources)
    seconds = time.perf_counter() - start
    output = Path(arguments.output)
    hypothesis_file = Path(f"{output}.hyp")
    write_text(hypothesis_file, "".join(line + "\n" for line in hypotheses))
    # What will be compared later is the file, so the file is what is counted and scored.
    written = read_lines(hypothesis_file)
    check_line_counts(written, references, hypothesis_file, arguments.reference)
    result = {
        **score(written, references),
        "lines": len(references),
        "pair": "-".join(translator.pair),
        "model": str(arguments.model),
        "checkpoint": arguments.checkpoint,
        "checkpoint_sha256": sha256(Path(arguments.model) / arguments.checkpoint),
        "beam": arguments.beam,
        "max_len_a": arguments.max_len_a,
        "max_len_b": arguments.max_len_b,
        "seconds": round(seconds, 3),
        "source": str(arguments.source),
        "source_sha256": sha256(Path(arguments.source)),
        "reference": str(arguments.reference),
        "reference_sha256": sha256(Path(arguments.reference)),
    }
    write_json(Path(f"{output}.json"), result)
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/transfer_eval.py --model runs/demo/models/rims.single.seed1 \\\n"
        "    --source talks.en --reference talks.de --output runs/talks",
    )
    parser.add_argument("--source", required=True, metavar="FILE", help="plain source text, one segment a line")
    parser.add_argument("--reference", required=True, metavar="FILE", help="plain reference text, aligned with it")
    parser.add_argument("--output", required=True, metavar="PREFIX", help="write PREFIX.hyp and PREFIX.json")
    add_model_options(parser)
    try:
        result = evaluate(parser.parse_args(argv))
    except ValueError as error:
        print(f"transfer_eval.py: {error}", file=sys.stderr)
        return 1
    for metric, name in (("bleu", "BLEU"), ("chrf", "chrF")):
        print(f"{name} {result[metric]:.2f}  {result[metric + '_signature']}")
    print(f"length {result['length_ratio']:.2f} of the reference's")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Score one trained model directory on one test set: source and reference text in; hypotheses and scores out."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from fairseq_plugins.inference import load_translator  # noqa: E402
from fairseq_plugins.scoring import check_line_counts, read_lines, score  # noqa: E402


def write_text(path: Path, text: str) -> None:
    """Write a file that is either there in full or not at all."""
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)


def evaluate(arguments: argparse.Namespace) -> dict[str, Any]:
    """Translate and score; writes ``OUTPUT.hyp`` and then ``OUTPUT.json``, whose content is returned.

    Raises:
        ValueError: if the texts are missing or not aligned, or the model cannot translate this.
    """
    sources, references = read_lines(arguments.source), read_lines(arguments.reference)
    check_line_counts(sources, references, arguments.source, arguments.reference)
    translator = load_translator(
        arguments.model,
        target_lang=arguments.target_lang,
        beam=arguments.beam,
        batch_size=arguments.batch_size,
        checkpoint=arguments.checkpoint,
    )
    start = time.perf_counter()
    hypotheses = translator.translate(sources)
    seconds = time.perf_counter() - start
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
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
        "beam": arguments.beam,
        "seconds": round(seconds, 1),
        "source": str(arguments.source),
        "source_sha256": hashlib.sha256(Path(arguments.source).read_bytes()).hexdigest(),
        "reference": str(arguments.reference),
        "reference_sha256": hashlib.sha256(Path(arguments.reference).read_bytes()).hexdigest(),
    }
    write_text(Path(f"{output}.json"), json.dumps(result, indent=1) + "\n")
    return result


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/transfer_eval.py --model runs/demo/models/rims.single.seed1 \\\n"
        "    --source talks.en --reference talks.de --output runs/talks",
    )
    parser.add_argument("--model", required=True, metavar="DIR", help="model directory")
    parser.add_argument("--source", required=True, metavar="FILE", help="plain source text, one segment a line")
    parser.add_argument("--reference", required=True, metavar="FILE", help="plain reference text, aligned with it")
    parser.add_argument("--output", required=True, metavar="PREFIX", help="write PREFIX.hyp and PREFIX.json")
    parser.add_argument("--target-lang", metavar="LANG", help="for a model of several pairs (default: the scored one)")
    parser.add_argument("--beam", type=int, default=5, metavar="N", help="hypotheses kept in the search (default: 5)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="lines at once (default: 64)")
    parser.add_argument("--checkpoint", default="checkpoint_best.pt", metavar="NAME", help="default: %(default)s")
    try:
        result = evaluate(parser.parse_args(argv))
    except ValueError as error:
        print(f"transfer_eval.py: {error}", file=sys.stderr)
        return 1
    for metric, name in (("bleu", "BLEU"), ("chrf", "chrF")):
        print(f"{name} {result[metric]:.2f}  {result[metric + '_signature']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Translate plain text, one segment a line, with a trained model directory; needs no other file."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from files import written_whole
from source_text import open_source, read_segments

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from model_options import add_model_options, load_model  # noqa: E402

from fairseq_plugins.inference import Translator  # noqa: E402


def translate_stream(translator: Translator, segments: Iterator[str], output: BinaryIO, block: int) -> None:
    """Translate in blocks of lines, so that any amount of text can pass through."""
    while lines := list(itertools.islice(segments, block)):
        output.write("".join(line + "\n" for line in translator.translate(lines)).encode("utf-8"))
        output.flush()


@contextlib.contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """Standard output for ``-``, else a file that appears once it is complete."""
    if name == "-":
        yield sys.stdout.buffer
        return
    with written_whole(Path(name)) as temporary, open(temporary, "wb") as stream:
        yield stream


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="examples:\n"
        "  python scripts/translate.py --model runs/demo/models/rims.single.seed1 letter.en --output letter.de\n"
        '  echo "the report is ready ." | python scripts/translate.py --model runs/demo/models/rims.multitask.seed1 '
        "--target-lang fr",
    )
    parser.add_argument("input", nargs="?", default="-", metavar="FILE", help="source text (default: standard input)")
    parser.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    add_model_options(parser)
    arguments = parser.parse_args(argv)
    try:
        with open_source(arguments.input) as source, open_output(arguments.output) as target:
            segments = read_segments(source, arguments.input)
            translate_stream(load_model(arguments), segments, target, 20 * arguments.batch_size)
    except ValueError as error:
        print(f"translate.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

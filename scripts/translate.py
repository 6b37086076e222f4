"""Translate plain text, one segment a line, with a trained model directory; needs no other file."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from fairseq_plugins.inference import Translator, load_translator  # noqa: E402


def read_segments(stream: Iterable[bytes], name: str) -> Iterator[str]:
    """The lines of a stream without their ends.

    Raises:
        ValueError: at a line that is not UTF-8.
    """
    for number, line in enumerate(stream, 1):
        try:
            yield line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError as error:
            raise ValueError(f"{name}: line {number} is not UTF-8 text ({error.reason})") from None


def translate_stream(translator: Translator, segments: Iterator[str], output: BinaryIO, block: int) -> None:
    """Translate in blocks of lines, so that any amount of text can pass through."""
    while lines := list(itertools.islice(segments, block)):
        output.write("".join(line + "\n" for line in translator.translate(lines)).encode("utf-8"))
        output.flush()


@contextlib.contextmanager
def open_input(name: str) -> Iterator[BinaryIO]:
    """Standard input for ``-``, else the file.

    Raises:
        ValueError: if it cannot be opened.
    """
    if name == "-":
        yield sys.stdin.buffer
        return
    try:
        stream = open(name, "rb")  # noqa: SIM115  closed below, and only errors of opening are caught
    except OSError as error:
        raise ValueError(f"{name}: cannot be read ({error.strerror})") from None
    with stream:
        yield stream


@contextlib.contextmanager
def open_output(name: str) -> Iterator[BinaryIO]:
    """Standard output for ``-``, else a file that appears once it is complete."""
    if name == "-":
        yield sys.stdout.buffer
        return
    temporary = Path(f"{name}.tmp-{os.getpid()}")
    try:
        with open(temporary, "wb") as stream:
            yield stream
        temporary.replace(name)
    finally:
        temporary.unlink(missing_ok=True)


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
    parser.add_argument("--model", required=True, metavar="DIR", help="model directory")
    parser.add_argument("--output", default="-", metavar="FILE", help="default: standard output")
    parser.add_argument("--target-lang", metavar="LANG", help="for a model of several pairs (default: the scored one)")
    parser.add_argument("--beam", type=int, default=5, metavar="N", help="hypotheses kept in the search (default: 5)")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="lines at once (default: 64)")
    parser.add_argument("--checkpoint", default="checkpoint_best.pt", metavar="NAME", help="default: %(default)s")
    arguments = parser.parse_args(argv)
    try:
        with open_input(arguments.input) as source, open_output(arguments.output) as target:
            translator = load_translator(
                arguments.model,
                target_lang=arguments.target_lang,
                beam=arguments.beam,
                batch_size=arguments.batch_size,
                checkpoint=arguments.checkpoint,
            )
            translate_stream(translator, read_segments(source, arguments.input), target, 20 * arguments.batch_size)
    except ValueError as error:
        print(f"translate.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""``python -m data_prep extract``: plain aligned text from the files that organisers ship."""

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TextIO

from data_prep.formats import FORMATS, PairSource, read_pairs
from data_prep.streams import split

HELP = "write parallel text of any format as two plain files"
EXAMPLES = """\
examples:
  python -m data_prep extract de-en.tgz::de-en/IWSLT14.TED.tst2010.de-en.en.xml \\
      de-en.tgz::de-en/IWSLT14.TED.tst2010.de-en.de.xml --src en --tgt de --out text/tst2010
  python -m data_prep extract newstest2021.en-de.all.xml --src en --tgt de --reference A --out text/newstest2021
  python -m data_prep extract europarl-v10.de-en.tsv.gz --src en --tgt de --out text/europarl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="PATH or ARCHIVE::MEMBER: one with both sides, or two")
    parser.add_argument("--src", required=True, metavar="LANG", help="source language, for example en")
    parser.add_argument("--tgt", required=True, metavar="LANG", help="target language")
    parser.add_argument("--out", required=True, type=Path, metavar="PREFIX", help="writes PREFIX.SRC and PREFIX.TGT")
    parser.add_argument("--format", choices=sorted(FORMATS), help="default: by the names of the files")
    parser.add_argument("--columns", metavar="SRC,TGT", help="names or numbers from 1, of formats with columns")
    parser.add_argument("--reference", metavar="NAME", help="the translation to take where there are several")


def run(args: argparse.Namespace, command: str) -> int:
    """Write the two files and print the number of segments; returns 0.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if an option or an input is not understood, or an input would be overwritten.
    """
    source = PairSource(tuple(args.files), args.format, _columns(args.columns), args.reference)
    if args.src == args.tgt:
        raise ValueError(f"--src and --tgt: expected two languages, got {args.src} for both")
    outputs = [args.out.with_name(f"{args.out.name}.{lang}") for lang in (args.src, args.tgt)]
    _spare_inputs(source, outputs)
    count = 0
    with _writing(outputs) as files:
        for pair in read_pairs(source, args.src, args.tgt):
            count += 1
            for file, segment in zip(files, pair, strict=True):
                file.write(" ".join(segment.split()) + "\n")
        if not count:
            raise ValueError(f"{', '.join(args.files)}: no segments")
    print(f"{count} segments: {outputs[0]}, {outputs[1]}")
    return 0


def _columns(option: str | None) -> tuple[str, str] | None:
    if option is None:
        return None
    names = tuple(option.split(","))
    if len(names) != 2 or not all(names):
        raise ValueError(f"--columns: expected two names or numbers with a comma between them, got {option!r}")
    return names[0], names[1]


def _spare_inputs(source: PairSource, outputs: list[Path]) -> None:
    for location in source.files:
        given = Path(location) if Path(location).is_dir() else split(location)[0]
        for output in outputs:
            if output.exists() and output.samefile(given):
                raise ValueError(f"{output}: would be overwritten, but it is an input; choose another --out")


@contextmanager
def _writing(outputs: list[Path]) -> Iterator[list[TextIO]]:
    """Give temporary files that take their names when the block ends without an error; otherwise nothing changes."""
    temporary = [output.with_name(f"{output.name}.tmp-{os.getpid()}") for output in outputs]
    outputs[0].parent.mkdir(parents=True, exist_ok=True)
    try:
        with ExitStack() as stack:
            yield [stack.enter_context(open(path, "w", encoding="utf-8", newline="\n")) for path in temporary]
        for path, output in zip(temporary, outputs, strict=True):
            os.replace(path, output)
    finally:
        for path in temporary:
            path.unlink(missing_ok=True)

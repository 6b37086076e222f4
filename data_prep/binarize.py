"""Calling ``fairseq-preprocess``, and checking that it kept every line."""

import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

_INDEX_HEADER = struct.Struct("<9sQBQ")  # magic, version, element type, number of segments
_INDEX_MAGIC = b"MMIDIDX\x00\x00"


def preprocess(folder: Path, pair: str, dictionary: str, *, tests: Sequence[str], encoded: str, workers: int) -> None:
    """Binarise one language pair inside ``folder``.

    Runs in that folder with relative paths, so that no character in its name can matter to fairseq.

    Args:
        folder: where the data goes.
        pair: for example ``en-de``.
        dictionary: the dictionary of both languages, relative to ``folder``.
        tests: names of the test sets; the first becomes ``test``, the next ``test1``, and so on.
        encoded: sub-folder of ``folder`` with ``train.<pair>.<lang>``, ``valid...`` and ``<test name>...``.
        workers: number of processes.

    Raises:
        RuntimeError: if fairseq fails; the message carries its output.
    """
    source, target = pair.split("-")
    options = {
        "--source-lang": source,
        "--target-lang": target,
        "--trainpref": f"{encoded}/train.{pair}",
        "--validpref": f"{encoded}/valid.{pair}",
        "--srcdict": dictionary,
        "--tgtdict": dictionary,
        "--destdir": ".",
        "--workers": str(workers),
    }
    if tests:
        options["--testpref"] = ",".join(f"{encoded}/test-{name}.{pair}" for name in tests)
    command = [sys.executable, "-m", "fairseq_cli.preprocess", *(word for option in options.items() for word in option)]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(
            f"fairseq-preprocess failed for {pair} with exit status {done.returncode}:\n"
            f"{' '.join(command)}\n{done.stdout}{done.stderr}".rstrip()
        )
    (folder / "preprocess.log").unlink(missing_ok=True)


def count_segments(index: Path) -> int:
    """Read from an ``.idx`` file how many segments the data holds.

    Raises:
        RuntimeError: if the file is missing or is not an index.
    """
    try:
        header = index.read_bytes()[: _INDEX_HEADER.size]
    except FileNotFoundError as error:
        raise RuntimeError(f"{index.name}: fairseq-preprocess did not write it") from error
    if len(header) < _INDEX_HEADER.size or not header.startswith(_INDEX_MAGIC):
        raise RuntimeError(f"{index.name}: not an index of fairseq's mmap format, got {header[:9]!r}")
    return int(_INDEX_HEADER.unpack(header)[3])


def check_segments(folder: Path, split: str, pair: str, expected: int) -> None:
    """Check that both sides of a binarised split hold ``expected`` segments.

    Raises:
        RuntimeError: if they do not.
    """
    for lang in pair.split("-"):
        found = count_segments(folder / f"{split}.{pair}.{lang}.idx")
        if found != expected:
            raise RuntimeError(f"{split}.{pair}.{lang}: the text has {expected} lines, the binarised data {found}")

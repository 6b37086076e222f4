"""Binarised text of one language, word by word, for language models.

The text is taken as it is, a token between every two spaces, as WikiText is meant to be. The dictionary holds the words
of the training text; ``<unk>`` in the text is fairseq's unknown symbol.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from data_prep import indexed, signature
from data_prep.config import MonolingualConfig
from data_prep.folder import Workplace, written_whole
from data_prep.text import read_lines

SPLITS = ("train", "valid", "test")


def build(config: MonolingualConfig, place: Workplace) -> None:
    """Make ``train``, ``valid``, ``test``, ``dict.txt`` and ``report.json``.

    Raises:
        ValueError: if a text is empty.
        RuntimeError: if ``fairseq-preprocess`` fails or loses a line.
    """
    lines = {split: _write_text(getattr(config, split), place.work / split) for split in SPLITS}
    _preprocess(place, config.workers)
    report = {}
    for split in SPLITS:
        data = indexed.read(place.result / split)
        if len(data) != lines[split]:
            raise RuntimeError(f"{split}: the text has {lines[split]} lines, the binarised data {len(data)}")
        report[split] = {"lines": len(data), "tokens": int(data.sizes.sum()) - len(data)}
    signature.write_json(place.result / "report.json", {"text": report})


def _write_text(location: str, path: Path) -> int:
    """Write the lines of a text as fairseq will count them; returns how many."""
    count = 0
    with written_whole(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        for count, line in enumerate(read_lines(location), start=1):  # noqa: B007
            file.write(line + "\n")
    if not count:
        raise ValueError(f"{location}: the text is empty; expected one segment a line")
    return count


def _preprocess(place: Workplace, workers: int) -> None:
    """Run ``fairseq-preprocess`` in the work folder with plain names, so that no character of a path matters to it."""
    options = {f"--{split}pref": split for split in SPLITS}
    folder = place.work / f"binarised-{os.getpid()}"  # a killed run's fairseq may still be writing to another
    for left in place.work.glob("binarised-*"):
        shutil.rmtree(left, ignore_errors=True)
    options |= {"--destdir": folder.name, "--workers": str(workers)}
    command = [sys.executable, "-m", "fairseq_cli.preprocess", "--only-source"]
    command += [word for option in options.items() for word in option]
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    done = subprocess.run(command, cwd=place.work, env=environment, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise RuntimeError(
            f"fairseq-preprocess failed with exit status {done.returncode}:\n{done.stdout}{done.stderr}".rstrip()
        )
    for name in ("dict.txt", *(f"{split}.{kind}" for split in SPLITS for kind in ("bin", "idx"))):
        (folder / name).rename(place.result / name)

"""Toy parallel data and in-process fairseq commands for the plugin's tests."""

from __future__ import annotations

import contextlib
import importlib
import io
import random
import sys
from pathlib import Path
from unittest import mock

PAIRS = ("en-de", "en-fr")
USER_DIR = str(Path(__file__).resolve().parents[2] / "fairseq_plugins")
WORDS = [f"w{i}" for i in range(20)]


def sentences(count: int, seed: int) -> list[str]:
    """``count`` random sentences of 2 to 8 of twenty words."""
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(2, 8))) for _ in range(count)]


def translate(line: str, language: str) -> str:
    """A word-for-word toy language: German copies the words, French reverses them."""
    words = line.split()
    return " ".join(words if language == "de" else words[::-1])


def run_fairseq(command: str, *argv: str) -> str:
    """Run ``fairseq-<command>`` in this process and return what it printed on standard output."""
    module = importlib.import_module("fairseq_cli." + command.replace("-", "_"))
    output = io.StringIO()
    arguments = [f"fairseq-{command}", *(str(argument) for argument in argv)]
    with mock.patch.object(sys, "argv", arguments), contextlib.redirect_stdout(output):
        module.cli_main()
    return output.getvalue()


Count = int | dict[str, int]


def binarise(root: Path, *, train: Count = 200, valid: Count = 20, test: Count = 197) -> Path:
    """Write toy en-de and en-fr text below ``root`` and binarise it with one dictionary; returns the data folder.

    A count is the number of sentences of every pair, or a number for each pair.
    """
    text, data = root / "text", root / "data"
    text.mkdir(parents=True)
    dictionary = root / "dict.txt"
    dictionary.write_text("".join(f"{word} 1\n" for word in WORDS))
    for pair in PAIRS:
        target = pair.split("-")[1]
        for seed, (split, count) in enumerate([("train", train), ("valid", valid), ("test", test)]):
            source = sentences(count if isinstance(count, int) else count[pair], seed)
            (text / f"{split}.{pair}.en").write_text("".join(line + "\n" for line in source))
            (text / f"{split}.{pair}.{target}").write_text("".join(translate(s, target) + "\n" for s in source))
        run_fairseq(
            "preprocess", "-s", "en", "-t", target, "--destdir", data, "--srcdict", dictionary, "--tgtdict", dictionary,
            *(item for split in ("train", "valid", "test") for item in (f"--{split}pref", text / f"{split}.{pair}")),
        )  # fmt: skip
    return data


# A few updates of a small model: enough for a checkpoint, not for a translation.
TRAIN_OPTIONS = (
    "--user-dir", USER_DIR, "--optimizer", "adam", "--lr", "0.001", "--max-tokens", "400", "--max-update", "3",
    "--cpu", "--num-workers", "0", "--log-format", "simple", "--no-progress-bar", "--ddp-backend", "legacy_ddp",
    "--required-batch-size-multiple", "1",
)  # fmt: skip

# fairseq's own LSTM, as small as can be, for tests that are not about a model.
DECODER_OPTIONS = ("--decoder-embed-dim", "8", "--decoder-hidden-size", "8", "--decoder-out-embed-dim", "8")
LSTM_OPTIONS = (
    "--arch", "lstm", "-s", "en", "-t", "de", "--encoder-embed-dim", "8", "--encoder-hidden-size", "8",
    *DECODER_OPTIONS,
)  # fmt: skip


def train(data: Path, save_dir: Path, *argv: str) -> Path:
    """Train on the toy data; returns the last checkpoint."""
    run_fairseq("train", data, "--save-dir", save_dir, *TRAIN_OPTIONS, *argv)
    return save_dir / "checkpoint_last.pt"

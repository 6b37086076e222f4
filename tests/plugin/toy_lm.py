"""Toy text and small language models for the tests of the plugin."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import torch
from fairseq.data import Dictionary

from fairseq_plugins.models.lstm_lm import StatefulLSTMLanguageModel
from fairseq_plugins.models.recurrent_lm import RecurrentLMConfig
from fairseq_plugins.models.rims_lm import RIMLanguageModel, RIMLanguageModelConfig
from fairseq_plugins.models.rmc_lm import RMCLanguageModel, RMCLanguageModelConfig
from tests.plugin import toy

FAMILIES = {
    "rims": (RIMLanguageModel, RIMLanguageModelConfig),
    "lstm": (StatefulLSTMLanguageModel, RecurrentLMConfig),
    "rmc": (RMCLanguageModel, RMCLanguageModelConfig),
}
ARCHITECTURES = {"rims": "rims_lm_tiny", "lstm": "stateful_lstm_lm_tiny", "rmc": "rmc_lm_tiny"}
SIZES = {"decoder_embed_dim": 8, "decoder_hidden_size": 12}
OF_FAMILY = {"rmc": {"memory_slots": 3}}  # beside SIZES: four heads of one number each
# The tiny models made tinier still.
SIZE_OPTIONS = ("--decoder-embed-dim", "8", "--decoder-hidden-size", "12", "--dropout", "0")


def dictionary(words: str = "abcdefg") -> Dictionary:
    symbols = Dictionary()
    for word in words:
        symbols.add_symbol(word)
    return symbols


def make_task(source: Dictionary | None = None, target: Dictionary | None = None) -> SimpleNamespace:
    return SimpleNamespace(source_dictionary=source or dictionary(), target_dictionary=target or dictionary())


def make_model(family: str = "rims", task: SimpleNamespace | None = None, **options: object):
    torch.manual_seed(0)
    model, config = FAMILIES[family]
    return (
        model.build_model(config(**(SIZES | OF_FAMILY.get(family, {}) | options)), task or make_task()).double().eval()
    )


def stream(data: Path, split: str) -> torch.Tensor:
    """All tokens of a split that :func:`binarise` wrote, read from its text."""
    words = Dictionary.load(str(data / "dict.txt"))
    lines = (data.parent / "text" / split).read_text().splitlines()
    return torch.cat([words.encode_line(line, add_if_not_exist=False).long() for line in lines])


def binarise(root: Path, *, train: int = 40, valid: int = 12, test: int = 14) -> Path:
    """Write ``text/train`` ... of so many lines, some of them empty, and binarise it; returns the data folder."""
    text, data = root / "text", root / "data"
    text.mkdir(parents=True)
    splits = {"train": train, "valid": valid, "test": test}
    for seed, (split, count) in enumerate(splits.items()):
        lines = ["" if number % 7 == 0 else line for number, line in enumerate(toy.sentences(count, seed))]
        (text / split).write_text("".join(line + "\n" for line in lines))
    toy.run_fairseq(
        "preprocess", "--only-source", "--destdir", data,
        *(item for split in splits for item in (f"--{split}pref", text / split)),
    )  # fmt: skip
    return data

"""A complete experiment of toy size: text, and the YAML file that the workflow runs."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

NOUNS = ["house", "tree", "river", "book", "cat", "dog", "table", "window", "garden", "street"]
VERBS = ["sees", "finds", "takes", "likes", "keeps"]


def sentences(count: int, seed: int) -> list[str]:
    """``count`` English-looking sentences."""
    rng = random.Random(seed)
    return [f"the {rng.choice(NOUNS)} {rng.choice(VERBS)} the {rng.choice(NOUNS)}." for _ in range(count)]


def translate(line: str, language: str) -> str:
    """A toy language: every word gets an ending."""
    ending = {"de": "en", "fr": "ez"}[language]
    return " ".join(word.removesuffix(".") + ending for word in line.split()) + "."


def write_text(root: Path, name: str, count: int, seed: int, languages: tuple[str, ...] = ("de", "fr")) -> None:
    """Write ``NAME.en`` and its translations."""
    lines = sentences(count, seed)
    (root / f"{name}.en").write_text("".join(line + "\n" for line in lines))
    for language in languages:
        (root / f"{name}.{language}").write_text("".join(translate(line, language) + "\n" for line in lines))


def pair(text: str, language: str, tests: bool) -> dict[str, Any]:
    """The ``data.pairs`` entry of one target language."""

    def files(name: str) -> dict[str, str]:
        return {"src": f"{text}/{name}.en", "tgt": f"{text}/{name}.{language}"}

    entry: dict[str, Any] = {"train": [files("train")], "valid": files("valid")}
    if tests:
        entry["tests"] = {name: files(name) for name in ("in_domain", "transfer")}
    return entry


def write_experiment(root: Path, *, updates: int = 4, **train: Any) -> Path:
    """Write text and ``toy.yaml`` below ``root``, from where the workflow is then run; keywords replace train keys."""
    text = root / "text"
    text.mkdir(parents=True)
    for seed, (name, count) in enumerate([("train", 400), ("valid", 20), ("in_domain", 13), ("transfer", 7)]):
        write_text(text, name, count, seed)
    experiment = {
        "name": "toy",
        "data": {
            "out": "runs/toy/data",
            "seed": 1,
            "pairs": {"en-de": pair("text", "de", True), "en-fr": pair("text", "fr", False)},
            "clean": ["empty", "length", "ratio"],
            "subword": {"vocab_size": 70},
            "workers": 1,
        },
        "train": {
            "target_pair": "en-de",
            "settings": {"single": ["en-de"], "multitask": ["en-de", "en-fr"]},
            "seeds": [1],
            "families": {
                "rims": {"arch": "rims_seq2seq_tiny"},
                "lstm": {"arch": "lstm_seq2seq_tiny"},
                "transformer": {"arch": "transformer_seq2seq_tiny"},
            },
            "options": [
                "--share-all-embeddings", "--optimizer", "adam", "--lr", 0.003, "--lr-scheduler", "inverse_sqrt",
                "--warmup-updates", 50, "--max-tokens", 400, "--max-update",
                updates, "--log-interval", 2, "--save-interval-updates", max(2, updates // 6),
                "--keep-interval-updates", 1,
            ],
            **train,
        },
        "evaluate": {"beam": 2, "bootstrap": 50},
    }  # fmt: skip
    path = root / "toy.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path

"""Real sentences to train on and to translate: binarised data of the user's, or of the built-in grammar."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from data_prep import experiment_file
from data_prep.prepare import prepare

PAIRS, VALID_PAIRS, PIECES = 4000, 300, 1500


@contextmanager
def binarised(data: Path | None) -> Iterator[Path]:
    """A folder with ``train`` and ``valid`` of one language pair and a joint dictionary.

    Args:
        data: such a folder, as ``python -m data_prep prepare`` or ``fairseq-preprocess`` writes it; None: the built-in
            grammar, in a temporary folder that goes at the end.

    Raises:
        ValueError: if the folder does not hold that.
    """
    if data is not None:
        for pattern in ("dict.*.txt", "train.*.idx", "valid.*.idx"):
            if not any(data.glob(pattern)):
                raise ValueError(f"--data {data}: has no {pattern}; expected a folder of binarised data")
        yield data
        return
    with tempfile.TemporaryDirectory() as folder:
        prepare(experiment_file.parse(grammar_data(Path(folder))))
        yield Path(folder) / "data"


def grammar_data(folder: Path) -> dict[str, object]:
    """The data configuration of the built-in corpus's formal domain, English to German."""
    text = folder / "text"
    files = {
        split: {"src": str(text / f"{split}.en"), "tgt": str(text / f"{split}.de")} for split in ("train", "valid")
    }
    corpus = {"domain": "chamber", "pairs": PAIRS, "valid_pairs": VALID_PAIRS, "out": str(text)}
    return {
        "out": str(folder / "data"),
        "grammar": [corpus],
        "pairs": {"en-de": {"train": [files["train"]], "valid": files["valid"]}},
        "subword": {"vocab_size": PIECES},
    }

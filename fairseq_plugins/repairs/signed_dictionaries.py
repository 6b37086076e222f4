"""Data is read with the dictionaries it was made with.

Fault: ``fairseq.data.Dictionary.load`` takes whatever ``dict.LANG.txt`` lies in the data folder, also one that was
changed or overwritten after the text beside it was turned into numbers.
It shows as nothing when the sizes are equal: each number now means another word, and training and translation go on
with them.

``python -m data_prep prepare`` writes the SHA-256 of each dictionary to ``signature.json``, which is what a dictionary
is compared with here. Data without that file, such as that of ``fairseq-preprocess``, is read as it is.
"""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairseq.data import Dictionary

SIGNATURE = "signature.json"
LEVELS_ABOVE = 2  # the test sets are in DATA/tests/NAME, the parts of large training data in DATA/shardN


def needed() -> bool:
    """Whether a dictionary is loaded that is not the signed one."""
    with tempfile.TemporaryDirectory() as folder:
        dictionary = Path(folder, "dict.txt")
        dictionary.write_text("word 1\n", encoding="utf-8")
        Path(folder, SIGNATURE).write_text(json.dumps({"dictionaries": {dictionary.name: "?"}}), encoding="utf-8")
        try:
            Dictionary.load(str(dictionary))
        except ValueError:
            return False
    return True


def apply() -> None:
    """Check every dictionary that is loaded from a file."""
    Dictionary.load = classmethod(check_file(Dictionary.load.__func__))


def check_file(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Dictionary.load``; what is no file on a local disk is left to fairseq."""

    @functools.wraps(load)
    def load_checked(cls: type, f: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(f, str) and Path(f).is_file():
            check_signature(Path(f).absolute())
        return load(cls, f, *args, **kwargs)

    return load_checked


def check_signature(dictionary: Path) -> None:
    """Compare a dictionary with the nearest signature that lists one of its name.

    Raises:
        ValueError: the dictionary is not the signed one, or a signature cannot be read.
    """
    for folder in dictionary.parents[: LEVELS_ABOVE + 1]:
        signed = signed_dictionaries(folder).get(dictionary.name)
        if signed is None or not (folder / dictionary.name).is_file():
            continue
        found = hashlib.sha256(dictionary.read_bytes()).hexdigest()
        if found != signed:
            raise ValueError(
                f"{dictionary}: is not the dictionary that this data was made with: its sha256 is {found}, "
                f"{folder / SIGNATURE} says {signed}. Put the original back, or prepare the data again with "
                "--overwrite"
            )
        return


def signed_dictionaries(folder: Path) -> dict[str, str]:
    """SHA-256 of each dictionary by its file name; empty where the folder has no signature of this project.

    Raises:
        ValueError: the file cannot be read as JSON.
    """
    path = folder / SIGNATURE
    if not path.is_file():
        return {}
    try:
        signature = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: is damaged ({error}), so the dictionaries cannot be checked; put the original back, or prepare "
            "the data again in another folder"
        ) from None
    dictionaries = signature.get("dictionaries") if isinstance(signature, dict) else None
    return dictionaries if isinstance(dictionaries, dict) else {}

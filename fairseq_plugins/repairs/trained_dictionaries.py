"""A model is used with the dictionaries it was trained with.

Fault: ``fairseq.checkpoint_utils`` and ``fairseq.trainer.Trainer`` load a checkpoint beside any dictionary of the same
size.
It shows as nothing when the symbols or their order differ: the embedding of one word is used for another, a resumed
training unlearns what it had learnt, and a translation is rubbish.

Checkpoints get a record of their dictionaries, ``{"dict.en.txt": SHA-256 of the symbols}``, in ``task_state``, where
fairseq keeps what belongs to the task. A checkpoint without the record is loaded as before.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fairseq import checkpoint_utils
from fairseq.data import Dictionary
from fairseq.file_io import PathManager
from fairseq.tasks import FairseqTask
from fairseq.trainer import Trainer

from fairseq_plugins.repairs.safe_checkpoints import read_plain

KEY = "dictionaries"


def needed() -> bool:
    """Whether a task keeps nothing about its dictionaries."""
    return KEY not in FairseqTask(None).state_dict()


def apply() -> None:
    """Add the record to what is saved, and compare it before a model is built or trained on."""
    Dictionary.load = classmethod(remember_file(Dictionary.load.__func__))
    FairseqTask.state_dict = add_record(FairseqTask.state_dict)
    FairseqTask.load_state_dict = check_record(FairseqTask.load_state_dict)
    checkpoint_utils.load_checkpoint_to_cpu = name_checkpoint(checkpoint_utils.load_checkpoint_to_cpu)
    Trainer.load_checkpoint = check_before_resuming(Trainer.load_checkpoint)


def remember_file(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Dictionary.load``: a dictionary knows its file, and the hash of the symbols that were in it.

    Tasks may add symbols of their own later; counts are left out, as they mean nothing to a model.
    """

    @functools.wraps(load)
    def load_remembered(cls: type, f: Any, *args: Any, **kwargs: Any) -> Any:
        dictionary = load(cls, f, *args, **kwargs)
        if isinstance(f, str):
            dictionary.file = f
            dictionary.sha256 = hashlib.sha256("\n".join(dictionary.symbols).encode("utf-8")).hexdigest()
        return dictionary

    return load_remembered


def dictionaries_of(task: FairseqTask) -> dict[str, Dictionary]:
    """The dictionaries that a task loaded, by file name, whatever the task calls them."""
    values = [*vars(task).values(), *getattr(task, "dicts", {}).values()]
    loaded = [value for value in values if isinstance(value, Dictionary) and hasattr(value, "file")]
    return {Path(dictionary.file).name: dictionary for dictionary in loaded}


def add_record(state_dict: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``FairseqTask.state_dict``, which is saved as the checkpoint's ``task_state``."""

    @functools.wraps(state_dict)
    def state_dict_with_record(task: FairseqTask) -> dict[str, Any]:
        hashes = {name: dictionary.sha256 for name, dictionary in dictionaries_of(task).items()}
        return {**state_dict(task), KEY: {"sha256": hashes}}

    return state_dict_with_record


def name_checkpoint(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``load_checkpoint_to_cpu``: the record says which file it is from."""

    @functools.wraps(load)
    def load_named(path: str, *args: Any, **kwargs: Any) -> Any:
        state = load(path, *args, **kwargs)
        if KEY in state.get("task_state", {}):
            state["task_state"][KEY]["checkpoint"] = path
        return state

    return load_named


def check_record(load_state_dict: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``FairseqTask.load_state_dict``, which is called for each checkpoint before its model is built.

    A state that is already in memory when fairseq gets it comes from no file that could be named.
    """

    @functools.wraps(load_state_dict)
    def load_state_dict_checked(task: FairseqTask, state: dict[str, Any]) -> None:
        record = state.get(KEY)
        if record is not None:
            check_dictionaries(task, record["sha256"], record.get("checkpoint", "the checkpoint"))
        load_state_dict(task, {name: value for name, value in state.items() if name != KEY})

    return load_state_dict_checked


def check_before_resuming(load_checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``Trainer.load_checkpoint``, which does not hand ``task_state`` to the task."""

    @functools.wraps(load_checkpoint)
    def load_checkpoint_checked(trainer: Trainer, filename: str, *args: Any, **kwargs: Any) -> Any:
        if PathManager.isfile(filename):
            record = read_plain(filename).get("task_state", {}).get(KEY)
            if record is not None:
                check_dictionaries(trainer.task, record["sha256"], filename)
        return load_checkpoint(trainer, filename, *args, **kwargs)

    return load_checkpoint_checked


def check_dictionaries(task: FairseqTask, trained: dict[str, str], checkpoint: str) -> None:
    """Compare the dictionaries that a task loaded with those of a checkpoint, as far as it knows their names.

    Raises:
        ValueError: one of them has other symbols, or the same in another order.
    """
    for name, dictionary in dictionaries_of(task).items():
        if trained.get(name, dictionary.sha256) != dictionary.sha256:
            raise ValueError(
                f"{checkpoint}: was trained with another {name}: the sha256 of its symbols was {trained[name]}, that "
                f"of {dictionary.file} is {dictionary.sha256}. Use the dictionaries the model was trained with and "
                "data made with them, or train a new model in another folder"
            )

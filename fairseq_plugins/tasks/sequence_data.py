"""Data sets of arrays, as ``python -m data_prep synthetic`` writes them, for fairseq."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from fairseq.data import FairseqDataset
from numpy.typing import NDArray

FACTS = "facts.json"
ARRAYS = ("inputs", "targets", "scored")


class Form(NamedTuple):
    """What a model needs to know of a data set; see :class:`data_prep.synthetic.arrays.Form`."""

    input_kind: str  # "tokens" or "vectors"
    input_size: int  # number of symbols, or size of a vector
    target_kind: str  # "classes" or "values"
    target_size: int  # number of classes; 1 for values
    chance: dict[str, float]  # what a constant answer gets: "loss", and with classes "accuracy"


def read_form(folder: str) -> Form:
    """Read ``facts.json``.

    Raises:
        FileNotFoundError: if there is none.
        ValueError: if it describes other data than sequences of arrays.
    """
    path = Path(folder) / FACTS
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file; expected a folder that `python -m data_prep synthetic` has written for copying, "
            "adding or nth_farthest"
        )
    facts = json.loads(path.read_text(encoding="utf-8"))
    missing = [name for name in Form._fields if name not in facts]
    if missing:
        raise ValueError(
            f"{path}: has no {missing[0]}, so the data of {facts.get('task', 'an unknown task')!r} are not arrays; "
            "programs and memorisation are for --task translation"
        )
    return Form(*(facts[name] for name in Form._fields))


class SequenceDataset(FairseqDataset):
    """Sequences of one split, all of the same length.

    Args:
        inputs: token numbers ``(N, T)`` or vectors ``(N, T, size)``.
        targets: of the S steps that count, ``(N, S)``: classes or values.
        scored: the steps that count, ``(T,)`` bool.
        shuffle: put other sequences together in every epoch.
    """

    def __init__(self, inputs: NDArray, targets: NDArray, scored: NDArray[np.bool_], *, shuffle: bool) -> None:
        self.inputs, self.targets, self.shuffle = inputs, targets, shuffle
        self.scored = torch.from_numpy(scored)

    @classmethod
    def load(cls, folder: str, split: str, *, shuffle: bool) -> SequenceDataset:
        """Map a split from disk.

        Raises:
            FileNotFoundError: if the folder has no such split; the message has those that it has.
            ValueError: if its arrays do not fit each other.
        """
        paths = [Path(folder) / f"{split}.{name}.npy" for name in ARRAYS]
        if not all(path.is_file() for path in paths):
            known = sorted(name.removesuffix(".scored.npy") for name in os.listdir(folder) if ".scored." in name)
            raise FileNotFoundError(f"{folder} has no split {split!r}; it has {', '.join(known) or 'none'}")
        inputs, targets = (np.load(path, mmap_mode="r") for path in paths[:2])
        scored = np.load(paths[2])
        shapes = (inputs.shape[0], int(scored.sum())), scored.shape
        if targets.shape != shapes[0] or inputs.shape[1:2] != shapes[1]:
            raise ValueError(
                f"{folder}: the arrays of {split} do not fit each other: inputs {inputs.shape}, "
                f"targets {targets.shape}, scored {scored.shape} with {shapes[0][1]} steps that count"
            )
        return cls(inputs, targets, scored, shuffle=shuffle)

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, index: int) -> int:
        """Its number: the arrays are read for a whole batch at once."""
        return index

    def collater(self, samples: Sequence[int]) -> dict[str, Any]:
        """Make a batch of B sequences, as fairseq passes it to a criterion.

        Returns:
            ``net_input`` with inputs ``(B, T)``, int64, or ``(B, T, size)``, and scored ``(T,)``; target ``(B, S)``,
            int64 or float32; empty for no sequences.
        """
        if len(samples) == 0:
            return {}
        inputs, target = (_tensor(array[samples]) for array in (self.inputs, self.targets))
        return {
            "id": torch.as_tensor(samples),
            "nsentences": len(samples),
            "ntokens": target.numel(),
            "net_input": {"inputs": inputs, "scored": self.scored},
            "target": target,
        }

    def num_tokens(self, index: int) -> int:
        """Steps of a sequence, for ``--max-tokens``."""
        return self.inputs.shape[1]

    def size(self, index: int) -> int:
        """Steps of a sequence."""
        return self.inputs.shape[1]

    def ordered_indices(self) -> NDArray[np.int64]:
        """The sequences in the order in which they are put in batches; fairseq sets the seed, anew for each epoch."""
        return np.random.permutation(len(self)) if self.shuffle else np.arange(len(self))

    @property
    def can_reuse_epoch_itr_across_epochs(self) -> bool:
        """Whether the batches of one epoch serve for the next."""
        return not self.shuffle


def _tensor(array: NDArray) -> torch.Tensor:
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    return tensor if tensor.is_floating_point() else tensor.long()

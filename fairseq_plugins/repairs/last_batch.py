"""Keep the last batch.

Fault: ``fairseq.data.data_utils.batch_by_size`` drops the last batch when its size is not a multiple of
``--required-batch-size-multiple`` (8 by default).
It shows as fewer hypotheses than test lines in ``fairseq-generate``, as validation and training sets that lack up to
seven of their longest sentences, and as "The dataset is empty" for sets of fewer than eight lines; never as a warning.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from fairseq.data import data_utils


def needed() -> bool:
    """Whether nine sentences in batches of eight lose the ninth."""
    batches = data_utils.batch_by_size(
        np.arange(9), lambda index: 1, max_sentences=8, required_batch_size_multiple=8
    )  # fmt: skip
    return sum(map(len, batches)) < 9


def apply() -> None:
    """Put the dropped sentences back as a last, smaller batch."""
    data_utils.batch_by_size = keep_remainder(data_utils.batch_by_size)


def keep_remainder(batch_by_size: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``batch_by_size``: batches are consecutive pieces of ``indices``, so what is left over is its tail."""

    @functools.wraps(batch_by_size)
    def batch_all(indices: Any, *args: Any, **kwargs: Any) -> list[Any]:
        indices = indices if isinstance(indices, np.ndarray) else np.fromiter(indices, dtype=np.int64)
        if len(indices) == 0:
            return []
        batches = list(batch_by_size(indices, *args, **kwargs))
        tail = indices[sum(map(len, batches)) :]
        return [*batches, tail] if len(tail) else batches

    return batch_all

"""A resumed run makes the same batches as the run that was interrupted.

Fault: ``fairseq.tasks.fairseq_task.FairseqTask.get_batch_iterator`` shuffles the sentences of equal length with
``seed + epoch`` and keeps the batches over all epochs. A run resumed after its first epoch makes them anew, with
another seed.
It shows as losses that differ from those of the uninterrupted run, though every state was restored.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fairseq.tasks import FairseqTask

FIRST_EPOCH = 1


def needed() -> bool:
    """Whether fairseq makes batches that it keeps with the seed of the epoch it starts in."""
    return "batch_sampler = make_batches(dataset, epoch)" in inspect.getsource(FairseqTask.get_batch_iterator)


def apply() -> None:
    """Make every kept set of batches as the first epoch would."""
    FairseqTask.get_batch_iterator = make_as_in_first_epoch(FairseqTask.get_batch_iterator)


def make_as_in_first_epoch(get: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``get_batch_iterator``; batches that are rebuilt for every epoch are left as they are."""
    signature = inspect.signature(get)

    @functools.wraps(get)
    def get_repeatable(self: FairseqTask, *args: Any, **kwargs: Any) -> Any:
        call = signature.bind(self, *args, **kwargs)
        call.apply_defaults()
        dataset, epoch = call.arguments["dataset"], call.arguments["epoch"]
        keeps = self.can_reuse_epoch_itr(dataset) and not getattr(self.cfg, "rebuild_batches", False)
        if not keeps or dataset in self.dataset_to_epoch_iter:
            return get(*call.args, **call.kwargs)
        call.arguments["epoch"] = FIRST_EPOCH
        iterator = get(*call.args, **call.kwargs)
        dataset.set_epoch(epoch)
        iterator.epoch = max(epoch, FIRST_EPOCH)
        return iterator

    return get_repeatable

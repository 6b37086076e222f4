"""Refuse to call nothing a perplexity.

Fault: ``fairseq.tasks.language_modeling.LanguageModelingTask.eval_lm_dataloader`` leaves out every block of text that
is longer than the model's positions, also when that is all of them.
It shows as "Evaluated 0 tokens", a perplexity of 1.00 and success.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fairseq.tasks.language_modeling import LanguageModelingTask


class _NoBatches:
    """A task whose iterator is empty."""

    def get_batch_iterator(self, **options: Any) -> _NoBatches:
        return self

    def next_epoch_itr(self, shuffle: bool) -> list[Any]:
        return []


def needed() -> bool:
    """Whether an empty iterator passes."""
    try:
        LanguageModelingTask.eval_lm_dataloader(_NoBatches(), dataset=[])
    except ValueError:
        return False
    return True


def apply() -> None:
    """Check what is left of the text."""
    LanguageModelingTask.eval_lm_dataloader = refuse_empty(LanguageModelingTask.eval_lm_dataloader)


def refuse_empty(dataloader: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``eval_lm_dataloader``; the wrapper raises ValueError when no batch is left."""

    @functools.wraps(dataloader)
    def dataloader_checked(task: Any, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        batches = dataloader(task, dataset, *args, **kwargs)
        if len(batches) == 0:
            raise ValueError(
                f"nothing to evaluate: none of the {len(dataset)} blocks of text fits the model's "
                f"{kwargs.get('max_positions')} positions. Give a smaller --tokens-per-sample, or, for a model without "
                "learned positions, --model-overrides \"{'max_target_positions': 100000}\""
            )
        return batches

    return dataloader_checked

"""Keep the ranks of a multilingual model the same.

Fault: the step of ``fairseq.tasks.multilingual_translation`` calls ``model.models[pair]`` and so goes round
``DistributedDataParallel.forward``, which is what makes PyTorch average the gradients.
It shows as nothing at all: with ``--ddp-backend pytorch_ddp`` (the default) each rank trains its own model and the
first one's is saved.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fairseq import models
from fairseq.models import FairseqMultiModel
from torch import nn

BY_FORWARD = ("c10d", "pytorch_ddp")


def needed() -> bool:
    """Whether fairseq still wraps such a model without a word."""
    return "FairseqMultiModel" not in inspect.getsource(inspect.unwrap(models.DistributedFairseqModel))


def apply() -> None:
    """Check before the model is wrapped, which happens only when there are several ranks."""
    models.DistributedFairseqModel = refuse_multi_models(models.DistributedFairseqModel)


def refuse_multi_models(wrap: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``DistributedFairseqModel``; the wrapper raises ValueError for a backend that would not average."""

    @functools.wraps(wrap)
    def wrap_checked(args: Any, model: nn.Module, process_group: Any, device: Any) -> Any:
        if isinstance(model, FairseqMultiModel) and args.ddp_backend in BY_FORWARD:
            raise ValueError(
                f"--ddp-backend {args.ddp_backend}: each process would train its own {type(model).__name__}, because "
                "the gradients of a model with several language pairs are not averaged by this backend. "
                "Use --ddp-backend legacy_ddp"
            )
        return wrap(args, model, process_group, device)

    return wrap_checked

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

# fairseq reduces the gradients of these after the backward passes, whatever part of the model was called.
SAFE_BACKENDS = ("legacy_ddp", "no_c10d")


def needed() -> bool:
    """Whether fairseq still wraps such a model without a word."""
    return "FairseqMultiModel" not in inspect.getsource(inspect.unwrap(models.DistributedFairseqModel))


def apply() -> None:
    """Check before the model is wrapped, which happens only when there are several ranks."""
    models.DistributedFairseqModel = refuse_multi_models(models.DistributedFairseqModel)


def check_backend(backend: str) -> None:
    """Check that a ``--ddp-backend`` averages the gradients of a model whose pairs are called one at a time.

    Raises:
        ValueError: it does not.
    """
    if backend not in SAFE_BACKENDS:
        raise ValueError(
            f"--ddp-backend {backend}: each process would train a model of its own, because this backend exchanges "
            "gradients when the whole model is called, and a model with several language pairs is called one pair at "
            "a time. Use --ddp-backend legacy_ddp"
        )


def refuse_multi_models(wrap: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``DistributedFairseqModel``; the wrapper raises ValueError for a backend that would not average."""

    @functools.wraps(wrap)
    def wrap_checked(args: Any, model: nn.Module, process_group: Any, device: Any) -> Any:
        if isinstance(model, FairseqMultiModel):
            check_backend(args.ddp_backend)
        return wrap(args, model, process_group, device)

    return wrap_checked

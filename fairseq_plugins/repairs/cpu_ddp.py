"""PyTorch's DistributedDataParallel on CPU.

Fault: ``fairseq.models.distributed_fairseq_model.DistributedFairseqModel`` gives it the device number 0 also when the
model is on the CPU.
It shows as "ValueError: DistributedDataParallel device_ids ... got [0]" with ``--ddp-backend pytorch_ddp`` (the
default) in a run of several ranks with ``--cpu``.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fairseq.models import distributed_fairseq_model
from torch import nn


def needed() -> bool:
    """Whether the device number is still passed without a look at the device."""
    source = inspect.getsource(distributed_fairseq_model.DistributedFairseqModel)
    return "device_ids=[args.device_id]" in source


def apply() -> None:
    """Replace the class, in that module only, by a function that leaves out the device number on CPU."""
    wrapped = without_device_on_cpu(distributed_fairseq_model.DistributedDataParallel)
    distributed_fairseq_model.DistributedDataParallel = wrapped


def without_device_on_cpu(wrap: Callable[..., nn.Module]) -> Callable[..., nn.Module]:
    """Wrap the constructor of ``DistributedDataParallel``."""

    @functools.wraps(wrap, updated=())
    def wrap_module(module: nn.Module, **options: Any) -> nn.Module:
        if all(parameter.device.type == "cpu" for parameter in module.parameters()):
            options |= {"device_ids": None, "output_device": None}
        return wrap(module=module, **options)

    return wrap_module

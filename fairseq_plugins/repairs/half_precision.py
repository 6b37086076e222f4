"""Say what ``--fp16`` and ``--bf16`` need.

Fault: ``fairseq.optim.fp16_optimizer`` asks CUDA for its current device, and ``fairseq.utils.get_tpu_device``, which
``--bf16`` on the command line leads to, uses a library that is not there.
It shows, without a GPU, as "Torch not compiled with CUDA enabled" and as "'NoneType' object has no attribute
'xla_device'".
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from fairseq import utils
from fairseq.optim.fp16_optimizer import FP16Optimizer


def needed() -> bool:
    """Whether fairseq still asks for the device without a look whether there is one."""
    source = inspect.getsource(FP16Optimizer.build_fp32_params)
    return "torch.cuda.current_device()" in source and "is_available" not in source


def apply() -> None:
    """Check before both."""
    build = FP16Optimizer.build_fp32_params.__func__
    FP16Optimizer.build_fp32_params = classmethod(require_gpu(build))
    utils.get_tpu_device = require_xla(utils.get_tpu_device)


def require_gpu(build: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``build_fp32_params``; the wrapper raises ValueError without a GPU."""

    @functools.wraps(build)
    def build_checked(cls: type, args: Any, params: Any, flatten: bool = True) -> Any:
        if flatten and not torch.cuda.is_available():
            raise ValueError(
                "--fp16 needs a GPU and PyTorch sees none: leave it out, or use --memory-efficient-fp16, which also "
                "runs on the CPU"
            )
        return build(cls, args, params, flatten=flatten)

    return build_checked


def require_xla(get_tpu_device: Callable[[], Any]) -> Callable[[], Any]:
    """Wrap ``get_tpu_device``; the wrapper raises ValueError without ``torch_xla``."""

    @functools.wraps(get_tpu_device)
    def get_checked() -> Any:
        if utils.xm is None:
            raise ValueError(
                "--bf16 and --tpu mean a TPU to fairseq, and torch_xla is not installed: use --fp16 or --amp on a GPU, "
                "and neither on the CPU"
            )
        return get_tpu_device()

    return get_checked

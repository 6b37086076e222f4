"""Say when no process would be started.

Fault: ``fairseq.distributed.utils.call_main`` starts as many processes as there are GPUs, at most
``--distributed-world-size``; without a GPU that is none.
It shows as a training command that returns at once, with success, and has trained and saved nothing.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import torch
from fairseq.distributed import utils as distributed_utils


def needed() -> bool:
    """Whether the number of processes is still that of the GPUs."""
    return "torch.cuda.device_count()" in inspect.getsource(distributed_utils.call_main)


def apply() -> None:
    """Check before ``call_main``."""
    distributed_utils.call_main = refuse_no_process(distributed_utils.call_main)


def refuse_no_process(call_main: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``call_main``; the wrapper raises ValueError where fairseq would start no process."""

    @functools.wraps(call_main)
    def call_checked(cfg: Any, main: Callable[..., Any], **kwargs: Any) -> Any:
        ranks = cfg.distributed_training
        spawns = ranks.distributed_world_size > 1 and not ranks.distributed_no_spawn and not cfg.common.tpu
        if spawns and torch.cuda.device_count() == 0:
            raise ValueError(
                f"--distributed-world-size {ranks.distributed_world_size}: fairseq starts one process per GPU and "
                "there is none here, so nothing would be done. Use --distributed-world-size 1 with --update-freq "
                f"{ranks.distributed_world_size} for the same batches, or start each process yourself with --cpu "
                "--distributed-no-spawn --distributed-backend gloo --ddp-backend legacy_ddp "
                "--distributed-init-method tcp://localhost:PORT --distributed-rank RANK"
            )
        return call_main(cfg, main, **kwargs)

    return call_checked

"""Take the ranks that ``torchrun`` gives.

Fault: ``fairseq.distributed.utils.infer_init_method`` looks at them only where ``--distributed-world-size``, by default
the number of GPUs of this machine, is more than 1, and then divides by that number of GPUs.
It shows as nothing at all: where a node has one GPU, or none, each process trains a model of its own and all write to
the same folder. On the CPU ``--distributed-world-size 2`` ends with a division by zero instead.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable
from typing import Any

from fairseq.distributed import utils as distributed_utils

STARTED_BY_TORCHRUN = "TORCHELASTIC_RUN_ID"


def needed() -> bool:
    """Whether fairseq still returns before it looks at the environment."""
    source = inspect.getsource(distributed_utils.infer_init_method)
    return 0 <= source.find("distributed_world_size == 1") < source.find("MASTER_ADDR")


def apply() -> None:
    """Read the environment before ``call_main``, and before the other repairs look at the ranks."""
    distributed_utils.call_main = take_ranks(distributed_utils.call_main)


def take_ranks(call_main: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``call_main``; ``--distributed-init-method`` on the command line still comes first."""

    @functools.wraps(call_main)
    def call_with_ranks(cfg: Any, main: Callable[..., Any], **kwargs: Any) -> Any:
        ranks = cfg.distributed_training
        processes = int(os.environ["WORLD_SIZE"]) if STARTED_BY_TORCHRUN in os.environ else 1
        if processes > 1 and ranks.distributed_init_method is None:
            ranks.distributed_init_method = "env://"
            ranks.distributed_no_spawn = True
            ranks.distributed_world_size = processes
            ranks.distributed_rank = int(os.environ["RANK"])
            ranks.device_id = int(os.environ["LOCAL_RANK"])
        return call_main(cfg, main, **kwargs)

    return call_with_ranks

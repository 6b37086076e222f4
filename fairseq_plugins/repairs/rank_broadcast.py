"""Resume on several ranks.

Fault: rank 0 loads the checkpoint and sends it to the others, which read it by a plain ``torch.load`` in
``fairseq.distributed.utils._broadcast_object_slow``; with ``weights_only`` on that refuses the configuration objects.
It shows when a run on several ranks resumes: all ranks but the first end with "Unsupported global:
omegaconf.dictconfig.DictConfig". The objects are allowed for that one call, whose sender has checked the file.
"""

from __future__ import annotations

import collections
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import torch
from fairseq.distributed import utils as distributed_utils
from omegaconf import DictConfig, ListConfig
from omegaconf.base import ContainerMetadata, Metadata
from omegaconf.nodes import AnyNode

OBJECTS = [
    DictConfig,
    ListConfig,
    ContainerMetadata,
    Metadata,
    AnyNode,
    typing.Any,
    dict,
    list,
    int,
    collections.defaultdict,
    distributed_utils._TensorPlaceholder,
    torch.Size,
]


def needed() -> bool:
    """Whether the receiving side still calls ``torch.load`` without a list of its own."""
    source = inspect.getsource(distributed_utils._broadcast_object_slow)
    return "torch.load" in source and "weights_only=False" not in source and "safe_globals" not in source


def apply() -> None:
    """Allow the configuration objects while a rank receives."""
    distributed_utils._broadcast_object_slow = allow_configuration(distributed_utils._broadcast_object_slow)


def allow_configuration(broadcast: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``_broadcast_object_slow``."""

    @functools.wraps(broadcast)
    def broadcast_allowed(*args: Any, **kwargs: Any) -> Any:
        with torch.serialization.safe_globals(OBJECTS):
            return broadcast(*args, **kwargs)

    return broadcast_allowed

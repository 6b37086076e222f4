"""The RIM recurrence: one registry of backends, one door."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache

from rims_nlp.ops.rim import hoisted, naive

logger = logging.getLogger(__name__)

ENVIRONMENT = "RIMS_NLP_BACKEND"
BACKENDS: dict[str, Callable] = {"naive": naive.sequence, "hoisted": hoisted.sequence}


@cache
def fastest() -> str:
    """The backend that "auto" stands for; said once, at debug level."""
    logger.debug("RIM backend: hoisted")
    return "hoisted"


def select(backend: str = "auto") -> Callable:
    """The recurrence of a backend; ``RIMS_NLP_BACKEND`` in the environment overrides "auto".

    Raises:
        ValueError: for a name that is not registered.
    """
    name = os.environ.get(ENVIRONMENT, "auto") if backend == "auto" else backend
    if name == "auto":
        name = fastest()
    if name not in BACKENDS:
        raise ValueError(f"unknown RIM backend {name!r}; expected auto or one of {', '.join(BACKENDS)}")
    return BACKENDS[name]

"""The RIM recurrence: one registry of backends, one door."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from functools import cache, partial

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim import cpu, fused, gpu, hoisted, naive
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State

logger = logging.getLogger(__name__)

ENVIRONMENT = "RIMS_NLP_BACKEND"
BACKENDS: dict[str, Callable] = {
    "naive": naive.sequence,
    "hoisted": hoisted.sequence,
    "cpu": partial(fused.sequence, cpu.CPUKernel()),
    "triton": partial(fused.sequence, gpu.TritonKernel()),
}
AUTO = ("cpu", "hoisted")
"""What "auto" tries, the fastest first; "triton" has to be named until it has been measured on a GPU."""
REFUSALS: dict[str, Callable[[Tensor, State, RIMWeights, bool], str | None]] = {
    "cpu": cpu.refuses,
    "triton": gpu.refuses,
}
"""What a backend cannot do, if anything: the reason, from input, state, weights and whether the activity is wanted."""


def check_name(backend: str, origin: str = "") -> None:
    """ValueError unless ``backend`` is registered, or "auto"; ``origin`` says where the name comes from."""
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(f"unknown RIM backend {backend!r}{origin}; expected auto or one of {', '.join(BACKENDS)}")


@torch.compiler.disable
def choose(backend: str, x: Tensor, state: State, weights: RIMWeights, return_activity: bool) -> str:
    """The name of the backend to run: ``backend``, or for "auto" ``$RIMS_NLP_BACKEND``, or the fastest that can.

    Raises:
        ValueError: for a name that is not registered, or a named backend that cannot run this.
    """
    name = os.environ.get(ENVIRONMENT) or "auto" if backend == "auto" else backend
    check_name(name, _origin(backend))
    if name != "auto":
        reason = _refusal(name, x, state, weights, return_activity)
        if reason is not None:
            raise ValueError(f"RIM backend {name!r}{_origin(backend)} cannot run this: {reason}")
        return name
    reasons: list[str] = []
    for candidate in AUTO:
        reason = _refusal(candidate, x, state, weights, return_activity)
        if reason is None:
            if logger.isEnabledFor(logging.DEBUG):
                _say(candidate, tuple(reasons))
            return candidate
        reasons.append(f"{candidate}: {reason}")
    raise AssertionError("the hoisted backend refuses nothing")


def _refusal(name: str, x: Tensor, state: State, weights: RIMWeights, return_activity: bool) -> str | None:
    return REFUSALS[name](x, state, weights, return_activity) if name in REFUSALS else None


def _origin(backend: str) -> str:
    """Where the name comes from, for a message."""
    return f" (from {ENVIRONMENT})" if backend == "auto" else ""


@cache
def _say(name: str, reasons: tuple[str, ...]) -> None:
    """Log a choice, once."""
    logger.debug("RIM backend: %s%s", name, "".join(f" (not {reason})" for reason in reasons))


def sequence(
    backend: str,
    x: Tensor,
    state: State,
    weights: RIMWeights,
    options: RIMOptions,
    *,
    masks: DropoutMasks,
    schedule: Schedule,
    return_activity: bool,
    prepared: object = None,
) -> tuple[Tensor, State, Activity]:
    """Run a backend over ``x`` ``(T, B, N, input_size)``; see :func:`rims_nlp.ops.rim.naive.sequence`.

    ``prepared`` comes from :func:`rims_nlp.ops.rim.fused.prepare`.

    Raises:
        ValueError: as :func:`choose`.
    """
    run = BACKENDS[choose(backend, x, state, weights, return_activity)]
    return run(
        x, state, weights, options, masks=masks, schedule=schedule, return_activity=return_activity, prepared=prepared
    )

"""Long inputs in segments of steps, each computed again in the backward pass, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from rims_nlp.ops.rim.types import Activity, State

Run = Callable[[int, int, State], tuple[Tensor, State, Activity]]


def cut(steps: int, step_bytes: int, limit: int) -> list[tuple[int, int]]:
    """First and last step (exclusive) of as few even segments as hold ``limit`` bytes each, or one step."""
    count = max(1, min(steps, -(-steps * step_bytes // limit)))
    bounds = [steps * i // count for i in range(count + 1)]
    return list(zip(bounds[:-1], bounds[1:], strict=True))


def run_each(run: Run, segments: list[tuple[int, int]], state: State) -> tuple[Tensor, State, Activity]:
    """Run segments one after the other.

    Args:
        run: from first and last step and the state before them to the results of a backend; what it draws at random is
            drawn again alike in the backward pass.
        segments: as :func:`cut` gives them; one alone runs as it is.
        state: before the first step.

    Returns:
        The results of all steps.
    """
    if len(segments) == 1:
        return run(*segments[0], state)
    outputs, activities = [], []
    for first, last in segments:
        if torch.is_grad_enabled():
            output, state, activity = checkpoint(run, first, last, state, use_reentrant=False)
        else:
            output, state, activity = run(first, last, state)
        outputs.append(output)
        activities.append(activity)
    fields = zip(*activities, strict=True)
    joined = Activity(*(None if field[0] is None else torch.cat(field) for field in fields))  # type: ignore[arg-type]
    return torch.cat(outputs), state, joined

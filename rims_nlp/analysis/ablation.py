"""Running a model without one unit of a RIM layer."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from rims_nlp.analysis.activity import find_rims
from rims_nlp.analysis.shadow import shadowed
from rims_nlp.modules.rim import RIM, RIMCell
from rims_nlp.ops.rim.types import Activity, State


@contextlib.contextmanager
def without_unit(model: nn.Module, module: str, unit: int, *, layer: int = 0, direction: int = 0) -> Iterator[None]:
    """Run the model as if a unit did not exist, while the context is open; nothing of the model is changed.

    The layer runs with the other K - 1 units alone: they compete among themselves for as many active places
    (``num_active``, or all of them where only so many are left), and read each other only. The unit's output is zero
    and its state stays what it was at the start. Compare the masking experiments in the appendix of Goyal et al.
    (2021), which ask what each unit is for.

    The weights are those at the time of entering, and get no gradient: this is for evaluation.

    Args:
        model: any module with RIM modules.
        module: name of one, as :func:`rims_nlp.analysis.find_rims` has it.
        unit: counted from 0.
        layer: of the module, counted from 0, the lowest.
        direction: 0 reads forwards, 1 backwards.

    Raises:
        ValueError: if there is no such module, layer, direction or unit, the unit is the layer's only one, or another
            unit of the layer is left out already.

    Example:
        >>> with without_unit(model, "encoder.core.rim", 3, direction=1):
        ...     score = evaluate(model)
    """
    cell = _find_cell(find_rims(model), module, unit, layer, direction)
    smaller = _smaller_cell(cell, unit)

    def run(x: Tensor, state: State, **arguments: Any) -> tuple[Tensor, State, Activity]:
        smaller.train(cell.training)
        kept = tuple(_remove(part, unit, dim=1) for part in state)
        output, final, activity = smaller.run(x, kept, **arguments)
        silent = torch.zeros_like(output[:, :, :1])
        final = tuple(
            _insert(part, unit, start[:, unit : unit + 1], dim=1) for part, start in zip(final, state, strict=True)
        )
        return _insert(output, unit, silent, dim=2), final, _insert_inactive(activity, unit)

    with shadowed(cell, "run", run), shadowed(cell, "prepare", smaller.prepare):
        yield


def _find_cell(rims: dict[str, RIM], module: str, unit: int, layer: int, direction: int) -> RIMCell:
    """The cell of a module, layer and direction; ValueError unless the unit can be left out of it."""
    if module not in rims:
        raise ValueError(f"module must be one of {', '.join(map(repr, rims))}, got {module!r}")
    rim = rims[module]
    limits = (("layer", layer, rim.num_layers), ("direction", direction, rim.num_directions))
    for name, value, count in (*limits, ("unit", unit, rim.num_units)):
        if not 0 <= value < count:
            raise ValueError(f"{name} must be in [0, {count - 1}] in {module!r}, got {value}")
    if rim.num_units == 1:
        raise ValueError(f"{module!r} has a single unit, so nothing would be left without it")
    cell = rim.cells[layer * rim.num_directions + direction]
    assert isinstance(cell, RIMCell)
    if "run" in vars(cell):
        raise ValueError(f"layer {layer}, direction {direction} of {module!r} runs without a unit already")
    return cell


def _smaller_cell(cell: RIMCell, unit: int) -> RIMCell:
    """A copy of ``cell`` that lacks a unit."""
    units = cell.options.num_units - 1
    top_k = cell.options.comm_top_k
    options = replace(
        cell.options,
        num_units=units,
        num_active=min(cell.options.num_active, units),
        comm_top_k=None if top_k is None else min(top_k, units),
    )
    # Without memory at first, so that no random numbers are drawn.
    smaller = RIMCell(cell.input_size, units * cell.unit_size, backend=cell.backend, device="meta", **vars(options))
    for name, weight in list(smaller.named_parameters()):
        whole = getattr(cell, name).detach()
        shared = weight.shape == whole.shape
        kept = whole.clone() if shared else _remove(whole, unit, dim=0)
        smaller.register_parameter(name, nn.Parameter(kept, requires_grad=False))
    return smaller


def _remove(tensor: Tensor, index: int, dim: int) -> Tensor:
    return torch.cat([tensor.narrow(dim, 0, index), tensor.narrow(dim, index + 1, tensor.shape[dim] - index - 1)], dim)


def _insert(tensor: Tensor, index: int, entry: Tensor, dim: int) -> Tensor:
    """Put ``entry``, of size 1 in ``dim``, before what is at ``index``."""
    return torch.cat([tensor.narrow(dim, 0, index), entry, tensor.narrow(dim, index, tensor.shape[dim] - index)], dim)


def _insert_inactive(activity: Activity, unit: int) -> Activity:
    """The activity with a unit that is never active, reads the null element alone and is not read."""
    active_mask, attention, comm = activity
    active_mask = _insert(active_mask, unit, torch.zeros_like(active_mask[..., :1]), dim=2)
    if attention is not None:
        nothing = torch.zeros_like(attention[:, :, :, :1])
        nothing[..., 0] = 1
        attention = _insert(attention, unit, nothing, dim=3)
    if comm is not None:
        comm = _insert(comm, unit, torch.zeros_like(comm[..., :1, :]), dim=3)
        comm = _insert(comm, unit, torch.zeros_like(comm[..., :1]), dim=4)
    return Activity(active_mask, attention, comm)

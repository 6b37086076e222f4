"""The RIM recurrence with the whole input side out of the time loop; README.md has the algebra.

With ``s`` the scores and ``a = softmax([0, s])``, the gates' input is ``sum_{e,n} a_{k,e,n} P_{t,k,e,n}`` and the
scores are ``h_k . U_{t,k,e,n}``, where P (values through the cell's input weights) and U (keys through the query
weights) do not depend on the state. Both are formed for all steps at once by batched matrix products. Inside the loop
every tensor has the units first, ``(K, B, ...)``, so that each product over units is one ``bmm`` without a copy.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim import segments
from rims_nlp.ops.rim.naive import (
    CELLS,
    attend_to_units,
    attend_with_null,
    comm_source,
    commit,
    compete,
    full_precision,
    project_input,
    uniform_attention,
    without_autocast,
)
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State

CHUNK_BYTES = 2**28
"""The input's share of the gates is formed for at most so many bytes at once."""


def hoist_scores(x: Tensor, weights: RIMWeights, options: RIMOptions) -> Tensor:
    """U: what the state is multiplied with to give the scores, ``(T, K, B, Hi*N, D)``; elements vary fastest."""
    heads, units, size = options.num_input_heads, options.num_units, options.input_key_size
    steps, batch, elements = x.shape[:3]
    unit_size = weights.weight_hh.shape[1]
    key = (
        project_input(x, weights.input_key, heads).permute(3, 0, 1, 2, 4).reshape(heads, steps * batch * elements, size)
    )
    query = weights.input_query.unflatten(-1, (heads, size)).permute(2, 3, 0, 1).reshape(heads, size, -1)
    with without_autocast(x):
        scaled = torch.bmm(full_precision(key), full_precision(query) / math.sqrt(size))  # (Hi, T*B*N, K*D)
    scaled = scaled.view(heads, steps, batch, elements, units, unit_size).permute(1, 4, 2, 0, 3, 5)
    return scaled.reshape(steps, units, batch, heads * elements, unit_size)


def hoist_gates(x: Tensor, weights: RIMWeights, options: RIMOptions, mask: Tensor | None) -> Tensor:
    """P: what the attention is multiplied with to give the gates' input, ``(T, K, B, Hi*N, G*D)``."""
    heads, units = options.num_input_heads, options.num_units
    steps, batch, elements = x.shape[:3]
    value = project_input(x, weights.input_value, heads).permute(3, 0, 1, 2, 4)  # (Hi, T, B, N, dv)
    rows, size, width = steps * batch * elements, value.shape[-1], weights.weight_ih.shape[-1]
    weight = weights.weight_ih.unflatten(1, (heads, size)).transpose(0, 1)  # (Hi, K, dv, G*D)
    if mask is None:
        joined = weight.transpose(1, 2).reshape(heads, size, units * width)
        gates = torch.bmm(value.reshape(heads, rows, size), joined)
        gates = gates.view(heads, steps, batch, elements, units, width).permute(1, 4, 2, 0, 3, 5)
    else:
        mask = mask.unflatten(-1, (heads, size)).permute(3, 2, 0, 1, 4).unsqueeze(-2)  # (Hi, K, T, B, 1, dv)
        dropped = (value.unsqueeze(1) * mask.to(value.dtype)).reshape(heads * units, rows, size)
        gates = torch.bmm(dropped, weight.reshape(heads * units, size, width))
        gates = gates.view(heads, units, steps, batch, elements, width).permute(2, 1, 3, 0, 4, 5)
    return gates.reshape(steps, units, batch, heads * elements, width)


class InputSide:
    """What the input contributes to every step: attention, choice of units, and the gates' input.

    Args:
        x: ``(T, B, N, input_size)``.
        mask: dropout mask of the read values ``(T, B, K, Hi*dv)``, or None.
    """

    def __init__(self, x: Tensor, weights: RIMWeights, options: RIMOptions, mask: Tensor | None) -> None:
        self.options = options
        self.heads, self.elements = options.num_input_heads, x.shape[2]
        self.gates = hoist_gates(x, weights, options, mask).unbind(0)
        self.keys = hoist_scores(x, weights, options).unbind(0) if options.input_attention else None
        self.bias = None if weights.bias_ih is None else weights.bias_ih.unsqueeze(1)
        self.everyone = torch.ones(options.num_units, x.shape[1], dtype=torch.bool, device=x.device)
        self.uniform = x.new_full((options.num_units, x.shape[1], self.heads * self.elements), 1 / self.elements)

    def attend(self, h: Tensor, t: int) -> tuple[Tensor, Tensor, Tensor | None]:
        """Attention ``(K, B, Hi*N)``, active units ``(K, B)``, scores ``(K, B, Hi, N)`` at step t; h ``(K, B, D)``.

        Without input attention there are no scores: None.
        """
        if self.keys is None:
            return self.uniform, self.everyone, None
        scores = (full_precision(h).unsqueeze(2) * self.keys[t]).sum(-1).unflatten(-1, (self.heads, self.elements))
        # With one element the softmax over its score and the null element's 0 is a sigmoid.
        attention = torch.sigmoid(scores) if self.elements == 1 else attend_with_null(scores)[..., 1:]
        active = self.everyone
        if self.options.competes:
            active = compete(scores.permute(1, 2, 0, 3), self.options.num_active).t()
        return attention.flatten(-2), active, scores

    def gate_input(self, attention: Tensor, t: int) -> Tensor:
        """``(K, B, G*D)``: the attention-weighted sum of step t's terms, and the bias."""
        terms = self.gates[t]
        attention = attention.to(terms.dtype).unsqueeze(-1)
        total = (attention * terms).squeeze(2) if terms.shape[2] == 1 else (attention * terms).sum(dim=2)
        return total if self.bias is None else total + self.bias


class CommWeights:
    """The communication weights of a layer, joined once per sequence: one product for all projections of a step."""

    def __init__(self, weights: RIMWeights, options: RIMOptions) -> None:
        self.options = options
        self.project = torch.cat([weights.comm_query, weights.comm_key, weights.comm_value], dim=-1)  # type: ignore[list-item]
        keys = options.num_comm_heads * options.comm_key_size
        self.splits = [keys, keys, options.num_comm_heads * options.comm_value_size]
        if options.comm_update == "gated":
            self.out = torch.cat([weights.comm_out_weight, weights.comm_gate_weight], dim=-1)  # type: ignore[list-item]
            self.bias = torch.cat([weights.comm_out_bias, weights.comm_gate_bias])  # type: ignore[list-item]
        else:
            self.out = weights.comm_out_weight  # type: ignore[assignment]

    def __call__(self, candidate: Tensor, h: Tensor, active: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
        """Update ``(K, B, D)`` and attention ``(B, Hc, K, K)``; mask ``(K, B, D)``."""
        source = comm_source(candidate, h, active, self.options)
        projected = torch.bmm(source.to(self.project.dtype), self.project).transpose(0, 1)
        query, key, value = (
            part.unflatten(-1, (self.options.num_comm_heads, -1)) for part in projected.split(self.splits, dim=-1)
        )  # (B, K, Hc, size)
        attention = attend_to_units(query, key, self.options)
        read = torch.matmul(attention.to(value.dtype), value.transpose(1, 2))  # (B, Hc, K, dcv)
        read = read.permute(2, 0, 1, 3).flatten(-2)  # (K, B, Hc*dcv)
        if self.options.comm_update == "residual":
            update = torch.bmm(read, self.out)
            return (update if mask is None else update * mask), attention
        update, gate = (read @ self.out + self.bias).chunk(2, dim=-1)
        return torch.sigmoid(gate) * torch.tanh(update if mask is None else update * mask), attention


def _segment(
    x: Tensor,
    state: State,
    weights: RIMWeights,
    options: RIMOptions,
    *,
    masks: DropoutMasks,
    schedule: Schedule,
    return_activity: bool,
) -> tuple[Tensor, State, Activity]:
    """The recurrence over some steps, the input side of all of them before the loop."""
    input_side = InputSide(x, weights, options, masks.read)
    comm = CommWeights(weights, options) if options.communication else None
    comm_masks = None if masks.comm is None else masks.comm.transpose(1, 2).unbind(0)
    weight_hh, bias_hh = weights.weight_hh, 0 if weights.bias_hh is None else weights.bias_hh.unsqueeze(1)
    state = tuple(part.transpose(0, 1) for part in state)
    outputs, trace = [], []
    for t in range(x.shape[0]):
        h = state[0]
        attention, active, scores = input_side.attend(h, t)
        if schedule.update is not None:
            active = active & schedule.update[t]
        hidden_gates = torch.bmm(h.to(weight_hh.dtype), weight_hh) + bias_hh
        candidate = CELLS[options.cell](input_side.gate_input(attention, t), hidden_gates, state)
        comm_attention = None
        if comm is not None and (schedule.communicate is None or schedule.communicate[t]):
            added, comm_attention = comm(candidate[0], h, active, None if comm_masks is None else comm_masks[t])
            candidate = (candidate[0] + added, *candidate[1:])
        state = commit(active, candidate, state)
        outputs.append(state[0])
        trace.append((active, scores, comm_attention) if return_activity else (active, None, None))
    output = torch.stack(outputs).transpose(1, 2)
    if return_activity:
        activity = collect_activity(trace, x, options)
    else:
        activity = Activity(torch.stack([entry[0] for entry in trace]).transpose(1, 2))
    return output, tuple(part.transpose(0, 1) for part in state), activity


def collect_activity(
    trace: list[tuple[Tensor, Tensor | None, Tensor | None]], x: Tensor, options: RIMOptions
) -> Activity:
    """Stack the steps' active units, scores and communication attention, units back behind the batch."""
    active, scores, comm = zip(*trace, strict=True)
    active_mask = torch.stack(active).transpose(1, 2)  # (T, B, K)
    steps, batch, units = active_mask.shape
    if scores[0] is None:
        attention = uniform_attention(x, (steps, batch, options.num_input_heads, units, x.shape[2]))
    else:
        attention = attend_with_null(torch.stack(scores).permute(0, 2, 3, 1, 4))
    comm_attention = None
    if options.communication:
        silent = attention.new_zeros(batch, options.num_comm_heads, units, units)  # a step without communication
        comm_attention = torch.stack([silent if step is None else step for step in comm])
    return Activity(active_mask, attention, comm_attention)


def sequence(
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
    """As :func:`rims_nlp.ops.rim.naive.sequence`, with the input side hoisted; a long input in segments."""

    def run(first: int, last: int, state: State) -> tuple[Tensor, State, Activity]:
        return _segment(
            x[first:last],
            state,
            weights,
            options,
            masks=masks.steps(first, last),
            schedule=schedule.steps(first, last),
            return_activity=return_activity,
        )

    steps, batch, elements = x.shape[:3]
    gates = weights.weight_hh.numel() // weights.weight_hh.shape[1]
    step_bytes = batch * elements * options.num_input_heads * gates * x.element_size()
    return segments.run_each(run, segments.cut(steps, step_bytes, CHUNK_BYTES), state)

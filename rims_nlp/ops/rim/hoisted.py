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
from rims_nlp.ops.rim.naive import CELLS, attend_to_units, comm_source, compete, full_precision, project_input
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State


def hoist_scores(x: Tensor, weights: RIMWeights, options: RIMOptions) -> Tensor:
    """U: what the state is multiplied with to give the scores, ``(T, K, B, Hi*N, D)``; elements vary fastest."""
    heads, units = options.num_input_heads, options.num_units
    steps, batch, elements = x.shape[:3]
    key = project_input(x, weights.input_key, heads).permute(3, 0, 1, 2, 4).reshape(heads, -1, options.input_key_size)
    query = (
        weights.input_query.unflatten(-1, (heads, -1)).permute(2, 3, 0, 1).reshape(heads, options.input_key_size, -1)
    )
    scaled = torch.bmm(key, query / math.sqrt(options.input_key_size))  # (Hi, T*B*N, K*D)
    scaled = scaled.view(heads, steps, batch, elements, units, -1).permute(1, 4, 2, 0, 3, 5)
    return full_precision(scaled.reshape(steps, units, batch, heads * elements, -1))


def hoist_gates(x: Tensor, weights: RIMWeights, options: RIMOptions, mask: Tensor | None) -> Tensor:
    """P: what the attention is multiplied with to give the gates' input, ``(T, K, B, Hi*N, G*D)``."""
    heads, units = options.num_input_heads, options.num_units
    steps, batch, elements = x.shape[:3]
    value = project_input(x, weights.input_value, heads).permute(3, 0, 1, 2, 4)  # (Hi, T, B, N, dv)
    size = value.shape[-1]
    weight = weights.weight_ih.unflatten(1, (heads, size)).transpose(0, 1)  # (Hi, K, dv, G*D)
    if mask is None:
        gates = torch.bmm(value.reshape(heads, -1, size), weight.transpose(1, 2).reshape(heads, size, -1))
        gates = gates.view(heads, steps, batch, elements, units, -1).permute(1, 4, 2, 0, 3, 5)
    else:
        mask = mask.unflatten(-1, (heads, size)).permute(3, 2, 0, 1, 4).unsqueeze(-2)  # (Hi, K, T, B, 1, dv)
        dropped = (value.unsqueeze(1) * mask.to(value.dtype)).reshape(heads * units, -1, size)
        gates = torch.bmm(dropped, weight.reshape(heads * units, size, -1))
        gates = gates.view(heads, units, steps, batch, elements, -1).permute(2, 1, 3, 0, 4, 5)
    return gates.reshape(steps, units, batch, heads * elements, -1)


def weighted_sum(attention: Tensor, gates: Tensor) -> Tensor:
    """``(K, B, M)`` weights and ``(K, B, M, G*D)`` terms to ``(K, B, G*D)``."""
    if gates.shape[2] == 1:
        return attention * gates.squeeze(2)
    return (attention.unsqueeze(-1) * gates).sum(dim=2)


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


def sequence(
    x: Tensor,
    state: State,
    weights: RIMWeights,
    options: RIMOptions,
    *,
    masks: DropoutMasks,
    schedule: Schedule,
    return_activity: bool,
) -> tuple[Tensor, State, Activity | None]:
    """As :func:`rims_nlp.ops.rim.naive.sequence`, with the input side hoisted."""
    heads, units = options.num_input_heads, options.num_units
    steps, batch, elements = x.shape[:3]
    gates = hoist_gates(x, weights, options, masks.read).unbind(0)
    keys = hoist_scores(x, weights, options).unbind(0) if options.input_attention else None
    comm = CommWeights(weights, options) if options.communication else None
    comm_masks = None if masks.comm is None else masks.comm.transpose(1, 2).unbind(0)
    cell = CELLS[options.cell]
    bias_ih = weights.bias_ih.unsqueeze(1) if weights.bias_ih is not None else None
    state = tuple(part.transpose(0, 1) for part in state)
    everyone = torch.ones(units, batch, dtype=torch.bool, device=x.device)
    uniform = x.new_full((units, batch, heads * elements), 1 / elements)
    outputs, trace = [], []
    for t in range(steps):
        h = state[0]
        attention, active = uniform, everyone
        if keys is not None:
            scores = (full_precision(h).unsqueeze(2) * keys[t]).sum(-1)  # (K, B, Hi*N)
            by_head = scores.view(units, batch, heads, elements)
            attention = _attend(by_head).flatten(-2)
            if options.competes:
                active = compete(by_head.permute(1, 2, 0, 3), options.num_active).t()
        if schedule.update is not None:
            active = active & schedule.update[t]
        input_gates = weighted_sum(attention.to(gates[t].dtype), gates[t])
        hidden_gates = torch.bmm(h.to(weights.weight_hh.dtype), weights.weight_hh)
        if bias_ih is not None:
            input_gates = input_gates + bias_ih
            hidden_gates = hidden_gates + weights.bias_hh.unsqueeze(1)  # type: ignore[union-attr]
        candidate = cell(input_gates, hidden_gates, state)
        comm_attention = None
        if comm is not None:
            if schedule.communicate is None or schedule.communicate[t]:
                added, comm_attention = comm(candidate[0], h, active, None if comm_masks is None else comm_masks[t])
                candidate = (candidate[0] + added, *candidate[1:])
            elif return_activity:
                comm_attention = h.new_zeros(batch, options.num_comm_heads, units, units)
        keep = active.unsqueeze(-1)
        state = tuple(torch.where(keep, n.to(o.dtype), o) for n, o in zip(candidate, state, strict=True))
        outputs.append(state[0])
        if return_activity:
            trace.append((active, attention, comm_attention))
    output = torch.stack(outputs).transpose(1, 2)
    activity = _activity(trace, heads) if return_activity else None
    return output, tuple(part.transpose(0, 1) for part in state), activity


def _attend(scores: Tensor) -> Tensor:
    """Attention over the input elements beside a null element of score 0; ``(..., N)``. N = 1 is a sigmoid."""
    if scores.shape[-1] == 1:
        return torch.sigmoid(scores)
    return torch.softmax(torch.nn.functional.pad(scores, (1, 0)), dim=-1)[..., 1:]


def _activity(trace: list, heads: int) -> Activity:
    """Stack the steps, units back behind the batch, the null element's probability in front."""
    active, attention, comm = zip(*trace, strict=True)
    weights = torch.stack(attention).unflatten(-1, (heads, -1)).permute(0, 2, 3, 1, 4)  # (T, B, Hi, K, N)
    null = 1 - weights.sum(-1, keepdim=True)
    return Activity(
        torch.stack(active).transpose(1, 2),
        torch.cat([null, weights], dim=-1),
        None if comm[0] is None else torch.stack(comm),
    )

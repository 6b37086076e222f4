"""The RIM recurrence step by step, as the equations have it: slow, and what every faster rung is tested against.

Goyal et al. (2021), "Recurrent Independent Mechanisms". Shape letters: B batch, T time, K units, D unit size,
N input elements, Hi / Hc input / communication heads, G gates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State


def full_precision(tensor: Tensor) -> Tensor:
    """Scores, softmax and ranking are done in float32 at least: half precision ties nearly always."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def without_autocast(tensor: Tensor) -> torch.autocast:
    """Context in which products of float32 tensors stay float32."""
    return torch.autocast(device_type=tensor.device.type, enabled=False)


def project_input(x: Tensor, weight: Tensor, num_heads: int) -> Tensor:
    """Project input elements with weights shared by the positions, or with each position's own.

    Args:
        x: ``(..., N, input_size)``.
        weight: ``(input_size, heads*size)``, or ``(N, input_size, heads*size)``.
        num_heads: heads in the last dimension.

    Returns:
        ``(..., N, heads, size)``.
    """
    projected = x @ weight if weight.dim() == 2 else (x.unsqueeze(-2) @ weight).squeeze(-2)
    return projected.unflatten(-1, (num_heads, -1))


def input_scores(h: Tensor, x: Tensor, weights: RIMWeights, options: RIMOptions) -> Tensor:
    """Score each input element for each unit (Sec. 2.2, Eq. 1): query of the state before the step, key of the input.

    Args:
        h: ``(B, K, D)``.
        x: ``(B, N, input_size)``.

    Returns:
        ``(B, Hi, K, N)``. The null element is not in it: its key is zero, so its score is exactly 0.
    """
    query = torch.einsum("bkd,kde->bke", h, weights.input_query).unflatten(-1, (options.num_input_heads, -1))
    key = project_input(x, weights.input_key, options.num_input_heads)
    with without_autocast(query):
        scores = torch.einsum("bkhe,bnhe->bhkn", full_precision(query), full_precision(key))
    return scores / math.sqrt(options.input_key_size)


def attend_with_null(scores: Tensor) -> Tensor:
    """Softmax over the null element (score 0, index 0) and the input: ``(..., N) -> (..., N+1)`` (Eq. 2)."""
    return torch.softmax(torch.nn.functional.pad(scores, (1, 0)), dim=-1)


def uniform_attention(like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The ablation of the input attention: weight 1 spread over N elements, null has none; ``(..., N+1)``."""
    return torch.nn.functional.pad(like.new_full(shape, 1 / shape[-1]), (1, 0))


def compete(scores: Tensor, num_active: int) -> Tensor:
    """Choose the ``num_active`` units with the smallest null probability, averaged over heads (Sec. 2.2).

    Ranked by ``mean_e tanh(logsumexp(scores) / 2) = 1 - 2 * null``, which keeps full relative precision where the
    probability itself would round to a tie. Remaining ties go to the lowest index. No gradient passes.

    Args:
        scores: ``(B, Hi, K, N)``.
        num_active: units to keep (k_A).

    Returns:
        ``(B, K)`` bool, exactly ``num_active`` True per row.
    """
    rank = torch.tanh(torch.logsumexp(scores.detach(), dim=-1) / 2).mean(dim=1)
    winners = torch.sort(rank, dim=-1, descending=True, stable=True).indices[:, :num_active]
    return torch.zeros_like(rank, dtype=torch.bool).scatter_(1, winners, True)


def read_input(attention: Tensor, x: Tensor, weights: RIMWeights, options: RIMOptions) -> Tensor:
    """What each unit reads: attention-weighted values, heads concatenated ``(B, K, Hi*dv)``; null contributes 0."""
    value = project_input(x, weights.input_value, options.num_input_heads)
    return torch.einsum("bhkn,bnhv->bkhv", attention[..., 1:].to(value.dtype), value).flatten(-2)


def lstm_cell(input_gates: Tensor, hidden_gates: Tensor, state: State) -> State:
    """LSTM update of every unit; gates ``(..., 4*D)`` in torch's order i, f, g, o (Sec. 2.3)."""
    i, f, g, o = (input_gates + hidden_gates).chunk(4, dim=-1)
    c = torch.sigmoid(f) * state[1] + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_cell(input_gates: Tensor, hidden_gates: Tensor, state: State) -> State:
    """GRU update of every unit; gates ``(..., 3*D)`` in torch's order r, z, n."""
    (r, z, n), (hidden_r, hidden_z, hidden_n) = input_gates.chunk(3, dim=-1), hidden_gates.chunk(3, dim=-1)
    z = torch.sigmoid(z + hidden_z)
    n = torch.tanh(n + torch.sigmoid(r + hidden_r) * hidden_n)
    return ((1 - z) * n + z * state[0],)


CELLS = {"lstm": lstm_cell, "gru": gru_cell}


def comm_source(candidate: Tensor, h: Tensor, active: Tensor, options: RIMOptions) -> Tensor:
    """The states that units show to each other, ``(B, K, D)``; see ``comm_source`` and ``block_inactive_grad``."""
    inactive = candidate if options.comm_source == "candidate" else h
    return torch.where(active.unsqueeze(-1), candidate, inactive.detach() if options.block_inactive_grad else inactive)


def attend_to_units(query: Tensor, key: Tensor, options: RIMOptions) -> Tensor:
    """Attention of units over units (Sec. 2.4): query, key ``(B, K, Hc, dc)`` to ``(B, Hc, K, K)``, row = reader."""
    with without_autocast(query):
        scores = torch.einsum("bkhe,bjhe->bhkj", full_precision(query), full_precision(key))
    scores = scores / math.sqrt(options.comm_key_size)
    if options.comm_top_k is not None:
        kept = torch.sort(scores.detach(), dim=-1, descending=True, stable=True).indices[..., : options.comm_top_k]
        scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).scatter_(-1, kept, False), -math.inf)
    return torch.softmax(scores, dim=-1)


def comm_update(read: Tensor, mask: Tensor | None, weights: RIMWeights, options: RIMOptions) -> Tensor:
    """What communication adds to a state: read ``(B, K, Hc*dcv)``, dropout mask ``(B, K, D)``, to ``(B, K, D)``."""
    assert weights.comm_out_weight is not None
    if options.comm_update == "residual":
        update = torch.einsum("bke,ked->bkd", read, weights.comm_out_weight)
        return update if mask is None else update * mask
    assert weights.comm_out_bias is not None
    assert weights.comm_gate_weight is not None and weights.comm_gate_bias is not None
    update = read @ weights.comm_out_weight + weights.comm_out_bias
    gate = read @ weights.comm_gate_weight + weights.comm_gate_bias
    return torch.sigmoid(gate) * torch.tanh(update if mask is None else update * mask)


def communicate(
    candidate: Tensor, h: Tensor, active: Tensor, mask: Tensor | None, weights: RIMWeights, options: RIMOptions
) -> tuple[Tensor, Tensor]:
    """Let units read each other: ``(B, K, D)`` to add to the candidate state, and the attention ``(B, Hc, K, K)``."""
    source = comm_source(candidate, h, active, options)
    query, key, value = (
        torch.einsum("bkd,kde->bke", source, weight).unflatten(-1, (options.num_comm_heads, -1))
        for weight in (weights.comm_query, weights.comm_key, weights.comm_value)
    )
    attention = attend_to_units(query, key, options)
    read = torch.einsum("bhkj,bjhe->bkhe", attention.to(value.dtype), value).flatten(-2)
    return comm_update(read, mask, weights, options), attention


def commit(active: Tensor, new: State, old: State) -> State:
    """Active units take the new state, the others keep the old one bit for bit; active ``(B, K)``."""
    return tuple(torch.where(active.unsqueeze(-1), n.to(o.dtype), o) for n, o in zip(new, old, strict=True))


def step(
    x: Tensor,
    state: State,
    weights: RIMWeights,
    options: RIMOptions,
    *,
    read_mask: Tensor | None = None,
    comm_mask: Tensor | None = None,
    update: Tensor | None = None,
    communicates: bool = True,
) -> tuple[State, Activity]:
    """One step of the recurrence.

    Args:
        x: input elements, ``(B, N, input_size)``, without the null element.
        state: ``(B, K, D)`` each.
        weights: of this layer and direction.
        options: of this layer, resolved.
        read_mask: dropout mask ``(B, K, Hi*dv)``.
        comm_mask: dropout mask ``(B, K, D)``.
        update: ``(B,)`` bool; False freezes a sequence's whole state.
        communicates: False skips communication at this step.

    Returns:
        The next state, and the activity at this step. An attention that did not take place (input_attention=False)
        is reported as weight 1 spread over the input; communication that did not take place as zeros.
    """
    h = state[0]
    batch, num_elements = x.shape[:2]
    if options.input_attention:
        scores = input_scores(h, x, weights, options)
        attention = attend_with_null(scores)
    else:
        attention = uniform_attention(h, (batch, options.num_input_heads, options.num_units, num_elements))
    if options.competes:
        active = compete(scores, options.num_active)
    else:
        active = torch.ones(batch, options.num_units, dtype=torch.bool, device=x.device)
    if update is not None:
        active = active & update.unsqueeze(-1)
    read = read_input(attention, x, weights, options)
    if read_mask is not None:
        read = read * read_mask
    input_gates = torch.einsum("bkv,kvg->bkg", read, weights.weight_ih)
    hidden_gates = torch.einsum("bkd,kdg->bkg", h, weights.weight_hh)
    if options.bias:
        assert weights.bias_ih is not None and weights.bias_hh is not None
        input_gates, hidden_gates = input_gates + weights.bias_ih, hidden_gates + weights.bias_hh
    candidate = CELLS[options.cell](input_gates, hidden_gates, state)
    comm_attention = None
    if options.communication:
        if communicates:
            added, comm_attention = communicate(candidate[0], h, active, comm_mask, weights, options)
            candidate = (candidate[0] + added, *candidate[1:])
        else:
            comm_attention = h.new_zeros(batch, options.num_comm_heads, options.num_units, options.num_units)
    return commit(active, candidate, state), Activity(active, attention, comm_attention)


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
    """Run :func:`step` over ``x`` ``(T, B, N, input_size)``.

    Returns:
        h after every step ``(T, B, K, D)``, the final state, and the activity with a leading T: the active units, and
        their attention if ``return_activity``. ``prepared`` weights are not used.
    """
    outputs, trace = [], []
    for t in range(x.shape[0]):
        state, activity = step(
            x[t],
            state,
            weights,
            options,
            read_mask=None if masks.read is None else masks.read[t],
            comm_mask=None if masks.comm is None else masks.comm[t],
            update=None if schedule.update is None else schedule.update[t],
            communicates=schedule.communicate is None or schedule.communicate[t],
        )
        outputs.append(state[0])
        trace.append(activity)
    return torch.stack(outputs), state, stack_activity(trace, return_activity)


def stack_activity(trace: list[Activity], with_attention: bool) -> Activity:
    """Activities of single steps as one, with a leading T."""
    fields = list(zip(*trace, strict=True))
    wanted = fields if with_attention else fields[:1]
    return Activity(*(None if field[0] is None else torch.stack(field) for field in wanted))  # type: ignore[arg-type]

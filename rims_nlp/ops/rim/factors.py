"""The weights as the fused recurrence uses them: joined, folded, and cut into factors of large products."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.hoisted import project_input
from rims_nlp.ops.rim.types import DropoutMasks, RIMWeights


class Joined(NamedTuple):
    """Weights ready for use; letters as in :mod:`rims_nlp.ops.rim.kernel`."""

    input_value: Tensor | None  # (input_size, Hi*dv); None: folded into value_weight
    value_weight: Tensor  # (Hi, K, R, G*D), R = dv, or input_size if folded
    input_key: Tensor | None  # (input_size, Hi*dk); None: no input attention
    query_weight: Tensor | None  # (Hi, dk, K*D), scaled by 1 / sqrt(dk)
    weight_hh: Tensor  # (K, D, G*D)
    bias_ih: Tensor | None  # (K, G*D); LSTM: the sum of both
    bias_hh: Tensor | None  # (K, G*D), GRU only
    project: Tensor | None  # (K, D, P); None: no communication
    out_weight: Tensor | None  # gated (V, 2D), residual (K, V, D)
    out_bias: Tensor | None  # gated (2D)


def fold_is_cheaper(rows: int, weights: RIMWeights, options: RIMOptions, masks: DropoutMasks) -> bool:
    """Whether to join the value projection and the cells' input weights into one matrix, to use it on ``rows`` inputs.

    Not possible with a dropout mask between the two or with weights for each position.
    """
    if masks.read is not None or weights.input_value.dim() == 3:
        return False
    width = weights.weight_ih.shape[0] * weights.weight_ih.shape[-1]
    heads, (size, values) = options.num_input_heads, weights.input_value.shape
    joining, folded = size * values * width, heads * size * width
    return joining + rows * folded < rows * values * (size + width)


def join(weights: RIMWeights, options: RIMOptions, *, fold: bool) -> Joined:
    """The weights joined; with ``fold``, the value projection and the cells' input weights too."""
    heads = options.num_input_heads
    value_weight = weights.weight_ih.unflatten(1, (heads, -1)).transpose(0, 1)  # (Hi, K, dv, G*D)
    if fold:
        value = weights.input_value.unflatten(-1, (heads, -1)).transpose(0, 1)  # (Hi, input_size, dv)
        value_weight = value.unsqueeze(1) @ value_weight
    query = None
    if options.input_attention:
        query = weights.input_query.unflatten(-1, (heads, -1)).permute(2, 3, 0, 1).flatten(2)
        query = query / math.sqrt(options.input_key_size)
    bias_ih, bias_hh = weights.bias_ih, weights.bias_hh
    if options.cell == "lstm" and bias_ih is not None and bias_hh is not None:
        bias_ih, bias_hh = bias_ih + bias_hh, None
    return Joined(
        None if fold else weights.input_value,
        value_weight,
        weights.input_key if options.input_attention else None,
        query,
        weights.weight_hh,
        bias_ih,
        bias_hh,
        *_join_communication(weights, options),
    )


def _join_communication(weights: RIMWeights, options: RIMOptions) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Joined projections, output weight and output bias; None each without communication."""
    if not options.communication:
        return None, None, None
    project = torch.cat([weights.comm_query, weights.comm_key, weights.comm_value], dim=-1)  # type: ignore[list-item]
    if options.comm_update == "residual":
        return project, weights.comm_out_weight, None
    out = torch.cat([weights.comm_out_weight, weights.comm_gate_weight], dim=-1)  # type: ignore[list-item]
    return project, out, torch.cat([weights.comm_out_bias, weights.comm_gate_bias])  # type: ignore[list-item]


def values(x: Tensor, joined: Joined, options: RIMOptions) -> Tensor:
    """What ``value_weight`` is multiplied with, ``(Hi or 1, T*B*N, R)``: projected values, or, folded, the input."""
    if joined.input_value is None:
        return x.contiguous().flatten(0, 2).unsqueeze(0)
    return project_input(x, joined.input_value, options.num_input_heads).flatten(0, 2).transpose(0, 1).contiguous()


def keys(x: Tensor, joined: Joined, options: RIMOptions) -> Tensor | None:
    """What ``query_weight`` is multiplied with, ``(Hi, T*B*N, dk)``."""
    if joined.input_key is None:
        return None
    return project_input(x, joined.input_key, options.num_input_heads).flatten(0, 2).transpose(0, 1).contiguous()

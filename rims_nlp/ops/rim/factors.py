"""The weights as the fused recurrence uses them: joined, folded, and cut into factors of large products."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.hoisted import project_input
from rims_nlp.ops.rim.types import RIMWeights


def fold_is_cheaper(x: Tensor, weights: RIMWeights, options: RIMOptions, mask: Tensor | None) -> bool:
    """Whether to join the value projection and the cells' input weights into one matrix before using them.

    Not possible with a dropout mask between the two or with weights for each position.
    """
    if mask is not None or weights.input_value.dim() == 3:
        return False
    rows, width = x.shape[:-1].numel(), weights.weight_ih.shape[0] * weights.weight_ih.shape[-1]
    heads, value = options.num_input_heads, weights.input_value.shape[-1] // options.num_input_heads
    joining = heads * x.shape[-1] * value * width
    return joining + rows * heads * x.shape[-1] * width < rows * heads * value * (x.shape[-1] + width)


def value_side(x: Tensor, weights: RIMWeights, options: RIMOptions, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The two factors of the input's share of the gates.

    Returns:
        rows ``(Hi or 1, T*B*N, R)`` and weight ``(Hi, K, R, G*D)``: projected values with the cells' input weights, or,
        folded, the input itself with the product of both weights.
    """
    heads = options.num_input_heads
    weight_ih = weights.weight_ih.unflatten(1, (heads, -1)).transpose(0, 1)  # (Hi, K, dv, G*D)
    if fold_is_cheaper(x, weights, options, mask):
        value = weights.input_value.unflatten(-1, (heads, -1)).transpose(0, 1)  # (Hi, input_size, dv)
        return x.flatten(0, 2).unsqueeze(0), value.unsqueeze(1) @ weight_ih
    values = project_input(x, weights.input_value, heads).flatten(0, 2).transpose(0, 1)  # (Hi, T*B*N, dv)
    return values.contiguous(), weight_ih


def key_side(x: Tensor, weights: RIMWeights, options: RIMOptions) -> tuple[Tensor, Tensor]:
    """The two factors of the input's share of the scores: keys ``(Hi, T*B*N, dk)``, weight ``(Hi, dk, K*D)``."""
    heads, size = options.num_input_heads, options.input_key_size
    keys = project_input(x, weights.input_key, heads).flatten(0, 2).transpose(0, 1)
    query = weights.input_query.unflatten(-1, (heads, size)).permute(2, 3, 0, 1).flatten(2)
    return keys.contiguous(), query / math.sqrt(size)


def communication_side(weights: RIMWeights, options: RIMOptions) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Joined projections ``(K, D, P)``, output weight and output bias; None each without communication."""
    if not options.communication:
        return None, None, None
    project = torch.cat([weights.comm_query, weights.comm_key, weights.comm_value], dim=-1)  # type: ignore[list-item]
    if options.comm_update == "residual":
        return project, weights.comm_out_weight, None
    out = torch.cat([weights.comm_out_weight, weights.comm_gate_weight], dim=-1)  # type: ignore[list-item]
    return project, out, torch.cat([weights.comm_out_bias, weights.comm_gate_bias])  # type: ignore[list-item]

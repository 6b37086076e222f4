"""Gradients of weights and input by large products, for kernels that leave them to torch.

The rows of inactive units are 0 in the gradient buffers, so that every product is over all rows.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rims_nlp.ops.rim.kernel import Gradients, Inputs, Operands, Outputs, Problem


def add_totals(
    problem: Problem, operands: Operands, inputs: Inputs, outputs: Outputs, gradients: Gradients, totals: Operands
) -> None:
    """Add a chunk's gradients; see :class:`rims_nlp.ops.rim.kernel.Kernel`."""
    hidden = gradients.hidden_gates
    before = torch.cat([inputs.h.unsqueeze(0), outputs.h[:-1]]).flatten(0, 1)  # (T*B, K, D)
    _add(totals.weight_hh, before.permute(1, 2, 0), hidden)
    if totals.bias_ih is not None:
        totals.bias_ih.add_(gradients.gates.sum(1))
    if totals.bias_hh is not None:
        totals.bias_hh.add_(hidden.sum(1))
    _add_communication(outputs, gradients, totals)
    for entry in range(problem.entries):
        _add_input(problem, operands, entry, outputs, gradients.gates, totals)


def _add(total: Tensor, left: Tensor, right: Tensor) -> None:
    """``total += left right`` for each unit, in the precision of the total."""
    total.add_(torch.bmm(left.to(right.dtype), right))


def _add_communication(outputs: Outputs, gradients: Gradients, totals: Operands) -> None:
    """Of the projections, and of the weights between what units read and their update."""
    if outputs.source is None or gradients.project is None or gradients.update is None or gradients.read is None:
        return
    assert totals.project is not None and totals.out_weight is not None
    _add(totals.project, outputs.source.flatten(0, 1).permute(1, 2, 0), gradients.project.flatten(0, 1).transpose(0, 1))
    read, update = gradients.read, gradients.update
    if totals.out_bias is None:
        _add(totals.out_weight, read.transpose(1, 2), update)
    else:
        totals.out_weight.add_(read.flatten(0, 1).t() @ update.flatten(0, 1))
        totals.out_bias.add_(update.sum((0, 1)))


def _add_input(
    problem: Problem, operands: Operands, entry: int, outputs: Outputs, gates: Tensor, totals: Operands
) -> None:
    """Of what the units read from one element with one head."""
    head, element = divmod(entry, problem.elements)
    row = head if operands.rows.shape[0] > 1 else 0
    scale = outputs.attention.flatten(0, 1)[..., entry].t().unsqueeze(-1)  # (K, T*B, 1)
    if operands.read_mask is not None:
        mask = operands.read_mask.flatten(0, 1).unflatten(-1, (problem.options.num_input_heads, -1))[:, :, head]
        scale = scale * mask.transpose(0, 1)
    values = operands.rows[row, element :: problem.elements]
    _add(totals.value_weight[head], (values * scale).transpose(1, 2), gates)
    grad = torch.bmm(gates, operands.value_weight[head].transpose(1, 2).to(gates.dtype)) * scale
    totals.rows[row, element :: problem.elements] += grad.sum(0)

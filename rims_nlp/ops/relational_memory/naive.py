"""The relational memory step by step, as the equations have it: slow, and what the faster rung is tested against.

Santoro et al. (2018), "Relational recurrent neural networks", Sec. 3; numerics of DeepMind's Sonnet, version 1. Shape
letters: B batch, T time, S slots, F width of a slot, G width of a gate.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from rims_nlp.ops.relational_memory.types import BlockWeights, Layers, MemoryOptions, MemoryWeights


def attend(rows: Tensor, block: BlockWeights, options: MemoryOptions) -> Tensor:
    """Multi-head attention of every row over all rows, heads joined without a projection: ``(B, R, F)``."""
    assert options.key_size is not None
    qkv = F.linear(rows, block.qkv_weight, block.qkv_bias)
    qkv = F.layer_norm(qkv, qkv.shape[-1:], block.qkv_scale, block.qkv_shift)
    query, key, value = (
        part.unflatten(-1, (options.num_heads, -1)).transpose(1, 2) for part in qkv.split(options.qkv_sizes, dim=-1)
    )  # (B, heads, R, size)
    weights = torch.softmax(query * options.key_size**-0.5 @ key.transpose(2, 3), dim=-1)
    return (weights @ value).transpose(1, 2).flatten(2)


def perceptron(rows: Tensor, layers: Layers) -> Tensor:
    """The MLP: ReLU between the layers, none after the last."""
    for index, (weight, bias) in enumerate(layers):
        rows = F.linear(torch.relu(rows) if index else rows, weight, bias)
    return rows


def attend_over_memory(rows: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Tensor:
    """All blocks: attention and MLP, each with a residual and a layer norm after it; ``(B, R, F)``."""
    for block in weights.blocks:
        rows = rows + attend(rows, block, options)
        rows = F.layer_norm(rows, rows.shape[-1:], block.attention_scale, block.attention_shift)
        rows = rows + perceptron(rows, weights.mlp)
        rows = F.layer_norm(rows, rows.shape[-1:], block.mlp_scale, block.mlp_shift)
    return rows


def gate(memory: Tensor, new: Tensor, z: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Tensor:
    """Mix the memory ``(B, S, F)`` and the new one; gates from the projected input z ``(B, F)`` and the old memory."""
    if options.gate_style is None:
        return new
    assert weights.input_gate_weight is not None and weights.memory_gate_weight is not None
    from_input = F.linear(z, weights.input_gate_weight, weights.input_gate_bias).unsqueeze(1)
    from_memory = F.linear(torch.tanh(memory), weights.memory_gate_weight, weights.memory_gate_bias)
    input_gate, forget_gate = (from_input + from_memory).chunk(2, dim=-1)
    kept = torch.sigmoid(forget_gate + options.forget_bias) * memory
    return kept + torch.sigmoid(input_gate + options.input_bias) * torch.tanh(new)


def step(x: Tensor, memory: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Tensor:
    """One step: input ``(B, input_size)`` and memory ``(B, S, F)`` to the next memory."""
    z = F.linear(x, weights.input_weight, weights.input_bias)
    rows = attend_over_memory(torch.cat([memory, z.unsqueeze(1)], dim=1), weights, options)
    return gate(memory, rows[:, :-1], z, weights, options)


def sequence(
    x: Tensor, memory: Tensor, weights: MemoryWeights, options: MemoryOptions, *, valid: Tensor | None = None
) -> Tensor:
    """Run :func:`step` over a sequence.

    Args:
        x: ``(T, B, input_size)``.
        memory: before the first step, ``(B, S, F)``.
        weights: of this layer and direction.
        options: of this layer.
        valid: ``(T, B)`` bool; False keeps a sequence's memory as it is. None: all steps are valid.

    Returns:
        The memory after every step, ``(T, B, S, F)``.
    """
    memories = []
    for t in range(x.shape[0]):
        new = step(x[t], memory, weights, options).to(memory.dtype)
        memory = new if valid is None else torch.where(valid[t, :, None, None], new, memory)
        memories.append(memory)
    return torch.stack(memories)

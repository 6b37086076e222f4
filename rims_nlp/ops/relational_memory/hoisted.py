"""The relational memory with the input's side out of the time loop; README.md has the algebra."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from rims_nlp.ops.relational_memory.types import Layers, MemoryOptions, MemoryWeights


class Hoisted(NamedTuple):
    """What the loop reads of the input, for all steps; without T, for one step."""

    z: Tensor  # (T, B, 1, F): the projected input
    qkv: Tensor  # (T, B, 1, 2 * heads * key_size + F): its queries, keys and values in the first block
    gates: Tensor | None  # (T, B, 1, 2 * G): its share of the gates, with all biases; None: no gates


def lower(weights: MemoryWeights, device: str) -> MemoryWeights:
    """The weights as autocast wants them: products in its precision, all else as it is."""
    if not torch.is_autocast_enabled(device):
        return weights
    dtype = torch.get_autocast_dtype(device)
    blocks = (
        block._replace(qkv_weight=block.qkv_weight.to(dtype), qkv_bias=block.qkv_bias.to(dtype))
        for block in weights.blocks
    )
    mlp = ((weight.to(dtype), bias.to(dtype)) for weight, bias in weights.mlp)
    others = {name: part.to(dtype) for name, part in weights._asdict().items() if isinstance(part, Tensor)}
    return weights._replace(blocks=tuple(blocks), mlp=tuple(mlp), **others)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """A product in the precision of the weight, returned in that of ``x``."""
    return F.linear(x.to(weight.dtype), weight, bias).to(x.dtype)


def hoist(x: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Hoisted:
    """What depends on the input ``(T, B, input_size)`` alone."""
    first = weights.blocks[0]
    z = linear(x, weights.input_weight, weights.input_bias).unsqueeze(2)
    qkv = linear(z, first.qkv_weight, first.qkv_bias)
    qkv = F.layer_norm(qkv, qkv.shape[-1:], first.qkv_scale, first.qkv_shift)
    if weights.input_gate_weight is None:
        return Hoisted(z, qkv, None)
    assert weights.input_gate_bias is not None and weights.memory_gate_bias is not None
    start = x.new_tensor([options.input_bias, options.forget_bias]).repeat_interleave(options.gate_size)
    bias = weights.input_gate_bias.to(x.dtype) + weights.memory_gate_bias.to(x.dtype) + start
    return Hoisted(z, qkv, linear(z, weights.input_gate_weight, None) + bias)


def attend(qkv: Tensor, options: MemoryOptions, queries: int) -> Tensor:
    """Attention of the first ``queries`` rows over all R rows; qkv ``(B, R, ...)`` to ``(B, queries, F)``."""
    query, key, value = (
        part.unflatten(-1, (options.num_heads, -1)).transpose(1, 2) for part in qkv.split(options.qkv_sizes, dim=-1)
    )  # (B, heads, R, size)
    return F.scaled_dot_product_attention(query[:, :, :queries], key, value).transpose(1, 2).flatten(2)


def perceptron(rows: Tensor, layers: Layers) -> Tensor:
    """The MLP: ReLU between the layers, none after the last."""
    for index, (weight, bias) in enumerate(layers):
        rows = linear(torch.relu(rows) if index else rows, weight, bias)
    return rows


def attend_over_memory(inputs: Hoisted, memory: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Tensor:
    """All blocks over the memory ``(B, S, F)`` and the input's row, which the last block only reads."""
    rows, last = memory, len(weights.blocks) - 1
    for index, block in enumerate(weights.blocks):
        qkv = linear(rows, block.qkv_weight, block.qkv_bias)
        qkv = F.layer_norm(qkv, qkv.shape[-1:], block.qkv_scale, block.qkv_shift)
        if index == 0:
            qkv = torch.cat([qkv, inputs.qkv], dim=1)
        if index == last:
            rows = rows[:, : options.mem_slots]
        elif index == 0:
            rows = torch.cat([rows, inputs.z], dim=1)
        rows = rows + attend(qkv, options, rows.shape[1])
        rows = F.layer_norm(rows, rows.shape[-1:], block.attention_scale, block.attention_shift)
        rows = rows + perceptron(rows, weights.mlp)
        rows = F.layer_norm(rows, rows.shape[-1:], block.mlp_scale, block.mlp_shift)
    return rows


def step(inputs: Hoisted, memory: Tensor, weights: MemoryWeights, options: MemoryOptions) -> Tensor:
    """One step: memory ``(B, S, F)`` to the next memory."""
    new = attend_over_memory(inputs, memory, weights, options)
    if weights.memory_gate_weight is None or inputs.gates is None:
        return new
    gates = torch.sigmoid(linear(torch.tanh(memory), weights.memory_gate_weight, None) + inputs.gates)
    input_gate, forget_gate = gates.chunk(2, dim=-1)
    return torch.addcmul(forget_gate * memory, input_gate, torch.tanh(new))


def sequence(
    x: Tensor, memory: Tensor, weights: MemoryWeights, options: MemoryOptions, *, valid: Tensor | None = None
) -> Tensor:
    """As :func:`rims_nlp.ops.relational_memory.naive.sequence`; the result has the precision of ``memory``."""
    weights = lower(weights, x.device.type)
    memories = []
    with torch.autocast(x.device.type, enabled=False):
        inputs = hoist(x.to(memory.dtype), weights, options)
        each_step = zip(*(part.unbind(0) for part in inputs if part is not None), strict=True)
        kept = None if valid is None else valid[..., None, None].unbind(0)
        for t, parts in enumerate(each_step):
            new = step(Hoisted(parts[0], parts[1], parts[2] if len(parts) > 2 else None), memory, weights, options)
            memory = new if kept is None else torch.where(kept[t], new, memory)
            memories.append(memory)
        return torch.stack(memories)

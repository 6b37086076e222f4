"""Padded batches: which steps are valid, and how a sequence is read backwards."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def valid_steps(lengths: Tensor, steps: int) -> Tensor:
    """``(T, B)`` bool, True where a step belongs to the sequence; lengths ``(B,)``."""
    return torch.arange(steps, device=lengths.device).unsqueeze(1) < lengths


def check_lengths(lengths: Tensor, steps: int, batch: int) -> Tensor:
    """Lengths as a ``(B,)`` int64 tensor; ValueError where they do not fit the batch."""
    lengths = torch.as_tensor(lengths)
    if lengths.is_floating_point() or lengths.dtype == torch.bool:
        raise ValueError(f"lengths must be integers, got {lengths.dtype}")
    if lengths.shape != (batch,):
        raise ValueError(f"lengths must have shape ({batch},), got {tuple(lengths.shape)}")
    if batch:
        least, most = torch.stack(lengths.aminmax()).tolist()  # a GPU is waited for once
        if least < 0 or most > steps:
            raise ValueError(f"lengths must be in [0, {steps}], got {least} to {most}")
    return lengths.long()


def reverse(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Reverse the valid part of each sequence of ``x`` ``(T, B, ...)`` and leave the padding where it is."""
    if lengths is None:
        return x.flip(0)
    steps = torch.arange(x.shape[0], device=x.device).unsqueeze(1)
    index = torch.where(steps < lengths, lengths - 1 - steps, steps)
    return x[index, torch.arange(x.shape[1], device=x.device)]


def unpack(packed: PackedSequence) -> tuple[Tensor, Tensor]:
    """A packed batch as padded ``(T, B, ...)`` and its lengths, in the caller's order."""
    padded, lengths = pad_packed_sequence(packed)
    return padded, lengths.to(padded.device)


def repack(output: Tensor, lengths: Tensor, like: PackedSequence) -> PackedSequence:
    """Pack ``output`` ``(T, B, ...)`` exactly as ``like`` is packed."""
    if like.sorted_indices is not None:
        output, lengths = output.index_select(1, like.sorted_indices), lengths[like.sorted_indices]
    data = pack_padded_sequence(output, lengths.cpu()).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)

"""Batches of sequences: what is refused, which steps are valid, how one is read backwards, packed and unpacked."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence


def check_input(input: Tensor, dims: tuple[int, ...], input_size: int, expected: str) -> None:
    """ValueError unless ``input`` is a tensor of one of the numbers of dimensions and ends in ``input_size``."""
    if not isinstance(input, Tensor):
        raise ValueError(f"input must be a tensor {expected}, got {type(input).__name__}")
    if input.dim() not in dims:
        raise ValueError(f"input must be {expected}, got {input.dim()} dimensions: {tuple(input.shape)}")
    if input.shape[-1] != input_size:
        raise ValueError(f"input must have input_size={input_size} in its last dimension, got {input.shape[-1]}")
    if input.dim() in dims[1:] and input.shape[-2] == 0:
        raise ValueError("a set input must have at least one element, got 0")


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


def unpack(input: Tensor | PackedSequence, lengths: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """A packed batch as padded ``(T, B, ...)`` and its lengths, in the caller's order; a tensor stays as it is.

    Raises:
        ValueError: for lengths beside a packed batch.
    """
    if not isinstance(input, PackedSequence):
        return input, lengths
    if lengths is not None:
        raise ValueError("lengths must be None with a PackedSequence, which has its own")
    padded, lengths = pad_packed_sequence(input)
    return padded, lengths.to(padded.device)


def repack(output: Tensor, lengths: Tensor, like: PackedSequence) -> PackedSequence:
    """Pack ``output`` ``(T, B, ...)`` exactly as ``like`` is packed."""
    if like.sorted_indices is not None:
        output, lengths = output.index_select(1, like.sorted_indices), lengths[like.sorted_indices]
    data = pack_padded_sequence(output, lengths.cpu()).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)

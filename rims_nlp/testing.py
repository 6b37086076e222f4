"""One tolerance table for tests and benchmarks."""

from __future__ import annotations

import torch
from torch import Tensor

# Largest difference allowed, relative to the largest magnitude of the reference (at least 1).
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 3e-2, torch.float16: 4e-3}


def difference(reference: Tensor, output: Tensor) -> float:
    """Largest absolute difference over the largest magnitude of ``reference`` (at least 1)."""
    if reference.numel() == 0:
        return 0.0
    reference, output = reference.detach().double(), output.detach().double()
    return float((reference - output).abs().max() / reference.abs().max().clamp(min=1))


def assert_close(name: str, reference: Tensor, output: Tensor, dtype: torch.dtype) -> None:
    """Raise AssertionError naming what differs, by how much, and how much ``dtype`` allows."""
    if reference.shape != output.shape:
        raise AssertionError(f"{name}: shape {tuple(output.shape)}, expected {tuple(reference.shape)}")
    found = difference(reference, output)
    if not found <= TOLERANCE[dtype]:  # NaN fails too
        raise AssertionError(f"{name}: differs by {found:.3g}, {dtype} allows {TOLERANCE[dtype]:.3g}")

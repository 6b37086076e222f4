"""Dropout of whole features."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class VariationalDropout(nn.Dropout):
    """Dropout that drops the same features at all steps of a sequence; a mask for each sequence.

    Source: Gal and Ghahramani (2016), A Theoretically Grounded Application of Dropout in Recurrent Neural Networks.

    Args:
        p: probability that a feature is dropped.
    """

    def forward(self, input: Tensor) -> Tensor:
        """``(T, B, size)`` in, the same out."""
        if not self.training or self.p == 0:
            return input
        return input * F.dropout(torch.ones_like(input[:1]), self.p)

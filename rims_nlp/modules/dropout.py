"""Dropout of whole features of a sequence."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


def locked_dropout(x: Tensor, p: float, training: bool) -> Tensor:
    """Dropout that drops the same features at all steps of a sequence, others in each sequence.

    Source: the variational dropout of Gal and Ghahramani (2016), A Theoretically Grounded Application of Dropout in
    Recurrent Neural Networks. Differs from it: on what enters and leaves a core alone, not inside of it, and no words
    are dropped as a whole.

    Args:
        x: ``(T, B, size)``.
        p: probability that a feature is dropped.
        training: False: nothing is dropped.

    Returns:
        ``(T, B, size)``; what is kept is divided by ``1 - p``.
    """
    return F.dropout1d(x.permute(1, 2, 0), p, training).permute(2, 0, 1)


class LockedDropout(nn.Module):
    """:func:`locked_dropout` as a module.

    Args:
        p: probability that a feature is dropped.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """``(T, B, size)`` in, the same out."""
        return locked_dropout(x, self.p, self.training)

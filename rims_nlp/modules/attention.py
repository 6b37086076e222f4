"""Attention of a decoder over an encoded sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SequenceAttention(nn.Module):
    """Dot-product attention over the encoder's outputs, for one step or all steps of a decoder at once.

    Luong et al. (2015), "Effective Approaches to Attention-based Neural Machine Translation", Eq. 5-8 with the
    "general" score: ``attend(h) = tanh(W_out [context ; h])``.

    Args:
        query_size: size of the decoder's states.
        source_size: size of the encoder's outputs.
        output_size: size of the attentional state.
    """

    def __init__(self, query_size: int, source_size: int, output_size: int) -> None:
        super().__init__()
        self.project_source = nn.Linear(source_size, query_size, bias=False)
        self.project_output = nn.Linear(source_size + query_size, output_size, bias=False)

    def keys(self, source: Tensor) -> Tensor:
        """Keys of the source ``(S, B, source_size)``, to be computed once a sentence: ``(B, query_size, S)``."""
        return self.project_source(source).permute(1, 2, 0)

    def forward(
        self, query: Tensor, source: Tensor, padding_mask: Tensor | None, keys: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Attend from every decoder step.

        Args:
            query: ``(T, B, query_size)``.
            source: ``(S, B, source_size)``.
            padding_mask: ``(S, B)``, True = pad; None: no padding.
            keys: what :meth:`keys` gives for ``source``; None: computed here.

        Returns:
            attentional states ``(T, B, output_size)`` and attention weights ``(B, T, S)``.
        """
        keys = self.keys(source) if keys is None else keys
        scores = torch.bmm(query.transpose(0, 1), keys).float() / math.sqrt(query.shape[-1])
        if padding_mask is not None:
            scores = scores.masked_fill(padding_mask.t().unsqueeze(1), -math.inf)
        weights = torch.softmax(scores, dim=-1)
        context = torch.bmm(weights.to(source.dtype), source.transpose(0, 1)).transpose(0, 1)
        return torch.tanh(self.project_output(torch.cat([context, query], dim=-1))), weights

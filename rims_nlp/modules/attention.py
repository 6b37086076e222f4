"""Attention of a decoder over an encoded sequence."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class SequenceAttention(nn.Module):
    """Dot-product attention over the encoder's outputs, for one step or all steps of a decoder at once.

    Luong et al. (2015), "Effective Approaches to Attention-based Neural Machine Translation", Eq. 5 and 7-8 with the
    "general" score, ``(W query) . source``, and the attentional state
    ``tanh(W_out [context ; query])``. The score's projection is on the query, so nothing of the source needs to be
    recomputed or kept from step to step of a search.

    Args:
        query_size: size of the decoder's states.
        source_size: size of the encoder's outputs.
        output_size: size of the attentional state.
    """

    def __init__(self, query_size: int, source_size: int, output_size: int) -> None:
        super().__init__()
        self.project_query = nn.Linear(query_size, source_size, bias=False)
        self.project_output = nn.Linear(source_size + query_size, output_size, bias=False)

    def forward(self, query: Tensor, source: Tensor, padding_mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Attend from every decoder step.

        Args:
            query: ``(T, B * copies, query_size)``: several queries may share a sentence, as the hypotheses of a search
                do; they stand together.
            source: ``(S, B, source_size)``.
            padding_mask: ``(S, B)``, True = pad; None: no padding.

        Returns:
            attentional states ``(T, B * copies, output_size)`` and attention weights ``(B * copies, T, S)``, float32 at
            least.

        Raises:
            ValueError: if the queries are not as many for each sentence.
        """
        keys, (steps, rows) = source.transpose(0, 1), query.shape[:2]  # (B, S, source_size)
        copies = rows // max(1, keys.shape[0])
        if copies * keys.shape[0] != rows:
            raise ValueError(f"query must have a multiple of source's {keys.shape[0]} sentences, got {rows}")
        projected = self.project_query(query).transpose(0, 1)  # (B * copies, T, source_size)
        scores = torch.bmm(projected.reshape(keys.shape[0], copies * steps, keys.shape[2]), keys.transpose(1, 2))
        scores = scores if scores.dtype == torch.float64 else scores.float()
        if padding_mask is not None:
            scores = scores.masked_fill(padding_mask.t().unsqueeze(1), -math.inf)
        weights = torch.softmax(scores, dim=-1)
        context = torch.bmm(weights.to(keys.dtype), keys).view(rows, steps, keys.shape[2]).transpose(0, 1)
        weights = weights.view(rows, steps, keys.shape[1])
        return torch.tanh(self.project_output(torch.cat([context, query], dim=-1))), weights

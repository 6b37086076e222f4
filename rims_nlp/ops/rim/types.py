"""What every rung of the RIM recurrence takes and returns."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

State = tuple[Tensor, ...]
"""``(h, c)`` for LSTM units, ``(h,)`` for GRU units; each ``(B, K, D)``."""


class RIMWeights(NamedTuple):
    """Weights of one layer and direction, applied as ``row_vector @ weight``.

    K units of size D, Hi input heads (key dk, value dv), Hc communication heads (key dc, value dcv),
    G gates (LSTM i, f, g, o; GRU r, z, n). Key and value weights of the input have one dimension more,
    ``(N, input_size, ...)``, where every input position has its own.
    """

    input_query: Tensor  # (K, D, Hi*dk)
    input_key: Tensor  # (input_size, Hi*dk)
    input_value: Tensor  # (input_size, Hi*dv)
    weight_ih: Tensor  # (K, Hi*dv, G*D)
    weight_hh: Tensor  # (K, D, G*D)
    bias_ih: Tensor | None  # (K, G*D)
    bias_hh: Tensor | None  # (K, G*D)
    comm_query: Tensor | None  # (K, D, Hc*dc); None: no communication
    comm_key: Tensor | None  # (K, D, Hc*dc)
    comm_value: Tensor | None  # (K, D, Hc*dcv)
    comm_out_weight: Tensor | None  # gated (Hc*dcv, D), shared by all units; residual (K, Hc*dcv, D)
    comm_out_bias: Tensor | None  # gated (D,)
    comm_gate_weight: Tensor | None  # gated (Hc*dcv, D)
    comm_gate_bias: Tensor | None  # gated (D,)


class DropoutMasks(NamedTuple):
    """Multiplicative masks, already scaled by ``1 / (1 - p)``; None where nothing is dropped."""

    read: Tensor | None = None  # (T, B, K, Hi*dv), on what the units read
    comm: Tensor | None = None  # (T, B, K, D), on the projected communication

    def steps(self, first: int, last: int) -> DropoutMasks:
        """Those of some steps."""
        return DropoutMasks(*(None if mask is None else mask[first:last] for mask in self))


class Schedule(NamedTuple):
    """Which steps update and which communicate."""

    update: Tensor | None = None  # (T, B) bool: False freezes the state (padding, update_every); None: always
    communicate: tuple[bool, ...] | None = None  # one flag a step; None: always

    def steps(self, first: int, last: int) -> Schedule:
        """That of some steps."""
        return Schedule(*(None if part is None else part[first:last] for part in self))  # type: ignore[arg-type]


class Activity(NamedTuple):
    """What a layer did at one step, or with a leading T over a sequence."""

    active_mask: Tensor  # (B, K) bool
    input_attention: Tensor | None = None  # (B, Hi, K, N+1); index 0 is the null element; None: not asked for
    comm_attention: Tensor | None = None  # (B, Hc, K, K), row = querying unit; None: no communication, or not asked for

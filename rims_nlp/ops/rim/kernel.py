"""What a compiled loop over time takes and gives: the contract between :mod:`rims_nlp.ops.rim.fused` and its kernels.

Shape letters: T steps of a chunk, B sequences, K units of size D, G gates, N elements, Hi / Hc input / communication
heads, E = Hi*N pairs of head and element, P query, key and value of all communication heads, V values alone, W what an
update is made of. "slots" are rows of a unit's gradient buffer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from rims_nlp.modules.options import RIMOptions


@dataclass(frozen=True)
class Problem:
    """Sizes of one run: T steps, B sequences, K units of size D, G gates, N elements, and the options."""

    options: RIMOptions
    steps: int
    batch: int
    elements: int
    size: int

    @property
    def entries(self) -> int:
        """Pairs of head and element, E: what a unit's input attention ranges over."""
        return self.options.num_input_heads * self.elements

    @property
    def open(self) -> bool:
        """Whether inactive units can have gradients."""
        return self.options.communication and not self.options.block_inactive_grad

    @property
    def projection_sizes(self) -> tuple[int, int, int]:
        """P: query, key and value of all communication heads; V: values alone; W: what an update is made of."""
        o = self.options
        value = o.num_comm_heads * o.comm_value_size
        update = 2 * self.size if o.comm_update == "gated" else self.size
        return 2 * o.num_comm_heads * o.comm_key_size + value, value, update


class Operands(NamedTuple):
    """The tensors of one run; their gradients have the same form. T steps of the sequence, or of a chunk."""

    rows: Tensor  # (Hi or 1, T*B*N, R): what the cells' input weights are multiplied with
    value_weight: Tensor  # (Hi, K, R, G*D)
    keys: Tensor | None  # (Hi, T*B*N, dk); None: no input attention
    query_weight: Tensor | None  # (Hi, dk, K*D)
    h: Tensor  # (B, K, D)
    c: Tensor | None  # (B, K, D), LSTM only
    weight_hh: Tensor  # (K, D, G*D)
    bias_ih: Tensor | None  # (K, G*D); LSTM: the sum of both
    bias_hh: Tensor | None  # (K, G*D), GRU only
    project: Tensor | None  # (K, D, P); None: no communication
    out_weight: Tensor | None  # gated (V, 2D), residual (K, V, D)
    out_bias: Tensor | None  # gated (2D)
    read_mask: Tensor | None  # (T, B, K, Hi*R), dropout
    comm_mask: Tensor | None  # (T, B, K, D), dropout
    update: Tensor | None  # (T, B) bool
    talks: Tensor | None  # (T) bool


@dataclass
class Inputs:
    """What a kernel reads: a chunk of T steps and the weights of the loop. Types as in :class:`Problem`."""

    gates: Tensor  # (Hi, K, T*B*N, G*D): what attention is multiplied with to give the gates' input
    keys: Tensor | None  # (Hi, T*B*N, K*D): what the state is multiplied with to give the scores
    h: Tensor  # (B, K, D), before the first step
    c: Tensor | None  # (B, K, D)
    weight_hh: Tensor  # (K, D, G*D)
    bias_ih: Tensor | None  # (K, G*D); LSTM: the sum of both
    bias_hh: Tensor | None  # (K, G*D); GRU only
    project: Tensor | None  # (K, D, P)
    out_weight: Tensor | None  # gated (V, 2D), residual (K, V, D)
    out_bias: Tensor | None  # gated (2D)
    comm_mask: Tensor | None  # (T, B, K, D)
    update: Tensor | None  # (T, B) bool
    talks: Tensor | None  # (T) bool


@dataclass
class Outputs:
    """What a forward kernel fills in, and a backward kernel reads again."""

    h: Tensor  # (T, B, K, D)
    c: Tensor | None  # (T, B, K, D), or (1, B, K, D): only the last
    attention: Tensor  # (T, B, K, E)
    active: Tensor  # (T, B, K) bool
    comm_attention: Tensor | None  # (T, B, Hc, K, K)
    source: Tensor | None  # (T, B, K, D), what units showed; None: not kept

    def steps(self, first: int, last: int) -> Outputs:
        """The same for some of the steps."""
        parts = (None if part is None else part[first:last] for part in vars(self).values())
        return Outputs(*parts)  # type: ignore[arg-type]


@dataclass
class Gradients:
    """What a backward kernel fills in; row ``slot`` of a unit's buffer belongs to one step of one sequence."""

    slot: Tensor  # (T, B, K) int32: where a row is, -1: it has no gradient
    output: Tensor | None  # (T, B, K, D), read
    h: Tensor  # (B, K, D): of the state after the chunk, replaced by that of the state before it
    c: Tensor | None  # (B, K, D)
    gates: Tensor  # (K, slots, G*D)
    hidden_gates: Tensor  # (K, slots, G*D); LSTM: the same tensor
    keys: Tensor | None  # (Hi, T*B*N, K*D)
    project: Tensor | None  # (T, B, K, P); the weights get a gradient from inactive units too
    update: Tensor | None  # (K, slots, W)
    read: Tensor | None  # (K, slots, V): what units read from each other (not a gradient)


class Kernel(Protocol):
    """The loop over time of a device.

    Attributes:
        chunk_bytes: size of a chunk of the input's share of the gates.
        compact: whether the rows without gradient are left out of the buffers, or zero in them.
    """

    chunk_bytes: int
    compact: bool

    def scratch(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Room for what is needed during one chunk only; the next request of the same name may get the same memory."""

    def forward(self, problem: Problem, inputs: Inputs, outputs: Outputs) -> None:
        """Run the steps of a chunk."""

    def prepare(self, operands: Operands) -> object:
        """What the backward pass needs of the weights in another form, made once for all chunks."""

    def backward(
        self, problem: Problem, prepared: object, inputs: Inputs, outputs: Outputs, gradients: Gradients
    ) -> None:
        """Run the steps of a chunk backwards."""

    def add_totals(
        self,
        problem: Problem,
        prepared: object,
        operands: Operands,
        inputs: Inputs,
        outputs: Outputs,
        gradients: Gradients,
        totals: Operands,
    ) -> None:
        """Add a chunk's gradients of the weights and of ``rows``; ``operands`` and ``totals.rows`` are the chunk's."""

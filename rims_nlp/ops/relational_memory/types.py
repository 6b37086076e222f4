"""What the rungs of the relational memory take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from rims_nlp.modules.options import check_at_least

GATE_STYLES = ("unit", "memory", None)


@dataclass(frozen=True)
class MemoryOptions:
    """Form of one relational memory, in the words of Sonnet's class.

    Args:
        mem_slots: rows of the memory (S).
        head_size: size of a head's values; a slot is F = ``num_heads * head_size`` wide.
        num_heads: attention heads.
        num_blocks: rounds of attention and MLP at each step.
        key_size: query and key size of a head; None: ``head_size``.
        mlp_layers: layers of the MLP after the attention, each F wide; all blocks share it.
        gate_style: "unit" has a gate for every element, "memory" one for every slot, None no gates.
        forget_bias: added to the forget gates before the sigmoid.
        input_bias: added to the input gates before the sigmoid.

    Raises:
        ValueError: for a count below 1 or an unknown gate style; the message gives got and expected.
    """

    mem_slots: int
    head_size: int
    num_heads: int = 1
    num_blocks: int = 1
    key_size: int | None = None
    mlp_layers: int = 2
    gate_style: str | None = "unit"
    forget_bias: float = 1.0
    input_bias: float = 0.0

    def __post_init__(self) -> None:
        if self.key_size is None:
            object.__setattr__(self, "key_size", self.head_size)
        for name in ("mem_slots", "head_size", "num_heads", "num_blocks", "key_size", "mlp_layers"):
            check_at_least(name, getattr(self, name), 1)
        if self.gate_style not in GATE_STYLES:
            raise ValueError(f"gate_style must be 'unit', 'memory' or None, got {self.gate_style!r}")

    @property
    def slot_size(self) -> int:
        """Width of a slot (F)."""
        return self.num_heads * self.head_size

    @property
    def qkv_sizes(self) -> tuple[int, int, int]:
        """Widths of the queries, keys and values of all heads."""
        assert self.key_size is not None
        return self.num_heads * self.key_size, self.num_heads * self.key_size, self.slot_size

    @property
    def gate_size(self) -> int:
        """Width of one gate (G): F, 1, or 0 without gates."""
        return {"unit": self.slot_size, "memory": 1, None: 0}[self.gate_style]


class BlockWeights(NamedTuple):
    """Weights of one block; products are ``row @ weight.T``, as in ``nn.Linear``."""

    qkv_weight: Tensor  # (2 * heads * key_size + F, F): queries of all heads, then keys, then values
    qkv_bias: Tensor
    qkv_scale: Tensor  # of the layer norm over queries, keys and values of a row together
    qkv_shift: Tensor
    attention_scale: Tensor  # (F,), of the layer norm after the attention
    attention_shift: Tensor
    mlp_scale: Tensor  # (F,), of the layer norm after the MLP
    mlp_shift: Tensor


Layers = tuple[tuple[Tensor, Tensor], ...]
"""Weight ``(F, F)`` and bias ``(F,)`` of each layer of the MLP."""


class MemoryWeights(NamedTuple):
    """Weights of one layer and direction."""

    input_weight: Tensor  # (F, input_size)
    input_bias: Tensor
    blocks: tuple[BlockWeights, ...]
    mlp: Layers
    input_gate_weight: Tensor | None  # (2 * G, F), of the projected input: input gate, forget gate; None: no gates
    input_gate_bias: Tensor | None
    memory_gate_weight: Tensor | None  # (2 * G, F), of the memory
    memory_gate_bias: Tensor | None

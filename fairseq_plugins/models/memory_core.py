"""Options of the relational memory core, and the core they describe; every model with such a core has them."""

from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from rims_nlp import RelationalMemoryCore

GATE_STYLES = {"unit": "unit", "memory": "memory", "none": None}


@dataclass
class MemoryCoreConfig(FairseqDataclass):
    """Options of the relational memory core: Santoro et al. (2018), and DeepMind's Sonnet, version 1."""

    memory_slots: int = field(
        default=1, metadata={"help": "slots of a layer's memory; the width of a layer is that of all slots together"}
    )
    memory_heads: int = field(
        default=4, metadata={"help": "attention heads; a head has the layer's width / slots / heads"}
    )
    memory_key_size: Optional[int] = field(
        default=None, metadata={"help": "query and key size of a head (default: the size of a head)"}
    )
    memory_blocks: int = field(default=1, metadata={"help": "rounds of attention and MLP at each step"})
    memory_mlp_layers: int = field(default=2, metadata={"help": "layers of the MLP after the attention"})
    gate_style: ChoiceEnum(list(GATE_STYLES)) = field(  # type: ignore[valid-type]
        default="unit", metadata={"help": "a gate for every element, for every memory slot, or no gates"}
    )
    forget_bias: float = field(default=1.0, metadata={"help": "added to the forget gates"})
    input_bias: float = field(default=0.0, metadata={"help": "added to the input gates"})


def build_memory_core(
    cfg: Any,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    bidirectional: bool = False,
    layer_dropout: float = 0.0,
) -> RelationalMemoryCore:
    """The core that a :class:`MemoryCoreConfig` describes; what differs between the places of a core is given apart."""
    return RelationalMemoryCore(
        input_size,
        hidden_size,
        num_layers,
        bidirectional=bidirectional,
        dropout=layer_dropout,
        mem_slots=cfg.memory_slots,
        num_heads=cfg.memory_heads,
        key_size=cfg.memory_key_size,
        num_blocks=cfg.memory_blocks,
        mlp_layers=cfg.memory_mlp_layers,
        gate_style=GATE_STYLES[str(cfg.gate_style)],
        forget_bias=cfg.forget_bias,
        input_bias=cfg.input_bias,
    )

"""The options of a RIM core, shared by all families that have one, and the core that they describe."""

from dataclasses import dataclass, field
from typing import Any, Optional

from fairseq.dataclass import ChoiceEnum, FairseqDataclass

from rims_nlp import RIMCore
from rims_nlp.modules.options import CHOICES
from rims_nlp.modules.rim import LAYER_INPUTS


@dataclass
class RIMCoreConfig(FairseqDataclass):
    """Options of a RIM core. Sections and tables: Goyal et al. (2021)."""

    num_units: int = field(default=6, metadata={"help": "number of units in a layer (the paper's k_T)"})
    num_active: int = field(default=4, metadata={"help": "units updated at each step (the paper's k_A)"})
    cell: ChoiceEnum(CHOICES["cell"]) = field(default="lstm", metadata={"help": "dynamics of a unit"})  # type: ignore[valid-type]
    variant: ChoiceEnum(CHOICES["variant"]) = field(  # type: ignore[valid-type]
        default="reference",
        metadata={
            "help": "numerics of the authors' code, or of the paper's text; sets --comm-source and --comm-update"
        },
    )
    num_input_heads: int = field(default=1, metadata={"help": "heads of the input attention (Table 3: 4; D.1, D.3: 1)"})
    input_key_size: int = field(default=64, metadata={"help": "query and key size of an input head"})
    input_value_size: Optional[int] = field(
        default=None, metadata={"help": "value size of an input head (default: 4 x unit size / heads)"}
    )
    num_comm_heads: int = field(default=4, metadata={"help": "heads of the communication attention"})
    comm_key_size: int = field(default=32, metadata={"help": "query and key size of a communication head"})
    comm_value_size: int = field(default=32, metadata={"help": "value size of a communication head"})
    comm_source: Optional[str] = field(
        default=None,
        metadata={"help": "what inactive units show: candidate (discarded update) or committed (unchanged state); "
                  "default: by --variant"},
    )  # fmt: skip
    comm_update: Optional[str] = field(
        default=None, metadata={"help": "what communication adds: gated or residual; default: by --variant"}
    )
    comm_top_k: Optional[int] = field(
        default=None, metadata={"help": "units that a unit reads at a step (default: all)"}
    )
    open_inactive_grad: bool = field(
        default=False,
        metadata={"help": "let communication send gradient into inactive units (default: blocked, Fig. 26)"},
    )
    no_competition: bool = field(default=False, metadata={"help": "ablation: all units are active at every step"})
    no_communication: bool = field(default=False, metadata={"help": "ablation: units never communicate"})
    no_input_attention: bool = field(
        default=False,
        metadata={"help": "ablation: units read the projected input with weight 1; needs --no-competition"},
    )
    input_dropout: float = field(default=0.0, metadata={"help": "dropout on what units read (Table 3: 0.1)"})
    comm_dropout: float = field(default=0.0, metadata={"help": "dropout on the communication (Table 3: 0.1)"})
    layer_input: ChoiceEnum(LAYER_INPUTS) = field(  # type: ignore[valid-type]
        default="concat", metadata={"help": "hand a layer's output up as one element, or as a set of units"}
    )
    use_inactive: bool = field(
        default=False, metadata={"help": "hand up the state of inactive units too (default: zeros in their place)"}
    )
    block_layer_grad: bool = field(
        default=False, metadata={"help": "stop the gradient that a layer sends into inactive units of the layer below"}
    )
    learn_initial_state: bool = field(
        default=False,
        metadata={"help": "train the initial state; in a translation model, the encoder's (default: zeros)"},
    )
    rim_init: ChoiceEnum(CHOICES["init"]) = field(  # type: ignore[valid-type]
        default="fan_in",
        metadata={"help": "initial weights: of the authors' code, or scaled by fan-in (learns faster)"},
    )
    rim_backend: str = field(default="auto", metadata={"help": "implementation of the recurrence (rims_nlp.ops.rim)"})


def build_rim_core(
    cfg: Any,
    input_size: int,
    hidden_size: int,
    num_layers: int,
    *,
    bidirectional: bool = False,
    layer_dropout: float = 0.0,
    learn_initial_state: bool = False,
    input_positions: int = 0,
) -> RIMCore:
    """The core that a :class:`RIMCoreConfig` describes; what differs between the places of a core is given apart."""
    return RIMCore(
        input_size,
        hidden_size,
        num_layers,
        bidirectional=bidirectional,
        dropout=layer_dropout,
        learn_initial_state=learn_initial_state,
        input_positions=input_positions,
        layer_input=str(cfg.layer_input),
        use_inactive=cfg.use_inactive,
        block_layer_grad=cfg.block_layer_grad,
        backend=cfg.rim_backend,
        num_units=cfg.num_units,
        num_active=cfg.num_active,
        cell=str(cfg.cell),
        variant=str(cfg.variant),
        num_input_heads=cfg.num_input_heads,
        input_key_size=cfg.input_key_size,
        input_value_size=cfg.input_value_size,
        num_comm_heads=cfg.num_comm_heads,
        comm_key_size=cfg.comm_key_size,
        comm_value_size=cfg.comm_value_size,
        comm_source=cfg.comm_source,
        comm_update=cfg.comm_update,
        comm_top_k=cfg.comm_top_k,
        block_inactive_grad=not cfg.open_inactive_grad,
        competition=not cfg.no_competition,
        communication=not cfg.no_communication,
        input_attention=not cfg.no_input_attention,
        input_dropout=cfg.input_dropout,
        comm_dropout=cfg.comm_dropout,
        init=str(cfg.rim_init),
    )

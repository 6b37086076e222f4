"""``rmc_predictor``: the skeleton with a relational memory as its core."""

from dataclasses import dataclass, field

from fairseq_plugins.models import predictor_sizes, sizes
from fairseq_plugins.models.memory_core import MemoryCoreConfig, build_memory_core
from fairseq_plugins.models.predictor import RecurrentPredictorConfig, SequencePredictor
from rims_nlp import RelationalMemoryCore


@dataclass
class RMCPredictorConfig(MemoryCoreConfig, RecurrentPredictorConfig):
    """Options of the skeleton and of the relational memory."""

    memory_slots: int = field(default=4, metadata={"help": "slots of a layer's memory"})
    hidden_size: int = field(
        default=1600, metadata={"help": "width of a layer; a multiple of --memory-slots x --memory-heads"}
    )


class RMCPredictor(SequencePredictor):
    """Predictor with a relational memory."""

    @classmethod
    def build_core(cls, cfg: RMCPredictorConfig) -> RelationalMemoryCore:
        return build_memory_core(cfg, cfg.embed_dim, cfg.hidden_size, cfg.layers, layer_dropout=cfg.layer_dropout)


sizes.register_sizes("rmc_predictor", RMCPredictor, RMCPredictorConfig, predictor_sizes.RMC)

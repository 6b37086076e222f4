"""``rmc_lm``: the recurrent language model with a relational memory as its core."""

from dataclasses import dataclass, field

from fairseq_plugins.models import sizes
from fairseq_plugins.models.memory_core import MemoryCoreConfig, build_memory_core
from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel, RecurrentLMConfig
from rims_nlp import RelationalMemoryCore


@dataclass
class RMCLanguageModelConfig(MemoryCoreConfig, RecurrentLMConfig):
    """Options of the skeleton and of the relational memory."""

    decoder_hidden_size: int = field(
        default=1024, metadata={"help": "width of a layer; a multiple of --memory-slots x --memory-heads"}
    )


class RMCLanguageModel(RecurrentLanguageModel):
    """Language model with a relational memory as its core."""

    @classmethod
    def build_core(cls, cfg: RMCLanguageModelConfig) -> RelationalMemoryCore:  # type: ignore[override]
        return build_memory_core(
            cfg,
            cfg.decoder_embed_dim,
            cfg.decoder_hidden_size,
            cfg.decoder_layers,
            layer_dropout=cfg.layer_dropout,
        )


sizes.register_sizes("rmc_lm", RMCLanguageModel, RMCLanguageModelConfig, sizes.RMC_LM)

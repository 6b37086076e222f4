"""``rims_lm``: the recurrent language model with recurrent independent mechanisms as its core."""

from dataclasses import dataclass, field

from fairseq_plugins.models import sizes
from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel, RecurrentLMConfig
from fairseq_plugins.models.rim_core import RIMCoreConfig, build_rim_core
from rims_nlp import RIMCore


@dataclass
class RIMLanguageModelConfig(RIMCoreConfig, RecurrentLMConfig):
    """Options of the skeleton and of the RIM core."""

    decoder_hidden_size: int = field(default=600, metadata={"help": "width of a layer; a multiple of --num-units"})


class RIMLanguageModel(RecurrentLanguageModel):
    """Language model with a RIM core."""

    @classmethod
    def build_core(cls, cfg: RIMLanguageModelConfig) -> RIMCore:  # type: ignore[override]
        return build_rim_core(
            cfg,
            cfg.decoder_embed_dim,
            cfg.decoder_hidden_size,
            cfg.decoder_layers,
            layer_dropout=cfg.layer_dropout,
            learn_initial_state=cfg.learn_initial_state,
        )


sizes.register_sizes("rims_lm", RIMLanguageModel, RIMLanguageModelConfig, sizes.RIMS_LM)

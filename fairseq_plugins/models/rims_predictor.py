"""``rims_predictor``: the skeleton with recurrent independent mechanisms as its core."""

from dataclasses import dataclass

from fairseq_plugins.models import predictor_sizes, sizes
from fairseq_plugins.models.predictor import RecurrentPredictorConfig, SequencePredictor
from fairseq_plugins.models.rim_core import RIMCoreConfig, build_rim_core
from rims_nlp import RIMCore


@dataclass
class RIMPredictorConfig(RIMCoreConfig, RecurrentPredictorConfig):
    """Options of the skeleton and of the RIM core."""


class RIMPredictor(SequencePredictor):
    """Predictor with a RIM core."""

    @classmethod
    def build_core(cls, cfg: RIMPredictorConfig) -> RIMCore:
        return build_rim_core(
            cfg,
            cfg.embed_dim,
            cfg.hidden_size,
            cfg.layers,
            layer_dropout=cfg.layer_dropout,
            learn_initial_state=cfg.learn_initial_state,
        )


sizes.register_sizes("rims_predictor", RIMPredictor, RIMPredictorConfig, predictor_sizes.RIMS)

"""``lstm_predictor``: the skeleton with ``nn.LSTM`` as its core."""

from __future__ import annotations

from fairseq_plugins.models import predictor_sizes, sizes
from fairseq_plugins.models.predictor import RecurrentPredictorConfig, SequencePredictor
from rims_nlp import LSTMCore


class LSTMPredictor(SequencePredictor):
    """Predictor with an LSTM core."""

    @classmethod
    def build_core(cls, cfg: RecurrentPredictorConfig) -> LSTMCore:
        return LSTMCore(cfg.embed_dim, cfg.hidden_size, cfg.layers, dropout=cfg.layer_dropout)


sizes.register_sizes("lstm_predictor", LSTMPredictor, RecurrentPredictorConfig, predictor_sizes.LSTM)

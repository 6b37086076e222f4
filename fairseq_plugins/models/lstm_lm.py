"""``stateful_lstm_lm``: the recurrent language model with ``nn.LSTM`` as its core.

Its name differs from fairseq's ``lstm_lm``, whose decoder cannot carry its state to the next block.
"""

from __future__ import annotations

from fairseq_plugins.models import sizes
from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel, RecurrentLMConfig
from rims_nlp import LSTMCore


class StatefulLSTMLanguageModel(RecurrentLanguageModel):
    """Language model with an LSTM core."""

    @classmethod
    def build_core(cls, cfg: RecurrentLMConfig) -> LSTMCore:
        return LSTMCore(cfg.decoder_embed_dim, cfg.decoder_hidden_size, cfg.decoder_layers, dropout=cfg.layer_dropout)


sizes.register_sizes("stateful_lstm_lm", StatefulLSTMLanguageModel, RecurrentLMConfig, sizes.LSTM_LM)

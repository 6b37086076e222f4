"""``lstm_seq2seq``: the shared skeleton with ``nn.LSTM`` as its core."""

from __future__ import annotations

from fairseq_plugins.models import sizes
from fairseq_plugins.models.recurrent_seq2seq import RecurrentSeq2SeqConfig, RecurrentSeq2SeqModel
from rims_nlp import LSTMCore


class LSTMSeq2SeqModel(RecurrentSeq2SeqModel):
    """Encoder-decoder with LSTM cores."""

    @classmethod
    def build_core(
        cls, cfg: RecurrentSeq2SeqConfig, input_size: int, hidden_size: int, num_layers: int, *, is_encoder: bool
    ) -> LSTMCore:
        return LSTMCore(
            input_size,
            hidden_size,
            num_layers,
            bidirectional=is_encoder and not cfg.encoder_unidirectional,
            dropout=cfg.layer_dropout,
        )


sizes.register_sizes("lstm_seq2seq", LSTMSeq2SeqModel, RecurrentSeq2SeqConfig, sizes.LSTM)

"""fairseq's own LSTM and Transformer at the named sizes, as outside references."""

from fairseq.models.lstm import base_architecture as lstm_base
from fairseq.models.multilingual_transformer import base_multilingual_architecture
from fairseq.models.transformer.transformer_legacy import base_architecture as transformer_base

from fairseq_plugins.models import sizes

sizes.register_fairseq_sizes("lstm", "fairseq_lstm", sizes.FAIRSEQ_LSTM, lstm_base)
sizes.register_fairseq_sizes("transformer", "transformer_seq2seq", sizes.TRANSFORMER, transformer_base)
sizes.register_fairseq_sizes(
    "multilingual_transformer", "multilingual_transformer_seq2seq", sizes.TRANSFORMER, base_multilingual_architecture
)

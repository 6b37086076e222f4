"""fairseq's own LSTM and Transformer language models at the named sizes, as outside references."""

from fairseq.models.lstm_lm import base_architecture as lstm_base
from fairseq.models.transformer_lm import base_lm_architecture as transformer_base

from fairseq_plugins.models import sizes

sizes.register_fairseq_sizes("lstm_lm", "lstm_lm", sizes.FAIRSEQ_LSTM_LM, lstm_base)
sizes.register_fairseq_sizes("transformer_lm", "transformer_lm", sizes.TRANSFORMER_LM, transformer_base)

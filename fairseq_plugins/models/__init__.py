"""Architectures; importing the package registers them."""

from fairseq_plugins.models import (  # noqa: F401
    fairseq_baselines,
    lstm_seq2seq,
    multilingual,
    rims_seq2seq,
    rmc_seq2seq,
)

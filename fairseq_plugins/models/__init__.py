"""Architectures; importing the package registers them."""

from fairseq_plugins.models import (  # noqa: F401
    fairseq_baselines,
    lm_baselines,
    lstm_lm,
    lstm_predictor,
    lstm_seq2seq,
    multilingual,
    rims_lm,
    rims_predictor,
    rims_seq2seq,
    rmc_lm,
    rmc_predictor,
    rmc_seq2seq,
    transformer_predictor,
)

"""Architectures; importing the package registers them."""

from fairseq_plugins.models import fairseq_baselines, lstm_seq2seq, multilingual, rims_seq2seq  # noqa: F401

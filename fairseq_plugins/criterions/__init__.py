"""Criterions; importing the package registers them."""

from fairseq_plugins.criterions import sequence_prediction  # noqa: F401

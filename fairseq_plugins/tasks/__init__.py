"""Tasks; importing the package registers them."""

from fairseq_plugins.tasks import multitask_translation, sequence_prediction, stateful_language_modeling  # noqa: F401

"""Tasks; importing the package registers them."""

from fairseq_plugins.tasks import multitask_translation  # noqa: F401

"""Importing fairseq leaves the logging of the program alone.

Fault: ``fairseq.models.wav2vec.wav2vec2_classification``, which ``import fairseq`` imports, calls
``logging.basicConfig(level=logging.DEBUG)``; two modules of ``fairseq.tasks`` do the same with INFO.
It shows, in a program that has not set up logging yet, as DEBUG lines of every library on standard error, and its own
``basicConfig`` later does nothing.

Importing this module is the repair: it imports fairseq and gives the root logger back as it was. It has to be the first
of the package to import fairseq, and it can do nothing where the program has imported fairseq before.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def root_logger_kept() -> Iterator[None]:
    """Undo what the block does to the handlers and the level of the root logger."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


with root_logger_kept():
    import fairseq  # noqa: F401

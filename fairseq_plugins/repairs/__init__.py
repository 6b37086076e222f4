"""Repairs of fairseq faults that stop this project's commands or spoil their results without a word.

Each module below repairs one fault and says in its docstring what the fault is, where it is in fairseq and how it
shows. ``needed()`` looks whether the installed fairseq still has the fault; ``apply()`` replaces the faulty function.
fairseq's files are not touched: the repairs hold in the process that imported ``fairseq_plugins``. ``quiet_import`` is
the exception: it repairs the import itself, and so comes before the others.
"""

from __future__ import annotations

import logging

from fairseq_plugins.repairs import quiet_import  # noqa: F401

# isort: split
from fairseq_plugins.repairs import (
    atomic_copy,
    checkpoint_names,
    config_code,
    consumer_exit,
    cpu_ddp,
    cpu_ranks,
    empty_eval_lm,
    epoch_batches,
    half_precision,
    last_batch,
    multi_model_ddp,
    numpy2,
    rank_broadcast,
    safe_checkpoints,
    signed_dictionaries,
    torchrun_ranks,
    trained_dictionaries,
)

logger = logging.getLogger(__name__)

REPAIRS = (
    last_batch,
    numpy2,
    epoch_batches,
    atomic_copy,
    safe_checkpoints,
    checkpoint_names,
    config_code,
    rank_broadcast,
    cpu_ranks,
    torchrun_ranks,
    cpu_ddp,
    multi_model_ddp,
    empty_eval_lm,
    half_precision,
    consumer_exit,
    signed_dictionaries,
    trained_dictionaries,
)
_applied: set[str] = set()


def apply() -> None:
    """Apply each repair that this fairseq needs; a second call changes nothing."""
    for repair in REPAIRS:
        if repair.__name__ in _applied or not repair.needed():
            continue
        repair.apply()
        _applied.add(repair.__name__)
        logger.debug("applied %s", repair.__name__)

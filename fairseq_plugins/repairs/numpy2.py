"""Names that numpy 2 took away.

Fault: ``np.compat.long`` (``TokenBlockDataset`` and ``LanguagePairDataset`` of ``fairseq.data``), ``np.int`` and
``np.percentile(interpolation=...)`` (``fairseq.data.data_utils``) and ``np.float`` (``DynamicCRF``) are gone.
It shows as AttributeError or TypeError in ``--sample-break-mode eos``, in ``fairseq-generate`` on a language model and
in ``--num-batch-buckets``.
"""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import torch
from fairseq.data import TokenBlockDataset, data_utils, language_pair_dataset, token_block_dataset
from fairseq.modules import dynamic_crf_layer

MODULES = (data_utils, language_pair_dataset, token_block_dataset, dynamic_crf_layer)


class NumpyWithOldNames(types.ModuleType):
    """numpy, plus the names fairseq still uses; given to fairseq's modules only, numpy itself is left alone."""

    compat = types.SimpleNamespace(long=np.int64)
    int = np.int64
    float = np.float64

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def percentile(*args: Any, interpolation: str | None = None, **kwargs: Any) -> Any:
        """``np.percentile`` under its former keyword: ``interpolation`` is now ``method``."""
        if interpolation is not None:
            kwargs["method"] = interpolation
        return np.percentile(*args, **kwargs)


def needed() -> bool:
    """Whether the two calls that fail first still fail."""
    try:
        data_utils.get_buckets(np.array([1, 2]), 1)
        TokenBlockDataset([torch.tensor([0])], [1], block_size=None, pad=1, eos=2, break_mode="eos")
    except (AttributeError, TypeError):
        return True
    return False


def apply() -> None:
    """Let fairseq's modules see a numpy that has the old names."""
    numpy = NumpyWithOldNames("numpy")
    for module in MODULES:
        module.np = numpy

"""Load checkpoints with PyTorch's ``weights_only``: a checkpoint is data and may not name code to run.

Fault: ``load_checkpoint_to_cpu`` and ``load_ema_from_checkpoint`` of ``fairseq.checkpoint_utils`` call ``torch.load``
without saying how.
It shows, where PyTorch loads ``weights_only`` unless told otherwise, as "Weights only load failed" on fairseq's own
checkpoints (``argparse.Namespace``; numpy arrays after ``--eval-bleu``). Elsewhere, or with
``TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD`` set, it shows as nothing: anything is unpickled, and a checkpoint can run any
command.
"""

from __future__ import annotations

import functools
import io
import pickle
import zipfile
from argparse import Namespace
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from fairseq import checkpoint_utils
from fairseq.file_io import PathManager


def allowed_globals() -> list[Any]:
    """The classes and functions, beyond PyTorch's own list, that fairseq's checkpoints name.

    Old-style models keep an ``argparse.Namespace``; the meters of ``--eval-bleu`` keep numpy integers and floats, whose
    helper functions have one module name under numpy 1 and another under numpy 2.
    """
    helpers: list[Any] = [np.zeros(1).__reduce__()[0], np.float64(0).__reduce__()[0]]
    modules = ("numpy.core.multiarray", "numpy._core.multiarray")
    named = [(helper, f"{module}.{helper.__name__}") for helper in helpers for module in modules]
    return [Namespace, np.ndarray, np.dtype, type(np.dtype("int64")), type(np.dtype("float64")), *named]


def needed() -> bool:
    """Whether PyTorch, as it stands, refuses what a fairseq checkpoint holds."""
    checkpoint = io.BytesIO()
    torch.save(Namespace(counts=np.zeros(1, dtype=np.int64)), checkpoint)
    checkpoint.seek(0)
    try:
        torch.load(checkpoint, weights_only=True)
    except pickle.UnpicklingError:
        return True
    return False


def apply() -> None:
    """Allow what fairseq's checkpoints need, and refuse the rest before fairseq opens the file."""
    torch.serialization.add_safe_globals(allowed_globals())
    checkpoint_utils.load_checkpoint_to_cpu = refuse_pickles(checkpoint_utils.load_checkpoint_to_cpu)
    checkpoint_utils.load_ema_from_checkpoint = refuse_pickles(checkpoint_utils.load_ema_from_checkpoint)


def read_plain(path: str) -> Any:
    """Read a checkpoint with ``weights_only``. Tensors of a zip checkpoint are mapped, not read, so this costs little.

    Raises:
        ValueError: it holds anything but tensors, numbers, text and settings.
    """
    local_path = PathManager.get_local_path(path)
    try:
        return torch.load(local_path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(local_path))
    except pickle.UnpicklingError as error:
        reason = str(error.__context__ or error).partition(" Please use")[0]
        raise ValueError(
            f"{path}: refused, nothing in it was run: a checkpoint may hold tensors, numbers, text and settings "
            f"only. {reason}"
        ) from None


def refuse_pickles(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function that loads a checkpoint: read it with ``weights_only`` first, whatever fairseq does then."""

    @functools.wraps(load)
    def load_checked(path: str, *args: Any, **kwargs: Any) -> Any:
        read_plain(path)
        return load(path, *args, **kwargs)

    return load_checked

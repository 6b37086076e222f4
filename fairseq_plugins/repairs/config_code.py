"""Settings are values, not code.

Fault: ``fairseq.utils.eval_bool``, ``eval_str_list`` and ``eval_str_dict``, and a number of models, optimizers and
criterions, call ``eval`` on text from the configuration, also when the configuration comes from a checkpoint.
It shows only as what such a text does: ``decoder_attention="__import__('os').system('...')"`` runs the command as soon
as the model is loaded. ``fairseq-eval-lm`` and ``fairseq-validate`` also evaluate ``--model-overrides``, which the user
types, so that is left as it is.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any

from fairseq import checkpoint_utils

# Where fairseq calls the builtin; `eval` as a name of these modules comes before the builtin one.
MODULES = (
    "fairseq.criterions.ctc",
    "fairseq.data.audio.raw_audio_dataset",
    "fairseq.data.codedataset",
    "fairseq.models.fconv",
    "fairseq.models.fconv_lm",
    "fairseq.models.fconv_self_att",
    "fairseq.models.hubert.hubert",
    "fairseq.models.lightconv_lm",
    "fairseq.models.speech_to_text.s2t_wav_transformer",
    "fairseq.models.transformer_lm",
    "fairseq.models.wav2vec.wav2vec",
    "fairseq.models.wav2vec.wav2vec2",
    "fairseq.optim.adafactor",
    "fairseq.optim.adam",
    "fairseq.optim.adamax",
    "fairseq.optim.cpu_adam",
    "fairseq.optim.fused_lamb",
    "fairseq.utils",
)
MAX_LENGTH = 10_000


class NotAValue(ValueError):
    """A setting's text is not a plain value."""


def faulty_modules() -> list[ModuleType]:
    """The modules of fairseq, out of ``MODULES``, that call ``eval``."""
    modules = map(importlib.import_module, MODULES)
    return [module for module in modules if re.search(r"(?<![\w.])eval\(", inspect.getsource(module))]


def needed() -> bool:
    """Whether a module still calls ``eval``."""
    return bool(faulty_modules())


def apply() -> None:
    """Give those modules an ``eval`` that reads values only; and say which checkpoint a refused text came from."""
    for module in faulty_modules():
        module.eval = read_value  # type: ignore[attr-defined]
    checkpoint_utils.load_model_ensemble_and_task = name_the_file(checkpoint_utils.load_model_ensemble_and_task)


def read_value(text: Any) -> Any:
    """What ``eval`` gives for a value: a literal, or literals joined by ``+`` and ``*`` as in ``"[(512, 3)] * 20"``.

    Raises:
        TypeError: ``text`` is not text, and only then: ``eval_bool`` takes it, as the builtin's, for no setting.
        NotAValue: the text is anything but a value; nothing of it is run.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected text, got {type(text).__name__}")
    try:
        return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, TypeError, ValueError):  # TypeError: 'a' + 1, {[]: 1}
        raise NotAValue(
            f"a setting must be a plain value such as True, 3, '0.9, 0.98' or '[(512, 3)] * 2', not code; got {text!r}"
        ) from None


def _value(node: ast.expr) -> Any:
    if not isinstance(node, ast.BinOp) or not isinstance(node.op, ast.Add | ast.Mult):
        return ast.literal_eval(node)
    left, right = _value(node.left), _value(node.right)
    if isinstance(node.op, ast.Add):
        return left + right
    sequence, count = (right, left) if isinstance(left, int) else (left, right)
    if isinstance(count, int) and hasattr(sequence, "__len__") and len(sequence) * count > MAX_LENGTH:
        raise ValueError(f"longer than {MAX_LENGTH} items")
    return left * right


def name_the_file(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``load_model_ensemble_and_task`` to name the checkpoints when a setting in one of them is refused."""

    @functools.wraps(load)
    def load_named(filenames: list[str], *args: Any, **kwargs: Any) -> Any:
        try:
            return load(filenames, *args, **kwargs)
        except NotAValue as error:
            raise ValueError(f"{', '.join(filenames)}: refused, nothing in it was run: {error}") from error

    return load_named

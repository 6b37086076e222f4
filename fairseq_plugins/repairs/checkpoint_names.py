"""A checkpoint may only name the models, tasks and criterions that this project uses.

Fault: ``fairseq.checkpoint_utils.load_model_ensemble_and_task`` builds whatever model and task the checkpoint names
(``fairseq-validate`` the criterion too) from the settings beside the name. Some of fairseq's classes treat their
settings as code or as commands: ``fconv`` evaluates them, ``audio_pretraining`` runs ``post_save_script``.
It shows only as what such a checkpoint does to the machine that loads it.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from typing import Any

import torch
from fairseq import checkpoint_utils
from fairseq.criterions import CRITERION_REGISTRY
from fairseq.models import ARCH_MODEL_REGISTRY, MODEL_REGISTRY
from fairseq.tasks import TASK_REGISTRY

PLUGIN = __name__.partition(".")[0]
# Per section of the configuration: the keys fairseq takes the class's name from, and the modules a class may come from.
NAME_KEYS = {"model": ("_name", "arch"), "task": ("_name", "task"), "criterion": ("_name", "criterion")}
ALLOWED_MODULES = {
    "model": {
        "fairseq.models.lstm",
        "fairseq.models.lstm_lm",
        "fairseq.models.multilingual_transformer",
        "fairseq.models.transformer.transformer_legacy",
        "fairseq.models.transformer_lm",
    },
    "task": {
        "fairseq.tasks.language_modeling",
        "fairseq.tasks.multilingual_translation",
        "fairseq.tasks.translation",
    },
    "criterion": {
        "fairseq.criterions.adaptive_loss",
        "fairseq.criterions.cross_entropy",
        "fairseq.criterions.label_smoothed_cross_entropy",
    },
}


def needed() -> bool:
    """Whether a checkpoint that names ``fconv`` is loaded."""
    optimizer = {"optimizer_name": "", "lr_scheduler_state": {}, "num_updates": 0}
    state = {
        "cfg": {"model": {"_name": "fconv"}},
        "optimizer_history": [optimizer],
        "extra_state": {"train_iterator": {}},
    }
    with tempfile.NamedTemporaryFile(suffix=".pt") as checkpoint:
        torch.save(state, checkpoint)
        checkpoint.flush()
        try:
            checkpoint_utils.load_checkpoint_to_cpu(checkpoint.name)
        except ValueError:
            return False
    return True


def apply() -> None:
    """Check the names of every checkpoint that is loaded."""
    checkpoint_utils.load_checkpoint_to_cpu = check_names(checkpoint_utils.load_checkpoint_to_cpu)


def check_names(load: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap ``load_checkpoint_to_cpu``, which reads the configuration without building anything from it."""

    @functools.wraps(load)
    def load_checked(path: str, *args: Any, **kwargs: Any) -> Any:
        state = load(path, *args, **kwargs)
        config = state.get("cfg") or {}
        for section in NAME_KEYS:
            if config.get(section) is not None:
                check_section(path, section, config[section])
        return state

    return load_checked


def check_section(path: str, section: str, config: Any) -> None:
    """Check the names in one section of the checkpoint ``path``.

    Raises:
        ValueError: the section names no class, or one from a module that is not in ``ALLOWED_MODULES``.
    """
    given = [config] if isinstance(config, str) else [getattr(config, key, None) for key in NAME_KEYS[section]]
    names = [name for name in given if name is not None]
    if not names:
        raise ValueError(f"{path}: refused: its configuration names no {section}")
    for name in names:
        if not is_allowed(section, name):
            raise ValueError(
                f"{path}: refused: it asks for the {section} {name!r}, which is neither this project's nor one of the "
                f"few of fairseq that it allows. If you trust the file, add the {section}'s module to "
                f"{__name__}.ALLOWED_MODULES[{section!r}]"
            )


def is_allowed(section: str, name: Any) -> bool:
    """Whether ``name`` is registered by this project or by one of the allowed modules of fairseq."""
    if not isinstance(name, str):
        return False
    registries = {"model": ARCH_MODEL_REGISTRY, "task": TASK_REGISTRY, "criterion": CRITERION_REGISTRY}
    built = registries[section].get(name) or (MODEL_REGISTRY.get(name) if section == "model" else None)
    module = getattr(built, "__module__", "")
    return module in ALLOWED_MODULES[section] or module.startswith(f"{PLUGIN}.")

"""What a layer is measured at, and the sweeps, as data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch

DTYPES = {"float32": torch.float32, "float64": torch.float64}
CELLS = ("lstm", "gru")


@dataclass(frozen=True)
class LayerConfig:
    """Sizes of a layer and its input; the defaults are the ones all reported ratios refer to.

    Args:
        steps: T.
        batch: B, sequences.
        input_size: width of the input.
        hidden_size: total width of the layer; rivals have the same.
        num_units: K.
        num_active: k_A.
        num_input_heads: heads of the input attention.
        num_comm_heads: heads of the communication.
        comm_key_size: query and key size of a communication head.
        comm_value_size: value size of a communication head.
        cell: dynamics of the units, "lstm" or "gru".
        device: "cpu" or "cuda".
        dtype: "float32" or "float64".

    Raises:
        ValueError: for a size below 1, sizes that do not fit, an unknown cell, device or dtype.
    """

    steps: int = 50
    batch: int = 64
    input_size: int = 300
    hidden_size: int = 600
    num_units: int = 6
    num_active: int = 4
    num_input_heads: int = 1
    num_comm_heads: int = 4
    comm_key_size: int = 16
    comm_value_size: int = 16
    cell: str = "lstm"
    device: str = "cpu"
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int) and value < 1:
                raise ValueError(f"{field.name} must be at least 1, got {value}")
        if self.hidden_size % self.num_units:
            raise ValueError(f"hidden_size={self.hidden_size} must be a multiple of num_units={self.num_units}")
        if self.num_active > self.num_units:
            raise ValueError(f"num_active={self.num_active} must be at most num_units={self.num_units}")
        if self.cell not in CELLS:
            raise ValueError(f"cell must be one of {', '.join(CELLS)}, got {self.cell!r}")
        if self.dtype not in DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(DTYPES)}, got {self.dtype!r}")
        kind = self.device.partition(":")[0]
        if kind not in ("cpu", "cuda"):
            raise ValueError(f"device must be cpu or cuda, got {self.device!r}")
        if kind == "cuda" and not torch.cuda.is_available():
            raise ValueError(f"device {self.device!r}: torch sees no CUDA device here")

    @property
    def torch_dtype(self) -> torch.dtype:
        """The dtype as torch has it."""
        return DTYPES[self.dtype]


def parse_changes(items: Sequence[str], config: LayerConfig) -> LayerConfig:
    """``config`` with ``KEY=VALUE`` items applied, e.g. ``["steps=10", "cell=gru"]``.

    Raises:
        ValueError: for an item of another form, an unknown key, or a value that does not fit.
    """
    kinds = {field.name: type(getattr(config, field.name)) for field in fields(config)}
    changes = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or key not in kinds:
            raise ValueError(f"expected KEY=VALUE with one of the keys {', '.join(kinds)}, got {item!r}")
        if kinds[key] is int and not value.isdecimal():
            raise ValueError(f"{key} must be a whole number, got {value!r}")
        changes[key] = kinds[key](value)
    return replace(config, **changes)


@dataclass(frozen=True)
class Sweep:
    """One size of the layer that grows, the others stay; ``key`` is the field of :class:`LayerConfig`."""

    key: str
    values: tuple[int, ...]

    def configs(self, config: LayerConfig) -> list[LayerConfig]:
        """A config for each value; the share of active units stays as near as it can."""
        if self.key != "num_units":
            return [replace(config, **{self.key: value}) for value in self.values]  # type: ignore[arg-type]
        share = config.num_active / config.num_units
        return [replace(config, num_units=k, num_active=max(1, round(share * k))) for k in self.values]


SWEEPS = {
    "T": Sweep("steps", (12, 25, 50, 100, 200)),
    "B": Sweep("batch", (8, 16, 32, 64, 128, 256)),
    "K": Sweep("num_units", (2, 3, 4, 5, 6, 8, 10, 12)),
    "hidden": Sweep("hidden_size", (150, 300, 600, 900, 1200)),
}

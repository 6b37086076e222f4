"""Who takes part: every contestant under its name, built on demand."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import Tensor, nn

from benchmarks import authors
from benchmarks.config import LayerConfig
from rims_nlp import RIM, RelationalMemory, RIMCell
from rims_nlp.ops import rim as op
from rims_nlp.ops.relational_memory import naive

RIVAL, CELL_RIVAL, OURS, NAIVE = "nn.LSTM", "nn.LSTMCell", "rim", "rim:naive"
MEMORY, NAIVE_MEMORY = "RelationalMemory", "RelationalMemory:naive"
NO_DROPOUT = {"input_dropout": 0.0, "comm_dropout": 0.0}


@dataclass(frozen=True)
class Contestant:
    """A layer or cell to measure.

    Args:
        name: as in tables and CSV.
        build: makes the module. A layer is called as ``nn.LSTM``: ``(T, B, input_size)`` and a state or None give
            output ``(T, B, hidden_size)`` and state; a cell as ``nn.LSTMCell``: ``(B, input_size)`` and a state or None
            give the state.
        is_cell: whether it is a cell, which takes part in the measure of one step only.
    """

    name: str
    build: Callable[[LayerConfig], nn.Module]
    is_cell: bool = False

    @property
    def backend(self) -> str | None:
        """The backend of the RIM recurrence that this contestant runs; None: it is no RIM layer of ours."""
        if self.name == OURS:
            return "auto"
        return self.name.removeprefix("rim:") if self.name.startswith("rim:") else None


def rim_options(config: LayerConfig) -> dict[str, object]:
    """The options of our layers and cells that a config sets; no dropout, as the rivals have none."""
    names = ("num_units", "num_active", "cell", "num_input_heads", "num_comm_heads", "comm_key_size", "comm_value_size")
    options = {name: getattr(config, name) for name in names}
    return {**options, **NO_DROPOUT, "init": "fan_in", "device": config.device, "dtype": config.torch_dtype}


def build_rim(config: LayerConfig, *, backend: str) -> RIM:
    """Our layer on one of its backends."""
    return RIM(config.input_size, config.hidden_size, backend=backend, **rim_options(config))  # type: ignore[arg-type]


def build_rim_cell(config: LayerConfig) -> RIMCell:
    """Our cell."""
    return RIMCell(config.input_size, config.hidden_size, **rim_options(config))  # type: ignore[arg-type]


def build_memory(config: LayerConfig) -> RelationalMemory:
    """A relational memory of the same width, with one slot of four heads, or as many as divide it."""
    heads = math.gcd(4, config.hidden_size)
    return RelationalMemory(
        config.input_size, 1, config.hidden_size // heads, heads, device=config.device, dtype=config.torch_dtype
    )


class NaiveMemory(nn.Module):
    """The same by the rung that writes out the equations."""

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.cell = build_memory(config).cells[0]

    def forward(self, x: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """As :class:`RelationalMemory`."""
        memory = self.cell.initial_state(x.shape[1]) if state is None else state[0]  # type: ignore[operator]
        slots = memory.unflatten(-1, (self.cell.options.mem_slots, -1))  # type: ignore[union-attr, arg-type]
        output = naive.sequence(x, slots, self.cell.weights(), self.cell.options).flatten(2)  # type: ignore[operator, arg-type]
        return output, output[-1:]


def build_torch(config: LayerConfig, *, kind: type[nn.Module]) -> nn.Module:
    """A layer or cell of torch's own of the same width."""
    return kind(config.input_size, config.hidden_size, device=config.device, dtype=config.torch_dtype)


def contestants(authors_code: Path | None = None) -> dict[str, Contestant]:
    """All contestants by name; the backends are those registered when this is called.

    Args:
        authors_code: a checkout of the published code; without it the authors' core does not take part.

    Raises:
        ValueError: if the authors' core cannot be loaded.
    """
    backends = {OURS: "auto", **{f"rim:{name}": name for name in op.BACKENDS}}
    known = [Contestant(name, partial(build_rim, backend=backend)) for name, backend in backends.items()]
    known += [Contestant(f"nn.{kind.__name__}", partial(build_torch, kind=kind)) for kind in (nn.LSTM, nn.GRU)]
    known += [Contestant(MEMORY, build_memory), Contestant(NAIVE_MEMORY, NaiveMemory)]
    known += [Contestant("RIMCell", build_rim_cell, is_cell=True)]
    known += [
        Contestant(f"nn.{kind.__name__}", partial(build_torch, kind=kind), is_cell=True)
        for kind in (nn.LSTMCell, nn.GRUCell)
    ]
    if authors_code is not None:
        core = authors.load_class(authors_code)
        known.append(Contestant(authors.NAME, partial(authors.build, core=core)))
    return {contestant.name: contestant for contestant in known}


def running_backend(config: LayerConfig, backend: str = "auto") -> str:
    """The name of the backend that runs our layer at these sizes, device and dtype.

    Raises:
        ValueError: if a named backend refuses them; the message has the reason.
    """
    rim = build_rim(config, backend=backend)
    cell = rim.cells[0]
    assert isinstance(cell, RIMCell)
    x = cell.weight_hh.new_zeros(1, 1, 1, config.input_size)
    state = (cell.weight_hh.new_zeros(1, rim.num_units, rim.unit_size),) * rim.options.num_states
    return op.choose(backend, x, state, cell.weights(), False)


def choose(names: Sequence[str] | None, known: dict[str, Contestant], config: LayerConfig) -> dict[str, Contestant]:
    """The contestants asked for; the rivals are always among them.

    None stands for all, but for the backend that ``rim`` runs on anyway.

    Raises:
        ValueError: for an unknown name.
    """
    if names is None:
        twice = {f"rim:{running_backend(config)}"} - {NAIVE}
        return {name: contestant for name, contestant in known.items() if name not in twice}
    for name in names:
        if name not in known:
            raise ValueError(f"unknown contestant {name!r}; expected some of {', '.join(known)}")
    return {name: known[name] for name in known if name in {*names, RIVAL, CELL_RIVAL}}


def parameters(module: nn.Module) -> int:
    """Trained parameters."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)

"""Recording which units of a model's RIM layers are active, and what they attend to."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from rims_nlp.analysis.shadow import shadowed
from rims_nlp.modules.rim import RIM
from rims_nlp.ops.rim.types import Activity, State


class Call(NamedTuple):
    """One call of a RIM module."""

    lengths: list[int]  # valid steps of each sequence, all of them where the module was not told
    parts: list[Activity]  # of each layer and direction, layer major, on the CPU, with a leading T


@dataclass
class ModuleActivity:
    """What the units of one RIM module did, call by call.

    Attributes:
        num_layers: layers of the module.
        num_directions: 1, or 2 for a bidirectional module: 0 reads forwards, 1 backwards.
        num_units: units of a layer (K).
        calls: what was recorded, in order.
    """

    num_layers: int
    num_directions: int
    num_units: int
    calls: list[Call] = field(default_factory=list)

    def sequences(
        self,
        *,
        layer: int = 0,
        direction: int = 0,
        what: str = "active_mask",
        lengths: Sequence[int] | None = None,
    ) -> list[np.ndarray]:
        """One array for each sequence of each call, padding cut off, steps in reading order of the text.

        Args:
            layer: counted from 0, the lowest.
            direction: 0 or 1.
            what: "active_mask": ``(T, K)`` bool; "input_attention": ``(T, Hi, K, N+1)``, index 0 is the null element;
                "comm_attention": ``(T, Hc, K, K)``, row = querying unit.
            lengths: valid steps of every sequence of all calls, where the model ran the module over padding without
                telling it (a decoder); None: as the module was told.

        Raises:
            ValueError: for a layer, direction or field that was not recorded, or lengths that do not fit.
        """
        found = [row for call in self.calls for row in self._rows(call, layer, direction, what)]
        if lengths is None:
            return found
        if len(lengths) != len(found):
            raise ValueError(f"lengths must have an entry for each of {len(found)} sequences, got {len(lengths)}")
        for row, length in zip(found, lengths, strict=True):
            if not 0 <= length <= len(row):
                raise ValueError(f"lengths must be in [0, {len(row)}] for a sequence of {len(row)} steps, got {length}")
        return [row[:length] for row, length in zip(found, lengths, strict=True)]

    def streams(self, *, layer: int = 0, direction: int = 0, what: str = "active_mask") -> list[np.ndarray]:
        """As :meth:`sequences`, each call going on where the one before it stopped (blocks of a stream, single steps).

        Rows are joined by their place in the batch. A beam search exchanges them between steps: decode its result
        again, in one call.

        Raises:
            ValueError: as :meth:`sequences`, or if the number of sequences changes from call to call.
        """
        sizes = sorted({len(call.lengths) for call in self.calls})
        if len(sizes) > 1:
            raise ValueError(
                f"calls of {' and '.join(map(str, sizes))} sequences cannot be joined: decode the result in one call"
            )
        calls = [self._rows(call, layer, direction, what) for call in self.calls]
        return [np.concatenate(parts) for parts in zip(*calls, strict=True)]

    def _rows(self, call: Call, layer: int, direction: int, what: str) -> list[np.ndarray]:
        """The sequences of a call, ``(T_valid, ...)`` each."""
        for name, value, count in (("layer", layer, self.num_layers), ("direction", direction, self.num_directions)):
            if not 0 <= value < count:
                raise ValueError(f"{name} must be in [0, {count - 1}], got {value}")
        if what not in Activity._fields:
            raise ValueError(f"what must be one of {', '.join(Activity._fields)}, got {what!r}")
        values = getattr(call.parts[layer * self.num_directions + direction], what)
        if values is None:
            raise ValueError(f"{what} was not recorded: run the model under torch.no_grad(), with communication on")
        return [values[:length, row].numpy() for row, length in enumerate(call.lengths)]


def find_rims(model: nn.Module) -> dict[str, RIM]:
    """The RIM modules of a model by name; a module that occurs twice is named once.

    Raises:
        ValueError: if there is none.
    """
    found = {name: module for name, module in model.named_modules() if isinstance(module, RIM)}
    if not found:
        raise ValueError(f"{type(model).__name__} has no RIM layers, so there is no activity of units to look at")
    return found


@contextlib.contextmanager
def record(model: nn.Module) -> Iterator[dict[str, ModuleActivity]]:
    """Record the activity of every RIM module of a model while the context is open.

    Outputs and gradients stay the same bits. The active units are always recorded, the attentions only where no
    gradient is asked for (``torch.no_grad()``), as the compiled backends do not hand them out otherwise.

    Args:
        model: any module; its RIM modules are found by :func:`find_rims`.

    Yields:
        the activity of each RIM module by name, filled by every call of it.

    Raises:
        ValueError: if the model has no RIM modules.

    Example:
        >>> rim = RIM(300, 600, num_units=6, num_active=4)
        >>> with torch.no_grad(), record(rim) as recording:
        ...     _ = rim(torch.randn(50, 8, 300))
        >>> recording[""].sequences()[0].shape
        (50, 6)
    """
    rims = find_rims(model)
    recording = {name: ModuleActivity(rim.num_layers, rim.num_directions, rim.num_units) for name, rim in rims.items()}
    with contextlib.ExitStack() as stack:
        for name, rim in rims.items():
            stack.enter_context(_recorded(rim, recording[name]))
        yield recording


def _recorded(rim: RIM, into: ModuleActivity) -> contextlib.AbstractContextManager[None]:
    """Context in which every call of ``rim`` is added to ``into``."""
    run = rim._run_layers

    def run_and_record(
        x: Tensor, hidden: State, lengths: Tensor | None, schedule: Any, return_activity: bool, prepared: Any
    ) -> tuple[Tensor, State, list[Activity]]:
        wanted = return_activity or not torch.is_grad_enabled()
        output, final, trace = run(x, hidden, lengths, schedule, wanted, prepared)
        steps, batch = x.shape[:2]
        valid = [steps] * batch if lengths is None else lengths.tolist()
        parts = [Activity(*(None if part is None else part.detach().cpu() for part in layer)) for layer in trace]  # type: ignore[arg-type]
        into.calls.append(Call(valid, parts))
        return output, final, trace

    # The active units are known in every call; `forward` hands them out only together with the attentions.
    return shadowed(rim, "_run_layers", run_and_record)

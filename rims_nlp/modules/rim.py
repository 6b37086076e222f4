"""Recurrent Independent Mechanisms as drop-in layers: ``RIM`` for ``nn.LSTM``, ``RIMCell`` for ``nn.LSTMCell``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rims_nlp.modules import padding
from rims_nlp.modules.options import RIMOptions, check_at_least
from rims_nlp.ops import rim as op
from rims_nlp.ops.rim import fused, segments
from rims_nlp.ops.rim.factors import Joined
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State

Hidden = Tensor | tuple[Tensor, Tensor]
LAYER_INPUTS = ("concat", "units")
MASK_BYTES = 2**28
"""Dropout masks of what a layer reads take at most so much memory, per direction: one segment's at a time."""


class RIMActivity(NamedTuple):
    """What the units did, one entry per layer and direction (layer major, as in the state)."""

    active_mask: tuple[Tensor, ...]  # (T, B, K) bool
    input_attention: tuple[Tensor, ...]  # (T, B, Hi, K, N+1); index 0 is the null element
    comm_attention: tuple[Tensor | None, ...]  # (T, B, Hc, K, K), row = querying unit


class RIMCell(nn.Module):
    """One step of K recurrent units that compete for the input and communicate.

    Goyal et al. (2021), "Recurrent Independent Mechanisms", Sec. 2. Each unit has parameters of its own. It attends to
    the input and to a null element; the ``num_active`` units with the least attention on null update their state, the
    others keep it; then the active units read from all units.

    Args:
        input_size: size of an input element.
        hidden_size: total width, ``num_units`` times the size of a unit.
        num_units: number of units K (the paper's k_T).
        num_active: units updated per step (the paper's k_A).
        cell: "lstm" or "gru".
        backend: a name of :data:`rims_nlp.ops.rim.BACKENDS`, or "auto".
        device: of the parameters.
        dtype: of the parameters.
        **options: any other field of :class:`rims_nlp.modules.options.RIMOptions`.

    Raises:
        ValueError: for sizes that do not fit, or an option out of range.
        TypeError: for an unknown option.

    Example:
        >>> cell = RIMCell(300, 600, num_units=6, num_active=4)
        >>> h, c = cell(torch.randn(8, 300))
        >>> (h, c), info = cell(torch.randn(8, 300), (h, c), return_info=True)
        >>> info.active_mask.sum(1)
        tensor([4, 4, 4, 4, 4, 4, 4, 4])
    """

    weight_hh: nn.Parameter
    weight_ih: nn.Parameter

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_units: int = 6,
        num_active: int = 4,
        cell: str = "lstm",
        *,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        check_at_least("input_size", input_size, 1)
        op.check_name(backend)
        self.backend = backend
        settings = RIMOptions.from_keywords(num_units=num_units, num_active=num_active, cell=cell, **options)
        self.options = settings.resolve(hidden_size)
        self.input_size, self.hidden_size = input_size, hidden_size
        self.unit_size = hidden_size // num_units
        for name, shape in self._shapes().items():
            parameter = nn.Parameter(torch.empty(shape, device=device, dtype=dtype)) if shape else None
            self.register_parameter(name, parameter)
        self.reset_parameters()

    def _shapes(self) -> dict[str, tuple[int, ...] | None]:
        """Shape of each weight of :class:`RIMWeights`; None where the options leave it out."""
        o = self.options
        assert o.input_value_size is not None
        k, d, gates = o.num_units, self.unit_size, o.num_gates * self.unit_size
        query, value = o.num_input_heads * o.input_key_size, o.num_input_heads * o.input_value_size
        comm_key, comm_value = o.num_comm_heads * o.comm_key_size, o.num_comm_heads * o.comm_value_size
        positions = (o.input_positions,) if o.input_positions else ()
        attends, bias, comm = o.input_attention, o.bias, o.communication
        gated = comm and o.comm_update == "gated"
        return {
            "input_query": (k, d, query) if attends else None,
            "input_key": (*positions, self.input_size, query) if attends else None,
            "input_value": (*positions, self.input_size, value),
            "weight_ih": (k, value, gates),
            "weight_hh": (k, d, gates),
            "bias_ih": (k, gates) if bias else None,
            "bias_hh": (k, gates) if bias else None,
            "comm_query": (k, d, comm_key) if comm else None,
            "comm_key": (k, d, comm_key) if comm else None,
            "comm_value": (k, d, comm_value) if comm else None,
            "comm_out_weight": ((comm_value, d) if gated else (k, comm_value, d)) if comm else None,
            "comm_out_bias": (d,) if gated else None,
            "comm_gate_weight": (comm_value, d) if gated else None,
            "comm_gate_bias": (d,) if gated else None,
        }

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew, by ``init``."""
        reference = self.options.init == "reference"
        cell_bound = 1 / math.sqrt(self.hidden_size if reference else self.unit_size)
        out_bound = 1 / math.sqrt(self.options.num_comm_heads * self.options.comm_value_size)
        for name, weight in self.named_parameters():
            if name.startswith(("weight_", "bias_")):
                weight.uniform_(-cell_bound, cell_bound)
            elif name.endswith("_bias") or (name.startswith(("comm_out", "comm_gate")) and weight.dim() == 2):
                weight.uniform_(-out_bound, out_bound)
            else:
                weight.normal_(0, 0.01 if reference else 1 / math.sqrt(weight.shape[-2]))

    @classmethod
    def from_reference(cls, path: str | Path) -> RIMCell:
        """A float64 cell in eval mode with the weights of a recorded archive.

        tests/reference/README.md has the format.

        Raises:
            ValueError: if the file is not such an archive.
        """
        from rims_nlp.reference import load_reference

        return load_reference(Path(path))

    def weights(self) -> RIMWeights:
        """The weights as the recurrence takes them."""
        return RIMWeights(*(getattr(self, name) for name in RIMWeights._fields))

    def prepare(self) -> Joined:
        """The weights made ready once for many short calls, as in a search; valid until a weight changes."""
        with torch.no_grad():
            return fused.prepare(self.weights(), self.options)

    def prepare_input(self, x: Tensor) -> Tensor:
        """Elements ``(..., B, N, input_size)``; a single one is presented at all positions."""
        positions = self.options.input_positions
        if positions and x.shape[-2] == 1:
            return x.expand(*x.shape[:-2], positions, x.shape[-1])
        if positions and x.shape[-2] != positions:
            raise ValueError(f"input must have 1 or input_positions={positions} elements, got {x.shape[-2]}")
        return x

    def draw_masks(self, steps: int, batch: int) -> DropoutMasks:
        """Dropout masks for a run of ``steps``; all None in eval mode."""
        o, k = self.options, self.options.num_units
        if not self.training:
            return DropoutMasks()
        assert o.input_value_size is not None
        read = self._mask((steps, batch, k, o.num_input_heads * o.input_value_size), o.input_dropout)
        comm = self._mask((steps, batch, k, self.unit_size), o.comm_dropout) if o.communication else None
        return DropoutMasks(read, comm)

    def _mask(self, shape: tuple[int, ...], rate: float) -> Tensor | None:
        if rate == 0:
            return None
        return (
            torch.empty(shape, device=self.weight_hh.device, dtype=self.weight_hh.dtype)
            .bernoulli_(1 - rate)
            .div_(1 - rate)
        )

    def run(
        self,
        x: Tensor,
        state: State,
        *,
        schedule: Schedule,
        backend: str,
        return_activity: bool,
        prepared: Joined | None = None,
    ) -> tuple[Tensor, State, Activity]:
        """The cell over a sequence of elements ``(T, B, N, input_size)``; state ``(B, K, D)`` each.

        ``prepared`` weights (see :meth:`prepare`) are used only where no gradient is wanted. Where the masks of the
        input dropout would take more than ``MASK_BYTES``, the sequence is cut in segments with masks of their own.
        """
        x = self.prepare_input(x)
        if torch.is_grad_enabled() or self.training:
            prepared = None

        def run_segment(first: int, last: int, state: State) -> tuple[Tensor, State, Activity]:
            return op.sequence(
                backend,
                x[first:last],
                state,
                self.weights(),
                self.options,
                masks=self.draw_masks(last - first, x.shape[1]),
                schedule=schedule.steps(first, last),
                return_activity=return_activity,
                prepared=prepared,
            )

        mask_bytes = 0
        if self.training and self.options.input_dropout:
            entry = max(4, self.weight_ih.element_size())  # half precision is computed in float32
            mask_bytes = x.shape[1] * self.weight_ih.shape[:2].numel() * entry
        return segments.run_each(run_segment, segments.cut(x.shape[0], mask_bytes, MASK_BYTES), state)

    def forward(
        self,
        input: Tensor,
        state: Hidden | None = None,
        *,
        return_info: bool = False,
        prepared: Joined | None = None,
    ) -> Hidden | tuple[Hidden, Activity]:
        """One step.

        Args:
            input: ``(B, input_size)``, or a set of N elements ``(B, N, input_size)``.
            state: ``(h, c)`` for LSTM units, ``h`` for GRU units, each ``(B, hidden_size)``; None: zeros.
            return_info: also return what the units did.
            prepared: what :meth:`prepare` gave; saves time in a search.

        Returns:
            The next state in the form of ``state``; with ``return_info`` a pair of it and an :class:`Activity` with
            active_mask ``(B, K)``, input_attention ``(B, Hi, K, N+1)`` and comm_attention ``(B, Hc, K, K)``.

        Raises:
            ValueError: for a wrong number of dimensions, input width or state shape.
        """
        padding.check_input(input, (2, 3), self.input_size, "(B, input_size) or (B, N, input_size)")
        x = input if input.dim() == 3 else input.unsqueeze(1)
        initial = self.weight_hh.new_zeros(self.options.num_states, input.shape[0], self.hidden_size)
        hidden = unpack_hidden(state, self.options, (input.shape[0], self.hidden_size), initial=initial)
        units = tuple(part.unflatten(-1, (self.options.num_units, -1)) for part in hidden)
        _, new, activity = self.run(
            x.unsqueeze(0),
            units,
            schedule=Schedule(),
            backend=self.backend,
            return_activity=return_info,
            prepared=prepared,
        )
        result = pack_hidden(tuple(part.flatten(-2) for part in new))
        if not return_info:
            return result
        return result, Activity(*(None if part is None else part.squeeze(0) for part in activity))  # type: ignore[arg-type]

    def extra_repr(self) -> str:
        o = self.options
        return (
            f"{self.input_size}, {self.hidden_size}, num_units={o.num_units}, num_active={o.num_active}, "
            f"cell={o.cell}, variant={o.variant}"
        )


class RIM(nn.Module):
    """Layers of recurrent independent mechanisms, called like ``nn.LSTM`` (or ``nn.GRU``).

    Args:
        input_size: size of an input element.
        hidden_size: total width of a layer and direction, ``num_units`` times the size of a unit.
        num_layers: stacked layers.
        num_units: units K of a layer (the paper's k_T).
        num_active: units updated per step (the paper's k_A).
        cell: "lstm" or "gru".
        batch_first: input and output are ``(B, T, ...)``; the state is not affected.
        bidirectional: a second set of parameters reads each sequence backwards; outputs are concatenated.
        dropout: between layers.
        layer_input: "concat" hands the lower layer's output up as one element, "units" as a set of its units.
        use_inactive: hand up the state of inactive units too (True), or zeros in their place (False, the authors'
            default). The last layer always gives all of them.
        block_layer_grad: stop the gradient that a layer sends into the inactive units of the layer below.
        comm_every: units communicate at every n-th step only.
        update_every: the state is updated at every n-th step only.
        learn_initial_state: a trained initial state in place of zeros, where none is given.
        backend: a name of :data:`rims_nlp.ops.rim.BACKENDS`, or "auto".
        device: of the parameters.
        dtype: of the parameters.
        **options: any other field of :class:`rims_nlp.modules.options.RIMOptions`.

    Raises:
        ValueError: for sizes that do not fit, or an option out of range.
        TypeError: for an unknown option.

    Example:
        >>> rim = RIM(input_size=300, hidden_size=600, num_units=6, num_active=4)
        >>> output, (h_n, c_n) = rim(torch.randn(50, 8, 300))
        >>> output.shape, h_n.shape
        (torch.Size([50, 8, 600]), torch.Size([1, 8, 600]))
    """

    initial_state: nn.Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        num_units: int = 6,
        num_active: int = 4,
        cell: str = "lstm",
        *,
        batch_first: bool = False,
        bidirectional: bool = False,
        dropout: float = 0.0,
        layer_input: str = "concat",
        use_inactive: bool = False,
        block_layer_grad: bool = False,
        comm_every: int = 1,
        update_every: int = 1,
        learn_initial_state: bool = False,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        for name, count in (("num_layers", num_layers), ("comm_every", comm_every), ("update_every", update_every)):
            check_at_least(name, count, 1)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        if layer_input not in LAYER_INPUTS:
            raise ValueError(f"layer_input must be one of {', '.join(LAYER_INPUTS)}, got {layer_input!r}")
        op.check_name(backend)
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.num_units, self.unit_size = num_units, hidden_size // max(num_units, 1)
        self.num_directions = 2 if bidirectional else 1
        self.batch_first, self.bidirectional, self.dropout = batch_first, bidirectional, dropout
        self.layer_input, self.use_inactive, self.block_layer_grad = layer_input, use_inactive, block_layer_grad
        self.comm_every, self.update_every = comm_every, update_every
        self.backend = backend
        upper = self.unit_size if layer_input == "units" else hidden_size * self.num_directions
        self.cells = nn.ModuleList(
            RIMCell(
                input_size if layer == 0 else upper,
                hidden_size,
                num_units,
                num_active,
                cell,
                backend=backend,
                device=device,
                dtype=dtype,
                **({**options, "input_positions": 0} if layer else options),  # type: ignore[arg-type]
            )
            for layer in range(num_layers)
            for _ in range(self.num_directions)
        )
        states = (self.options.num_states, num_layers * self.num_directions, 1, hidden_size)
        initial = nn.Parameter(torch.zeros(states, device=device, dtype=dtype)) if learn_initial_state else None
        self.register_parameter("initial_state", initial)

    @classmethod
    def from_reference(cls, path: str | Path, *, backend: str = "auto") -> RIM:
        """A float64 layer in eval mode with the weights of a recorded archive; see :meth:`RIMCell.from_reference`."""
        cell = RIMCell.from_reference(path)
        rim = cls(cell.input_size, cell.hidden_size, backend=backend, **vars(cell.options))
        rim.cells[0] = cell
        return rim.double().eval()

    def prepare(self) -> list[Joined]:
        """The weights made ready once for many short calls, as in a search; valid until a weight changes."""
        return [self._cell(index).prepare() for index in range(len(self.cells))]

    @property
    def options(self) -> RIMOptions:
        """The options shared by all layers."""
        return self._cell(0).options

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Hidden | None = None,
        *,
        lengths: Tensor | None = None,
        return_activity: bool = False,
        start_step: int = 0,
        prepared: Sequence[Joined] | None = None,
    ) -> tuple:
        """Run the layers over a batch of sequences.

        Args:
            input: ``(T, B, input_size)``, or a set of N elements a step ``(T, B, N, input_size)``; batch before time if
                ``batch_first``; or a ``PackedSequence``.
            hx: initial state: ``(h_0, c_0)`` for LSTM units, ``h_0`` for GRU units, each
                ``(num_layers * num_directions, B, hidden_size)``; None: zeros (or the learned state).
            lengths: ``(B,)`` valid steps of each sequence. What lies behind them has no influence on values or
                gradients; states freeze there and the output is 0.
            return_activity: also return a :class:`RIMActivity`.
            start_step: number of steps of the stream already run, for ``comm_every`` and ``update_every``.
            prepared: what :meth:`prepare` gave; saves time in a search.

        Returns:
            output ``(T, B, num_directions * hidden_size)`` in the form of ``input``, and the final state in the form of
            ``hx``; with ``return_activity`` the activity as a third.

        Raises:
            ValueError: for a wrong number of dimensions, input width, state shape or lengths.
        """
        packed = input if isinstance(input, PackedSequence) else None
        x, lengths = padding.unpack(input, lengths)
        padding.check_input(
            x, (3, 4), self.input_size, "(T, B, input_size) or (T, B, N, input_size), batch first if batch_first"
        )
        if self.batch_first and packed is None:
            x = x.transpose(0, 1)
        if x.dim() == 3:
            x = x.unsqueeze(2)
        if x.shape[0] == 0:
            raise ValueError("input must have at least one step, got 0")
        if start_step and self.bidirectional:
            raise ValueError(f"start_step must be 0 in a bidirectional layer, got {start_step}")
        state_shape = (self.num_layers * self.num_directions, x.shape[1], self.hidden_size)
        hidden = unpack_hidden(hx, self.options, state_shape, initial=self._initial(x.shape[1]))
        valid = None
        if lengths is not None:
            lengths = padding.check_lengths(lengths, x.shape[0], x.shape[1]).to(x.device)
            valid = padding.valid_steps(lengths, x.shape[0])
            x = x.masked_fill(~valid[..., None, None], 0)
        output, final, trace = self._run_layers(
            x, hidden, lengths, self._schedule(x, valid, start_step), return_activity, prepared
        )
        if valid is not None:
            output = output.masked_fill(~valid.unsqueeze(-1), 0)
        result: Tensor | PackedSequence = output
        if packed is not None:
            assert lengths is not None
            result = padding.repack(output, lengths, packed)
        elif self.batch_first:
            result = output.transpose(0, 1)
        if not return_activity:
            return result, pack_hidden(final)
        return result, pack_hidden(final), RIMActivity(*zip(*trace, strict=True))  # type: ignore[arg-type]

    def _run_layers(
        self,
        x: Tensor,
        hidden: State,
        lengths: Tensor | None,
        schedule: Schedule,
        return_activity: bool,
        prepared: Sequence[Joined] | None,
    ) -> tuple[Tensor, State, list[Activity]]:
        """All layers over ``(T, B, N, input_size)``: the top output ``(T, B, dirs * H)``, final states, activity."""
        finals, trace = [], []
        for layer in range(self.num_layers):
            is_top = layer == self.num_layers - 1
            outputs = []
            for direction in range(self.num_directions):
                index = layer * self.num_directions + direction
                state = tuple(part[index] for part in hidden)
                ready = None if prepared is None else prepared[index]
                y, final, activity = self._run_direction(index, x, state, lengths, schedule, return_activity, ready)
                finals.append(final)
                trace.append(activity)
                outputs.append(y if is_top else self._hand_up(y, activity.active_mask))
            units = outputs[0] if len(outputs) == 1 else torch.cat(outputs, dim=2)  # (T, B, dirs * K, D)
            if not is_top:
                x = units if self.layer_input == "units" else units.flatten(2).unsqueeze(2)
                x = nn.functional.dropout(x, self.dropout, self.training)
        final_state = tuple(torch.stack(part) for part in zip(*finals, strict=True))
        return units.flatten(2), final_state, trace

    def _run_direction(
        self,
        index: int,
        x: Tensor,
        state: State,
        lengths: Tensor | None,
        schedule: Schedule,
        return_activity: bool,
        prepared: Joined | None,
    ) -> tuple[Tensor, State, Activity]:
        """One layer and direction: h of the units ``(T, B, K, D)``, final flat state ``(B, H)`` each, activity."""
        backwards = index % self.num_directions == 1
        units = tuple(part.unflatten(-1, (self.num_units, -1)) for part in state)
        y, final, activity = self._cell(index).run(
            padding.reverse(x, lengths) if backwards else x,
            units,
            schedule=schedule,
            backend=self.backend,
            return_activity=return_activity,
            prepared=prepared,
        )
        if backwards:
            y = padding.reverse(y, lengths)
            fields = (None if part is None else padding.reverse(part, lengths) for part in activity)
            activity = Activity(*fields)  # type: ignore[arg-type]
        return y, tuple(part.flatten(-2) for part in final), activity

    def _cell(self, index: int) -> RIMCell:
        """The parameters of a layer and direction, layer major."""
        cell = self.cells[index]
        assert isinstance(cell, RIMCell)
        return cell

    def _hand_up(self, y: Tensor, active_mask: Tensor) -> Tensor:
        """What the layer above sees of ``y`` ``(T, B, K, D)``."""
        active = active_mask.unsqueeze(-1)
        if not self.use_inactive:
            return torch.where(active, y, torch.zeros_like(y))
        return torch.where(active, y, y.detach()) if self.block_layer_grad else y

    def _initial(self, batch: int) -> Tensor:
        """Initial states ``(2 or 1, num_layers * dirs, batch, H)``: zeros or the learned ones."""
        if self.initial_state is not None:
            return self.initial_state.expand(-1, -1, batch, -1)
        weight = self._cell(0).weight_hh
        return weight.new_zeros(self.options.num_states, self.num_layers * self.num_directions, batch, self.hidden_size)

    def _schedule(self, x: Tensor, valid: Tensor | None, start: int) -> Schedule:
        """Which steps update (not padding, ``update_every``) and which communicate (``comm_every``)."""
        steps = range(start, start + x.shape[0])
        if self.update_every > 1:
            due = torch.tensor([t % self.update_every == 0 for t in steps], device=x.device).unsqueeze(1)
            valid = due.expand(-1, x.shape[1]) if valid is None else valid & due
        communicate = tuple(t % self.comm_every == 0 for t in steps) if self.comm_every > 1 else None
        return Schedule(valid, communicate)

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, {self.hidden_size}, num_layers={self.num_layers}, bidirectional={self.bidirectional}, "
            f"dropout={self.dropout}, layer_input={self.layer_input}, backend={self.backend}"
        )


def unpack_hidden(hidden: Hidden | None, options: RIMOptions, shape: tuple[int, ...], *, initial: Tensor) -> State:
    """A caller's state as a tuple of tensors of ``shape``, checked; ``initial`` ``(1 or 2, *shape)`` if it is None.

    Raises:
        ValueError: for a wrong number of tensors or a wrong shape.
    """
    if hidden is None:
        return tuple(initial.unbind(0))
    parts = (hidden,) if isinstance(hidden, Tensor) else tuple(hidden)
    names = ("h", "c") if options.cell == "lstm" else ("h",)
    if len(parts) != len(names) or isinstance(hidden, Tensor) != (len(names) == 1):
        got = "one tensor" if isinstance(hidden, Tensor) else f"a tuple of {len(parts)}"
        raise ValueError(f"the state of {options.cell} units is {' and '.join(names)}, got {got}")
    for name, part in zip(names, parts, strict=True):
        if part.shape != shape:
            raise ValueError(f"state {name} must have shape {shape}, got {tuple(part.shape)}")
    return tuple(part.to(initial.dtype) for part in parts)  # states keep the precision of the parameters


def pack_hidden(parts: State) -> Hidden:
    """The state as the caller has it: ``(h, c)``, or ``h`` alone."""
    return parts[0] if len(parts) == 1 else (parts[0], parts[1])

"""Recurrent cores behind one call, so that a model can exchange one for another."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from rims_nlp.modules.relational_memory import RelationalMemory
from rims_nlp.modules.rim import RIM

State = tuple[Tensor, ...]


class RecurrentCore(nn.Module):
    """A recurrence over padded sequences, time first.

    Attributes:
        output_size: size of an output.
        state_sizes: size of each state tensor of one layer, e.g. ``(H, H)`` for h and c.
        num_layers: stacked layers.
        num_directions: 1, or 2 for a bidirectional core.
    """

    output_size: int
    state_sizes: tuple[int, ...]
    num_layers: int
    num_directions: int

    def prepare(self) -> object:
        """What can be computed once for many short calls with the same weights, as in a search; None: nothing."""
        return None

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None, *, prepared: Any = None
    ) -> tuple[Tensor, State]:
        """Run over ``x`` ``(T, B, input_size)``.

        Args:
            x: input.
            state: one ``(num_layers * num_directions, B, size)`` tensor for each of ``state_sizes``; None: the core's
                initial state, zeros unless it says otherwise.
            lengths: ``(B,)`` valid steps; None: all.
            prepared: what :meth:`prepare` gave, or None.

        Returns:
            outputs ``(T, B, output_size)``, 0 on padding, and the state after the last valid step of each sequence.
        """
        raise NotImplementedError


class RIMCore(RecurrentCore):
    """A :class:`RIM` as a core; arguments as there."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, **options: object) -> None:
        super().__init__()
        self.rim = RIM(input_size, hidden_size, num_layers, **options)  # type: ignore[arg-type]
        self.num_layers, self.num_directions = num_layers, self.rim.num_directions
        self.output_size = hidden_size * self.num_directions
        self.state_sizes = (hidden_size,) * self.rim.options.num_states

    def prepare(self) -> object:
        return self.rim.prepare()

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None, *, prepared: Any = None
    ) -> tuple[Tensor, State]:
        hidden = state if state is None or len(state) == 2 else state[0]
        output, final = self.rim(x, hidden, lengths=lengths, prepared=prepared)
        return output, (final,) if isinstance(final, Tensor) else final


class LSTMCore(RecurrentCore):
    """An ``nn.LSTM`` as a core."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        between = dropout if num_layers > 1 else 0.0  # nn.LSTM warns about dropout with a single layer
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, bidirectional=bidirectional, dropout=between)
        self.num_layers, self.num_directions = num_layers, 2 if bidirectional else 1
        self.output_size = hidden_size * self.num_directions
        self.state_sizes = (hidden_size, hidden_size)

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None, *, prepared: Any = None
    ) -> tuple[Tensor, State]:
        if lengths is None and state is not None and self._can_step(x):
            return self._step(x[0], state)
        if lengths is None:
            return self.lstm(x, state)
        packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
        output, final = self.lstm(packed, state)
        return pad_packed_sequence(output, total_length=x.shape[0])[0], final

    def _can_step(self, x: Tensor) -> bool:
        autocast = torch.is_autocast_enabled(x.device.type)
        return x.shape[0] == 1 and self.num_directions == 1 and not self.training and not autocast

    def _step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """One step of a search, by torch's cell: on a CPU ``nn.LSTM`` takes three times as long for a single step."""
        finals = []
        for layer, weights in enumerate(self.lstm.all_weights):
            x, c = torch.lstm_cell(x, [part[layer] for part in state], *weights)
            finals.append((x, c))
        return x.unsqueeze(0), tuple(torch.stack(part) for part in zip(*finals, strict=True))


class RelationalMemoryCore(RecurrentCore):
    """A :class:`RelationalMemory` as a core; its one state tensor is the memory, at first the identity.

    Args:
        input_size: size of the input.
        hidden_size: width of all slots of a layer and direction together.
        num_layers: stacked layers.
        mem_slots: rows of a layer's memory.
        num_heads: attention heads; the size of a head follows from the widths.
        **options: any other argument of :class:`RelationalMemory`.

    Raises:
        ValueError: if slots and heads do not divide ``hidden_size``, or an option is out of range.
        TypeError: for an unknown option.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        *,
        mem_slots: int = 1,
        num_heads: int = 4,
        **options: object,
    ) -> None:
        super().__init__()
        if min(hidden_size, mem_slots, num_heads) < 1 or hidden_size % (mem_slots * num_heads):
            raise ValueError(
                "hidden_size must be a positive multiple of mem_slots * num_heads, "
                f"got hidden_size={hidden_size}, mem_slots={mem_slots}, num_heads={num_heads}"
            )
        head_size = hidden_size // (mem_slots * num_heads)
        self.memory = RelationalMemory(input_size, mem_slots, head_size, num_heads, num_layers, **options)  # type: ignore[arg-type]
        self.num_layers, self.num_directions = num_layers, self.memory.num_directions
        self.output_size = hidden_size * self.num_directions
        self.state_sizes = (hidden_size,)

    def forward(
        self, x: Tensor, state: State | None = None, lengths: Tensor | None = None, *, prepared: Any = None
    ) -> tuple[Tensor, State]:
        output, final = self.memory(x, None if state is None else state[0], lengths=lengths)
        return output, (final,)


class RecurrentCoreBridge(nn.Module):
    """Initial state of a decoder's core from the final state of an encoder's, a tanh projection per layer.

    Args:
        encoder: the core whose final state is read.
        decoder: the core to initialise; it has as many layers, and as many state tensors.

    Raises:
        ValueError: if the layers or states of the two cores differ in number.
    """

    def __init__(self, encoder: RecurrentCore, decoder: RecurrentCore) -> None:
        super().__init__()
        if encoder.num_layers != decoder.num_layers or len(encoder.state_sizes) != len(decoder.state_sizes):
            raise ValueError(
                "encoder and decoder must have as many layers and state tensors, "
                f"got {encoder.num_layers} x {len(encoder.state_sizes)} and "
                f"{decoder.num_layers} x {len(decoder.state_sizes)}"
            )
        self.num_layers = encoder.num_layers
        self.projections = nn.ModuleList(
            nn.Linear(source * encoder.num_directions, target)
            for _ in range(self.num_layers)
            for source, target in zip(encoder.state_sizes, decoder.state_sizes, strict=True)
        )

    def forward(self, state: State) -> State:
        """Encoder states ``(L * dirs, B, size)`` to decoder states ``(L, B, size)``."""
        projected: list[list[Tensor]] = [[] for _ in state]
        for layer in range(self.num_layers):
            for index, part in enumerate(state):
                directions = part.unflatten(0, (self.num_layers, -1))[layer]  # (dirs, B, size)
                joined = directions.transpose(0, 1).flatten(1)
                projection = self.projections[layer * len(state) + index]
                projected[index].append(torch.tanh(projection(joined)))
        return tuple(torch.stack(part) for part in projected)

"""The relational memory core: ``RelationalMemory`` for ``nn.LSTM``, ``RelationalMemoryCell`` for ``nn.LSTMCell``."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from rims_nlp.modules import padding
from rims_nlp.modules.options import check_at_least
from rims_nlp.ops.relational_memory import hoisted
from rims_nlp.ops.relational_memory.types import BlockWeights, MemoryOptions, MemoryWeights


class RelationalMemoryBlock(nn.Module):
    """Attention of one block, and its layer norms.

    Args:
        options: of the memory.
        device: of the parameters.
        dtype: of the parameters.
    """

    def __init__(
        self, options: MemoryOptions, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
        width, total = options.slot_size, sum(options.qkv_sizes)
        self.qkv = nn.Linear(width, total, device=device, dtype=dtype)
        self.qkv_norm = nn.LayerNorm(total, device=device, dtype=dtype)
        self.attention_norm = nn.LayerNorm(width, device=device, dtype=dtype)
        self.mlp_norm = nn.LayerNorm(width, device=device, dtype=dtype)

    def weights(self) -> BlockWeights:
        """The weights as the recurrence takes them."""
        modules = (self.qkv, self.qkv_norm, self.attention_norm, self.mlp_norm)
        return BlockWeights(*(part for module in modules for part in (module.weight, module.bias)))


class RelationalMemoryCell(nn.Module):
    """One step of a memory of several slots that attend to each other and to the input.

    Santoro et al. (2018), "Relational recurrent neural networks", Sec. 3, in the numerics of DeepMind's Sonnet,
    version 1. The projected input is a further row beside the slots; the rows pass through ``num_blocks`` rounds of
    multi-head attention and an MLP, and gates mix the slots so obtained with the old ones.

    Args:
        input_size: size of the input.
        mem_slots: rows of the memory (S).
        head_size: size of a head's values; a slot is F = ``num_heads * head_size`` wide.
        num_heads: attention heads.
        device: of the parameters.
        dtype: of the parameters.
        **options: any other field of :class:`rims_nlp.ops.relational_memory.types.MemoryOptions`.

    Raises:
        ValueError: for an option out of range.
        TypeError: for an unknown option.

    Example:
        >>> cell = RelationalMemoryCell(300, mem_slots=4, head_size=32, num_heads=4)
        >>> memory = cell(torch.randn(8, 300))
        >>> cell(torch.randn(8, 300), memory).shape
        torch.Size([8, 512])
    """

    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        check_at_least("input_size", input_size, 1)
        self.options = MemoryOptions(mem_slots, head_size, num_heads, **options)  # type: ignore[arg-type]
        self.input_size, self.hidden_size = input_size, mem_slots * self.options.slot_size
        width, gates = self.options.slot_size, 2 * self.options.gate_size

        def linear(inputs: int, outputs: int) -> nn.Linear:
            return nn.Linear(inputs, outputs, device=device, dtype=dtype)

        self.input = linear(input_size, width)
        self.blocks = nn.ModuleList(
            RelationalMemoryBlock(self.options, device=device, dtype=dtype) for _ in range(self.options.num_blocks)
        )
        self.mlp = nn.ModuleList(linear(width, width) for _ in range(self.options.mlp_layers))
        self.input_gates = linear(width, gates) if gates else None
        self.memory_gates = linear(width, gates) if gates else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draw the weights anew as Sonnet does: normal, cut at two standard deviations of ``1/sqrt(inputs)``."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                deviation = module.in_features**-0.5
                nn.init.trunc_normal_(module.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.LayerNorm):
                module.reset_parameters()

    def weights(self) -> MemoryWeights:
        """The weights as the recurrence takes them."""
        gates = [(None, None) if part is None else (part.weight, part.bias) for part in self._gates()]
        blocks = tuple(block.weights() for block in self.blocks)  # type: ignore[operator]
        mlp = tuple((layer.weight, layer.bias) for layer in self.mlp)
        return MemoryWeights(self.input.weight, self.input.bias, blocks, mlp, *gates[0], *gates[1])  # type: ignore[arg-type]

    def _gates(self) -> tuple[nn.Linear | None, nn.Linear | None]:
        return self.input_gates, self.memory_gates

    def initial_state(self, batch: int) -> Tensor:
        """The identity, cut or filled up with zeros to slots of width F, so that the slots differ: ``(B, S * F)``."""
        weight = self.input.weight
        identity = torch.eye(self.options.mem_slots, self.options.slot_size, device=weight.device, dtype=weight.dtype)
        return identity.flatten().expand(batch, -1)

    def run(self, x: Tensor, memory: Tensor, valid: Tensor | None = None) -> Tensor:
        """The cell over a sequence.

        Args:
            x: ``(T, B, input_size)``.
            memory: before the first step, ``(B, S * F)``.
            valid: ``(T, B)`` bool; False keeps a sequence's memory as it is. None: all steps are valid.

        Returns:
            The memory after every step, ``(T, B, S * F)``.
        """
        slots = memory.unflatten(-1, (self.options.mem_slots, -1))
        return hoisted.sequence(x, slots, self.weights(), self.options, valid=valid).flatten(2)

    def forward(self, input: Tensor, memory: Tensor | None = None) -> Tensor:
        """One step.

        Args:
            input: ``(B, input_size)``.
            memory: ``(B, S * F)``; None: the initial one.

        Returns:
            The next memory ``(B, S * F)``, which is also the output.

        Raises:
            ValueError: for a wrong number of dimensions, input width or memory shape.
        """
        padding.check_input(input, (2,), self.input_size, "(B, input_size)")
        memory = check_memory(memory, self.initial_state(input.shape[0]))
        return self.run(input.unsqueeze(0), memory)[0]

    def extra_repr(self) -> str:
        o = self.options
        return (
            f"{self.input_size}, mem_slots={o.mem_slots}, head_size={o.head_size}, num_heads={o.num_heads}, "
            f"gate_style={o.gate_style}"
        )


class RelationalMemory(nn.Module):
    """Layers of relational memory, called like ``nn.GRU``: the memory is the only state, and the output.

    Args:
        input_size: size of the input.
        mem_slots: rows of a layer's memory (S).
        head_size: size of a head's values; a slot is F = ``num_heads * head_size`` wide.
        num_heads: attention heads.
        num_layers: stacked layers.
        batch_first: input and output are ``(B, T, ...)``; the state is not affected.
        bidirectional: a second set of parameters reads each sequence backwards; outputs are concatenated.
        dropout: between layers.
        device: of the parameters.
        dtype: of the parameters.
        **options: any other field of :class:`rims_nlp.ops.relational_memory.types.MemoryOptions`.

    Raises:
        ValueError: for an option out of range.
        TypeError: for an unknown option.

    Example:
        >>> memory = RelationalMemory(300, mem_slots=4, head_size=32, num_heads=4)
        >>> output, m_n = memory(torch.randn(50, 8, 300))
        >>> output.shape, m_n.shape
        (torch.Size([50, 8, 512]), torch.Size([1, 8, 512]))
    """

    def __init__(
        self,
        input_size: int,
        mem_slots: int,
        head_size: int,
        num_heads: int = 1,
        num_layers: int = 1,
        *,
        batch_first: bool = False,
        bidirectional: bool = False,
        dropout: float = 0.0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: object,
    ) -> None:
        super().__init__()
        check_at_least("num_layers", num_layers, 1)
        if not 0.0 <= dropout < 1.0:
            raise ValueError(f"dropout must be in [0, 1), got {dropout}")
        self.input_size, self.num_layers = input_size, num_layers
        self.hidden_size = mem_slots * num_heads * head_size
        self.num_directions = 2 if bidirectional else 1
        self.batch_first, self.bidirectional, self.dropout = batch_first, bidirectional, dropout
        self.cells = nn.ModuleList(
            RelationalMemoryCell(
                self.hidden_size * self.num_directions if layer else input_size,
                mem_slots,
                head_size,
                num_heads,
                device=device,
                dtype=dtype,
                **options,
            )
            for layer in range(num_layers)
            for _ in range(self.num_directions)
        )

    @property
    def options(self) -> MemoryOptions:
        """The options shared by all layers."""
        return self._cell(0).options

    def initial_state(self, batch: int) -> Tensor:
        """The memories to start from where none are given, ``(num_layers * num_directions, B, S * F)``."""
        return self._cell(0).initial_state(batch).expand(len(self.cells), -1, -1)

    def forward(
        self, input: Tensor | PackedSequence, hx: Tensor | None = None, *, lengths: Tensor | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor]:
        """Run the layers over a batch of sequences.

        Args:
            input: ``(T, B, input_size)``, batch before time if ``batch_first``; or a ``PackedSequence``.
            hx: initial memories ``(num_layers * num_directions, B, S * F)``; None: :meth:`initial_state`.
            lengths: ``(B,)`` valid steps of each sequence. What lies behind them has no influence on values or
                gradients; memories freeze there and the output is 0.

        Returns:
            output ``(T, B, num_directions * S * F)`` in the form of ``input``, and the final memories in the form of
            ``hx``.

        Raises:
            ValueError: for a wrong number of dimensions, input width, memory shape or lengths.
        """
        packed = input if isinstance(input, PackedSequence) else None
        x, lengths = padding.unpack(input, lengths)
        padding.check_input(x, (3,), self.input_size, "(T, B, input_size), batch first if batch_first")
        if self.batch_first and packed is None:
            x = x.transpose(0, 1)
        if x.shape[0] == 0:
            raise ValueError("input must have at least one step, got 0")
        memories, valid = check_memory(hx, self.initial_state(x.shape[1])), None
        if lengths is not None:
            lengths = padding.check_lengths(lengths, x.shape[0], x.shape[1]).to(x.device)
            valid = padding.valid_steps(lengths, x.shape[0])
            x = x.masked_fill(~valid.unsqueeze(-1), 0)
        output, final = self._run_layers(x, memories, lengths, valid)
        if valid is not None:
            output = output.masked_fill(~valid.unsqueeze(-1), 0)
        if packed is not None:
            assert lengths is not None
            return padding.repack(output, lengths, packed), final
        return output.transpose(0, 1) if self.batch_first else output, final

    def _run_layers(
        self, x: Tensor, memories: Tensor, lengths: Tensor | None, valid: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """All layers over ``(T, B, input_size)``: the top output ``(T, B, dirs * S * F)`` and the final memories."""
        finals = []
        for layer in range(self.num_layers):
            outputs = []
            for backwards in range(self.num_directions):
                index = layer * self.num_directions + backwards
                y = self._cell(index).run(padding.reverse(x, lengths) if backwards else x, memories[index], valid)
                finals.append(y[-1])
                outputs.append(padding.reverse(y, lengths) if backwards else y)
            x = torch.cat(outputs, dim=-1) if self.bidirectional else outputs[0]
            if layer < self.num_layers - 1:
                x = nn.functional.dropout(x, self.dropout, self.training)
        return x, torch.stack(finals)

    def _cell(self, index: int) -> RelationalMemoryCell:
        """The parameters of a layer and direction, layer major."""
        cell = self.cells[index]
        assert isinstance(cell, RelationalMemoryCell)
        return cell

    def extra_repr(self) -> str:
        return (
            f"{self.input_size}, num_layers={self.num_layers}, bidirectional={self.bidirectional}, "
            f"dropout={self.dropout}"
        )


def check_memory(memory: Tensor | None, initial: Tensor) -> Tensor:
    """A caller's memory, or the initial one; in the precision of the parameters.

    Raises:
        ValueError: for a shape other than that of ``initial``.
    """
    if memory is None:
        return initial
    if not isinstance(memory, Tensor):
        raise ValueError(f"the state is one tensor, the memory, got {type(memory).__name__}")
    if memory.shape != initial.shape:
        raise ValueError(f"the memory must have shape {tuple(initial.shape)}, got {tuple(memory.shape)}")
    return memory.to(initial.dtype)

"""The RIM recurrence with its time loop in one compiled kernel, and a hand-written gradient.

README.md has the algebra. What does not depend on the state (the input's share of gates and scores) is formed by large
matrix products before the loop, what can wait (the gradients of weights and input) after it, a chunk of steps at a
time. Of the forward pass only states, attention and, up to ``KEEP_BYTES``, the gates' share of the input are kept; the
rest is computed again in the backward pass. An inactive unit has no gradient in its gates, so its rows are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.factors import communication_side, key_side, value_side
from rims_nlp.ops.rim.kernel import Gradients, Inputs, Kernel, Outputs, Problem
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State

KEEP_BYTES = 2**28
"""The input's share of the gates is kept for the backward pass up to this size per layer, and computed again above."""


class Operands(NamedTuple):
    """The tensors of one run, and their gradients in the same order; letters as in :mod:`rims_nlp.ops.rim.kernel`."""

    rows: Tensor  # (Hi or 1, T*B*N, R): what the cells' input weights are multiplied with
    value_weight: Tensor  # (Hi, K, R, G*D)
    keys: Tensor | None  # (Hi, T*B*N, dk); None: no input attention
    query_weight: Tensor | None  # (Hi, dk, K*D)
    h: Tensor  # (B, K, D)
    c: Tensor | None  # (B, K, D), LSTM only
    weight_hh: Tensor  # (K, D, G*D)
    bias_ih: Tensor | None  # (K, G*D); LSTM: the sum of both
    bias_hh: Tensor | None  # (K, G*D), GRU only
    project: Tensor | None  # (K, D, P); None: no communication
    out_weight: Tensor | None  # gated (V, 2D), residual (K, V, D)
    out_bias: Tensor | None  # gated (2D)
    read_mask: Tensor | None  # (T, B, K, Hi*R), dropout
    comm_mask: Tensor | None  # (T, B, K, D), dropout
    update: Tensor | None  # (T, B) bool
    talks: Tensor | None  # (T) bool


def needs_gradient(x: Tensor, state: State, weights: RIMWeights) -> bool:
    """Whether a gradient can be asked for."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))


def working_type(x: Tensor, weights: RIMWeights) -> torch.dtype:
    """float64 if anything is, else float32."""
    return torch.float64 if torch.float64 in (x.dtype, weights.weight_hh.dtype) else torch.float32


def sequence(
    kernel: Kernel,
    x: Tensor,
    state: State,
    weights: RIMWeights,
    options: RIMOptions,
    *,
    masks: DropoutMasks,
    schedule: Schedule,
    return_activity: bool,
) -> tuple[Tensor, State, Activity]:
    """As :func:`rims_nlp.ops.rim.naive.sequence`, by a kernel; the activity has no gradient."""
    with torch.autocast(x.device.type, enabled=False):
        dtype, stored = working_type(x, weights), state[0].dtype
        x, state = x.to(dtype), tuple(part.to(dtype) for part in state)
        weights = RIMWeights(*(None if weight is None else weight.to(dtype) for weight in weights))  # type: ignore[arg-type]
        steps, batch, elements = x.shape[:3]
        problem = Problem(options, steps, batch, elements, weights.weight_hh.shape[1])
        bias_ih, bias_hh = weights.bias_ih, weights.bias_hh
        if options.bias and options.cell == "lstm":
            bias_ih, bias_hh = bias_ih + bias_hh, None  # type: ignore[operator]
        talks = None if schedule.communicate is None else torch.tensor(schedule.communicate, device=x.device)
        h, h_n, c_n, active, attention, comm_attention = Recurrence.apply(
            kernel, problem, *value_side(x, weights, options, masks.read),
            *(key_side(x, weights, options) if options.input_attention else (None, None)),
            state[0], state[1] if len(state) == 2 else None, weights.weight_hh, bias_ih, bias_hh,
            *communication_side(weights, options), masks.read, masks.comm, schedule.update, talks,
        )  # fmt: skip
    final = (h_n, c_n) if len(state) == 2 else (h_n,)
    activity = Activity(active, None, None)
    if return_activity:
        activity = Activity(active, with_null(attention, options), comm_attention)
    return h.to(stored), tuple(part.to(stored) for part in final), activity


def with_null(attention: Tensor, options: RIMOptions) -> Tensor:
    """Attention ``(T, B, K, Hi*N)`` as ``(T, B, Hi, K, N+1)``: what is missing to 1 was the null element's."""
    attention = attention.unflatten(-1, (options.num_input_heads, -1)).transpose(2, 3)
    return torch.cat([1 - attention.sum(-1, keepdim=True), attention], dim=-1)


class Recurrence(torch.autograd.Function):
    """Chunks of steps through a kernel, and their gradient."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx, kernel: Kernel, problem: Problem, *operands: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        keeps = any(ctx.needs_input_grad)
        run = _Run(kernel, problem, Operands(*operands))  # type: ignore[arg-type]
        outputs, final_c, kept = run.forward(keeps)
        ctx.run, ctx.kept = (kernel, problem), len(kept)
        ctx.set_materialize_grads(False)
        activity = (outputs.active, outputs.attention, outputs.comm_attention)
        ctx.mark_non_differentiable(*(part for part in activity if part is not None))
        if keeps:
            ctx.save_for_backward(*operands, *vars(outputs).values(), *kept)
        return outputs.h, outputs.h[-1].clone(), final_c, *activity

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output, grad_h, grad_c, *unused):  # type: ignore[override]
        saved, count = ctx.saved_tensors, len(Operands._fields)
        split = len(saved) - ctx.kept
        kernel, problem = ctx.run
        run = _Run(kernel, problem, Operands(*saved[:count]))
        with torch.autocast(run.operands.h.device.type, enabled=False):
            grads = run.backward(Outputs(*saved[count:split]), saved[split:], grad_output, grad_h, grad_c)
        return None, None, *grads


class _Run:
    """One sequence, cut into chunks of steps."""

    def __init__(self, kernel: Kernel, problem: Problem, operands: Operands) -> None:
        self.kernel, self.problem, self.operands = kernel, problem, operands
        heads, units, _, width = operands.value_weight.shape
        step_bytes = heads * units * problem.batch * problem.elements * width * operands.h.element_size()
        count = max(1, -(-problem.steps * step_bytes // max(kernel.chunk_bytes, step_bytes)))
        bounds = [problem.steps * i // count for i in range(count + 1)]
        self.chunks = list(zip(bounds[:-1], bounds[1:], strict=True))
        self.keeps_gates = problem.steps * step_bytes <= KEEP_BYTES

    def forward(self, keeps: bool) -> tuple[Outputs, Tensor | None, list[Tensor]]:
        """All steps; ``keeps`` what the backward pass needs. Returns also the last c, and the kept gates by chunk."""
        outputs = self.empty_outputs(keeps)
        kept: list[Tensor] = []
        h, c = self.operands.h, self.operands.c
        for first, last in self.chunks:
            gates, part = self.gates(first, last, kept=keeps and self.keeps_gates), outputs.steps(first, last)
            if not keeps:
                part.c = outputs.c
            self.kernel.forward(self.problem, self.inputs(first, last, gates, h, c), part)
            h, c = part.h[-1], None if part.c is None else part.c[-1]
            if keeps and self.keeps_gates:
                kept.append(gates)
        return outputs, None if c is None else c.clone(), kept

    def empty_outputs(self, keeps: bool) -> Outputs:
        """Room for what the kernel writes; of c only the last is kept unless ``keeps``."""
        o, steps, batch = self.problem.options, self.problem.steps, self.problem.batch
        new, state = self.operands.h.new_empty, (batch, o.num_units, self.problem.size)
        comm = (steps, batch, o.num_comm_heads, o.num_units, o.num_units)
        return Outputs(
            h=new(steps, *state),
            c=new(steps if keeps else 1, *state) if o.cell == "lstm" else None,
            attention=new(steps, batch, o.num_units, self.problem.entries),
            active=new(steps, batch, o.num_units, dtype=torch.bool),
            comm_attention=new(comm) if o.communication else None,
            source=new(steps, *state) if keeps and o.communication else None,
        )

    def rows_of(self, first: int, last: int) -> slice:
        """Where the elements of some steps lie in a tensor over ``T*B*N``."""
        step = self.problem.batch * self.problem.elements
        return slice(first * step, last * step)

    def values(self, first: int, last: int, head: int) -> Tensor:
        """What the cells' input weights are multiplied with, without dropout: ``(T*B*N, R)``."""
        rows = self.operands.rows
        return rows[head if rows.shape[0] > 1 else 0, self.rows_of(first, last)]

    def unit_mask(self, first: int, last: int, head: int, k: int) -> Tensor | None:
        """Dropout mask of what unit k reads with one head, ``(T*B, R)``."""
        mask = self.operands.read_mask
        if mask is None:
            return None
        return (
            mask[first:last, :, k].unflatten(-1, (self.problem.options.num_input_heads, -1))[:, :, head].flatten(0, 1)
        )

    def gates(self, first: int, last: int, *, kept: bool = False) -> Tensor:
        """The input's share of the gates, ``(Hi, K, T*B*N, G*D)``; not ``kept``: only until the next call."""
        weight = self.operands.value_weight
        heads, units, _, width = weight.shape
        where = self.rows_of(first, last)
        shape = (heads, units, where.stop - where.start, width)
        gates = weight.new_empty(shape) if kept else self.kernel.scratch("gates", shape, weight)
        for head in range(heads):
            values = self.values(first, last, head)
            if self.operands.read_mask is None:
                torch.bmm(values.expand(units, -1, -1), weight[head], out=gates[head])
                continue
            for k in range(units):
                mask = self.unit_mask(first, last, head, k).repeat_interleave(self.problem.elements, 0)  # type: ignore[union-attr]
                torch.mm(values * mask, weight[head, k], out=gates[head, k])
        return gates

    def inputs(self, first: int, last: int, gates: Tensor, h: Tensor, c: Tensor | None) -> Inputs:
        """What the kernel reads for some steps, from the state before them."""
        o = self.operands
        keys = None
        if o.keys is not None and o.query_weight is not None:
            part = o.keys[:, self.rows_of(first, last)]
            shape = (*part.shape[:2], o.query_weight.shape[-1])
            keys = torch.bmm(part, o.query_weight, out=self.kernel.scratch("keys", shape, part))
        over_time = (None if part is None else part[first:last] for part in (o.comm_mask, o.update, o.talks))
        return Inputs(
            gates, keys, h, c, o.weight_hh, o.bias_ih, o.bias_hh, o.project, o.out_weight, o.out_bias, *over_time
        )

    def backward(
        self,
        outputs: Outputs,
        kept: tuple[Tensor, ...],
        grad_output: Tensor | None,
        grad_h: Tensor | None,
        grad_c: Tensor | None,
    ) -> Operands:
        """Gradients of the operands."""
        o = self.operands
        totals = Operands(*(None if operand is None else _zeros(operand) for operand in o[:-4]), *[None] * 4)  # type: ignore[arg-type]
        if grad_h is not None:
            totals.h.copy_(grad_h)
        if totals.c is not None and grad_c is not None:
            totals.c.copy_(grad_c)
        grad_output = None if grad_output is None else grad_output.contiguous()
        for index, (first, last) in reversed(list(enumerate(self.chunks))):
            h, c = o.h, o.c
            if first:
                h, c = outputs.h[first - 1], None if outputs.c is None else outputs.c[first - 1]
            inputs = self.inputs(first, last, kept[index] if kept else self.gates(first, last), h, c)
            part = outputs.steps(first, last)
            rows, gradients = self.gradient_buffers(inputs, part, totals)
            gradients.output = None if grad_output is None else grad_output[first:last]
            self.kernel.backward(self.problem, inputs, part, gradients)
            _Chunk(self, first, last, part, gradients, totals).add(rows)
        return totals

    def gradient_buffers(
        self, inputs: Inputs, part: Outputs, totals: Operands
    ) -> tuple[list[Tensor | None], Gradients]:
        """Room for a chunk's gradients, and for each unit the rows (t, b) that have one (None: all have)."""
        problem = self.problem
        units, count = problem.options.num_units, part.active.shape[0] * problem.batch
        has = torch.ones_like(part.active) if problem.open else part.active
        rows: list[Tensor | None] = [None] * units
        slots = count
        if self.kernel.compact and not problem.open:
            flat = has.flatten(0, 1)
            slot = (flat.cumsum(0) - 1).view_as(has)
            found = [column.nonzero().squeeze(1) for column in flat.unbind(1)]
            slots = max(len(index) for index in found)
            rows = [*found]
        else:
            slot = torch.arange(count, device=has.device).view(-1, problem.batch, 1)
        slot = torch.where(has, slot, -1).to(torch.int32)
        projected, value, update = problem.projection_sizes
        talks = problem.options.communication

        def buffer(name: str, *shape: int) -> Tensor:
            room = self.kernel.scratch(f"gradient of {name}", shape, self.operands.weight_hh)
            return room if self.kernel.compact else room.zero_()

        gates = buffer("gates", units, slots, inputs.weight_hh.shape[-1])
        return rows, Gradients(
            slot=slot,
            output=None,
            h=totals.h,
            c=totals.c,
            gates=gates,
            hidden_gates=buffer("hidden", *gates.shape) if problem.options.cell == "gru" else gates,
            keys=None if inputs.keys is None else buffer("keys", *inputs.keys.shape),
            project=buffer("project", *part.active.shape, projected) if talks else None,
            update=buffer("update", units, slots, update) if talks else None,
            read=buffer("read", units, slots, value) if talks else None,
            state=buffer("state", units, slots, problem.size),
        )


def _zeros(like: Tensor) -> Tensor:
    return torch.zeros_like(like, memory_format=torch.contiguous_format)


def _take(tensor: Tensor, rows: Tensor | None) -> Tensor:
    return tensor if rows is None else tensor.index_select(0, rows)


class _Chunk:
    """Gradients of the weights and of the input from a chunk of steps, added to the totals."""

    def __init__(self, run: _Run, first: int, last: int, part: Outputs, gradients: Gradients, totals: Operands) -> None:
        self.run, self.first, self.last = run, first, last
        self.part, self.gradients, self.totals = part, gradients, totals

    def add(self, rows: list[Tensor | None]) -> None:
        """Add everything; ``rows`` says which (t, b) have a gradient, for each unit."""
        self.add_keys()
        self.add_projections()
        attention = self.part.attention.flatten(0, 1)
        for k, index in enumerate(rows):
            count = attention.shape[0] if index is None else len(index)
            self.add_cell(k, count)
            self.add_update(k, count)
            gates = self.gradients.gates[k, :count]
            for entry in range(attention.shape[-1]):
                self.add_input(k, entry, index, gates, _take(attention[:, k, entry], index))

    def add_keys(self) -> None:
        """Of the input attention's keys and query weights."""
        operands, totals, grad = self.run.operands, self.totals, self.gradients.keys
        if grad is None or operands.keys is None or operands.query_weight is None:
            return
        assert totals.keys is not None and totals.query_weight is not None
        where = self.run.rows_of(self.first, self.last)
        torch.bmm(grad, operands.query_weight.transpose(1, 2), out=totals.keys[:, where])
        totals.query_weight.baddbmm_(operands.keys[:, where].transpose(1, 2), grad)

    def add_projections(self) -> None:
        """Of the communication's query, key and value weights."""
        if self.totals.project is not None and self.part.source is not None and self.gradients.project is not None:
            shown = self.part.source.flatten(0, 1).permute(1, 2, 0)  # (K, D, T*B)
            self.totals.project.baddbmm_(shown, self.gradients.project.flatten(0, 1).transpose(0, 1))

    def add_cell(self, k: int, count: int) -> None:
        """Of unit k's recurrent weights and biases."""
        totals, hidden = self.totals, self.gradients.hidden_gates[k, :count]
        totals.weight_hh[k].addmm_(self.gradients.state[k, :count].t(), hidden)
        if totals.bias_ih is not None:
            totals.bias_ih[k] += self.gradients.gates[k, :count].sum(0)
        if totals.bias_hh is not None:
            totals.bias_hh[k] += hidden.sum(0)

    def add_update(self, k: int, count: int) -> None:
        """Of the weights between what unit k reads from the others and its update."""
        totals, grads = self.totals, self.gradients
        if totals.out_weight is None or grads.read is None or grads.update is None:
            return
        update = grads.update[k, :count]
        shared = totals.out_bias is not None
        (totals.out_weight if shared else totals.out_weight[k]).addmm_(grads.read[k, :count].t(), update)
        if totals.out_bias is not None:
            totals.out_bias.add_(update.sum(0))

    def add_input(self, k: int, entry: int, index: Tensor | None, gates: Tensor, attention: Tensor) -> None:
        """Of what unit k reads from one element with one head."""
        elements = self.run.problem.elements
        head, element = divmod(entry, elements)
        scale = attention.unsqueeze(1)
        mask = self.run.unit_mask(self.first, self.last, head, k)
        if mask is not None:
            scale = scale * _take(mask, index)
        values = self.run.values(self.first, self.last, head)[element::elements]
        self.totals.value_weight[head, k].addmm_((_take(values, index) * scale).t(), gates)
        grad = (gates @ self.run.operands.value_weight[head, k].t()).mul_(scale)
        rows = self.totals.rows
        target = rows[head if rows.shape[0] > 1 else 0, self.run.rows_of(self.first, self.last)][element::elements]
        if index is None:
            target += grad
        else:
            target.index_add_(0, index, grad)

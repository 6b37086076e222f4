"""The RIM recurrence with its time loop in one compiled kernel, and a hand-written gradient.

README.md has the algebra. What does not depend on the state (the input's share of gates and scores) is formed by large
matrix products before the loop, what can wait (the gradients of weights and input) after it, a chunk of steps at a
time. Of the forward pass only states, attention and, up to ``KEEP_BYTES``, the gates' share of the input are kept; the
rest is computed again in the backward pass. An inactive unit has no gradient in its gates, so its rows are left out.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.factors import Joined, fold_is_cheaper, join, keys, values
from rims_nlp.ops.rim.kernel import Gradients, Inputs, Kernel, Operands, Outputs, Problem
from rims_nlp.ops.rim.segments import cut
from rims_nlp.ops.rim.types import Activity, DropoutMasks, RIMWeights, Schedule, State

KEEP_BYTES = 2**28
"""The input's share of the gates is kept for the backward pass up to this size per layer, and computed again above."""
SEARCH_ROWS = 2**20
"""Rows that prepared weights are meant for, over all their runs together: enough to make joining them worth it."""


def needs_gradient(x: Tensor, state: State, weights: RIMWeights) -> bool:
    """Whether a gradient can be asked for."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in (x, *state, *weights))


def working_type(x: Tensor, weights: RIMWeights) -> torch.dtype:
    """float64 if anything is, else float32."""
    return torch.float64 if torch.float64 in (x.dtype, weights.weight_hh.dtype) else torch.float32


def prepare(weights: RIMWeights, options: RIMOptions) -> Joined:
    """The weights made ready once for many short runs without gradient, as in a search."""
    dtype = working_type(weights.weight_hh, weights)
    weights = RIMWeights(*(None if weight is None else weight.to(dtype) for weight in weights))  # type: ignore[arg-type]
    return join(weights, options, fold=fold_is_cheaper(SEARCH_ROWS, weights, options, DropoutMasks()))


def refuses(x: Tensor, state: State, weights: RIMWeights, return_activity: bool) -> str | None:
    """Why no kernel can run this, whatever the device, or None."""
    if torch._C._are_functorch_transforms_active():
        return "it does not know torch.func's transforms; use backend='hoisted'"
    if return_activity and needs_gradient(x, state, weights):
        return "it gives no gradient through the activity; use torch.no_grad(), or backend='hoisted'"
    return None


@torch.compiler.disable  # the loop is compiled already
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
    prepared: Joined | None = None,
) -> tuple[Tensor, State, Activity]:
    """As :func:`rims_nlp.ops.rim.naive.sequence`, by a kernel; the activity has no gradient."""
    with torch.autocast(x.device.type, enabled=False):
        dtype, stored, keeps = working_type(x, weights), state[0].dtype, needs_gradient(x, state, weights)
        x, state = x.to(dtype), tuple(part.to(dtype) for part in state)
        masks = DropoutMasks(*(None if mask is None else mask.to(dtype) for mask in masks))
        steps, batch, elements = x.shape[:3]
        if prepared is None or prepared.weight_hh.dtype != dtype:
            weights = RIMWeights(*(None if weight is None else weight.to(dtype) for weight in weights))  # type: ignore[arg-type]
            fold = fold_is_cheaper(steps * batch * elements, weights, options, masks)
            prepared = join(weights, options, fold=fold)
        problem = Problem(options, steps, batch, elements, weights.weight_hh.shape[1])
        talks = None if schedule.communicate is None else torch.tensor(schedule.communicate, device=x.device)
        operands = Operands(
            rows=values(x, prepared, options),
            value_weight=prepared.value_weight,
            keys=keys(x, prepared, options),
            query_weight=prepared.query_weight,
            h=state[0],
            c=state[1] if len(state) == 2 else None,
            weight_hh=prepared.weight_hh,
            bias_ih=prepared.bias_ih,
            bias_hh=prepared.bias_hh,
            project=prepared.project,
            out_weight=prepared.out_weight,
            out_bias=prepared.out_bias,
            read_mask=masks.read,
            comm_mask=masks.comm,
            update=schedule.update,
            talks=talks,
        )
        h, h_n, c_n, active, attention, comm_attention = Recurrence.apply(kernel, problem, keeps, *operands)
    final = (h_n, c_n) if len(state) == 2 else (h_n,)
    activity = Activity(active)
    if return_activity:
        activity = Activity(active, with_null(attention, options), comm_attention)
    return h.to(stored), tuple(part.to(stored) for part in final), activity


def with_null(attention: Tensor, options: RIMOptions) -> Tensor:
    """Attention ``(T, B, K, Hi*N)`` as ``(T, B, Hi, K, N+1)``: what is missing to 1 was the null element's."""
    attention = attention.unflatten(-1, (options.num_input_heads, -1)).transpose(2, 3)
    return torch.cat([1 - attention.sum(-1, keepdim=True), attention], dim=-1)


class Recurrence(torch.autograd.Function):
    """Chunks of steps through a kernel, and their gradient; ``keeps`` says whether a gradient can be asked for."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx, kernel: Kernel, problem: Problem, keeps: bool, *operands: Tensor | None
    ) -> tuple[Tensor | None, ...]:
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
    def backward(ctx, grad_output, grad_h, grad_c, *unused):  # type: ignore[override]
        if torch.is_grad_enabled():
            raise RuntimeError("this RIM backend has no second derivatives (create_graph=True): use backend='hoisted'")
        saved, count = ctx.saved_tensors, len(Operands._fields)
        split = len(saved) - ctx.kept
        kernel, problem = ctx.run
        run = _Run(kernel, problem, Operands(*saved[:count]))
        with torch.autocast(run.operands.h.device.type, enabled=False):
            grads = run.backward(Outputs(*saved[count:split]), saved[split:], grad_output, grad_h, grad_c)
        return None, None, None, *grads


class _Run:
    """One sequence, cut into chunks of steps."""

    def __init__(self, kernel: Kernel, problem: Problem, operands: Operands) -> None:
        self.kernel, self.problem, self.operands = kernel, problem, operands
        heads, units, _, width = operands.value_weight.shape
        step_bytes = heads * units * problem.batch * problem.elements * width * operands.h.element_size()
        self.chunks = cut(problem.steps, step_bytes, kernel.chunk_bytes)
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

    def unit_mask(self, mask: Tensor, head: int, k: int) -> Tensor:
        """Dropout mask of what unit k reads with one head, ``(T*B*N, R)``."""
        mask = mask[:, :, k].unflatten(-1, (self.problem.options.num_input_heads, -1))[:, :, head]
        return mask.flatten(0, 1).repeat_interleave(self.problem.elements, 0)

    def gates(self, first: int, last: int, *, kept: bool = False) -> Tensor:
        """The input's share of the gates, ``(Hi, K, T*B*N, G*D)``; not ``kept``: only until the next call."""
        weight, mask = self.operands.value_weight, self.operands.read_mask
        heads, units, _, width = weight.shape
        where = self.rows_of(first, last)
        shape = (heads, units, where.stop - where.start, width)
        gates = weight.new_empty(shape) if kept else self.kernel.scratch("gates", shape, weight)
        for head in range(heads):
            values = self.values(first, last, head)
            if mask is None:
                torch.bmm(values.expand(units, -1, -1), weight[head], out=gates[head])
                continue
            for k in range(units):
                torch.mm(values * self.unit_mask(mask[first:last], head, k), weight[head, k], out=gates[head, k])
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
        prepared = self.kernel.prepare(o)
        for index, (first, last) in reversed(list(enumerate(self.chunks))):
            h, c = o.h, o.c
            if first:
                h, c = outputs.h[first - 1], None if outputs.c is None else outputs.c[first - 1]
            inputs = self.inputs(first, last, kept[index] if kept else self.gates(first, last), h, c)
            part = outputs.steps(first, last)
            gradients = self.gradient_buffers(inputs, part, totals)
            gradients.output = None if grad_output is None else grad_output[first:last]
            self.kernel.backward(self.problem, prepared, inputs, part, gradients)
            where = self.rows_of(first, last)
            self.add_keys(where, gradients.keys, totals)
            mask = None if o.read_mask is None else o.read_mask[first:last]
            operands = o._replace(rows=o.rows[:, where], read_mask=mask)
            chunk_totals = totals._replace(rows=totals.rows[:, where])
            self.kernel.add_totals(self.problem, prepared, operands, inputs, part, gradients, chunk_totals)
        return totals

    def add_keys(self, where: slice, grad: Tensor | None, totals: Operands) -> None:
        """Add a chunk's gradients of the input attention's keys and query weights."""
        operands = self.operands
        if grad is None or operands.keys is None or operands.query_weight is None:
            return
        assert totals.keys is not None and totals.query_weight is not None
        torch.bmm(grad, operands.query_weight.transpose(1, 2), out=totals.keys[:, where])
        totals.query_weight.baddbmm_(operands.keys[:, where].transpose(1, 2), grad)

    def gradient_buffers(self, inputs: Inputs, part: Outputs, totals: Operands) -> Gradients:
        """Room for a chunk's gradients; a unit has a row for each (t, b), or where it was active."""
        problem = self.problem
        units, count = problem.options.num_units, part.active.shape[0] * problem.batch
        has = torch.ones_like(part.active) if problem.open else part.active
        slots = count
        if self.kernel.compact:
            slot = (has.flatten(0, 1).cumsum(0) - 1).view_as(has)
            slots = int(slot[-1, -1].max()) + 1 if count else 0
        else:
            slot = torch.arange(count, device=has.device).view(-1, problem.batch, 1)
        slot = torch.where(has, slot, -1).to(torch.int32)
        projected, value, update = problem.projection_sizes
        talks = problem.options.communication

        def buffer(name: str, *shape: int) -> Tensor:
            room = self.kernel.scratch(f"gradient of {name}", shape, self.operands.weight_hh)
            return room if self.kernel.compact else room.zero_()

        gates = buffer("gates", units, slots, inputs.weight_hh.shape[-1])
        return Gradients(
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
        )


def _zeros(like: Tensor) -> Tensor:
    return torch.zeros_like(like, memory_format=torch.contiguous_format)

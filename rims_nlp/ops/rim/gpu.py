"""The kernel of :mod:`rims_nlp.ops.rim.fused` for GPUs: what launches ``triton_kernels.py``. Triton is optional."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from rims_nlp.ops.rim import dense, fused
from rims_nlp.ops.rim.kernel import Gradients, Inputs, Operands, Outputs, Problem
from rims_nlp.ops.rim.types import RIMWeights, State


@cache
def device_code() -> Any:
    """The module with the kernels, imported at first use: it needs Triton."""
    from rims_nlp.ops.rim import triton_kernels

    return triton_kernels


def refuses(x: Tensor, state: State, weights: RIMWeights, return_activity: bool) -> str | None:
    """Why this kernel cannot run here, or None."""
    if x.device.type != "cuda":
        return f"it runs on a GPU, the input is on {x.device}"
    if not is_installed():
        return "Triton is not installed"
    if torch.version.hip is None and torch.cuda.get_device_capability(x.device) < (8, 0):
        return f"it needs compute capability 8.0, {torch.cuda.get_device_name(x.device)} has less"
    return fused.refuses(x, state, weights, return_activity)


@cache
def is_installed() -> bool:
    """Whether Triton is there, without importing it."""
    return find_spec("triton") is not None


class TritonKernel:
    """Runs chunks on a GPU, or (``TRITON_INTERPRET=1``) on the processor, to be tested.

    Args:
        rows: sequences of a program: 1, 2, 4 (8 would need too many registers) or 16. None: so many that the programs
            fill about half of the GPU.
        columns: of a product's tile, a power of two; None: as many as fit in registers.
    """

    chunk_bytes = 2**28
    compact = False

    def __init__(self, *, rows: int | None = None, columns: int | None = None) -> None:
        self.rows, self.columns = rows, columns

    def scratch(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        return like.new_empty(shape)

    def forward(self, problem: Problem, inputs: Inputs, outputs: Outputs) -> None:
        plan, batch = self.plan(problem, inputs), problem.batch
        arrays = _arrays(inputs, outputs)
        if plan.communicates:
            shapes = {"projected": plan.projected, "read": plan.values}
            if outputs.source is None:
                shapes["source"] = plan.size
            arrays |= {name: inputs.h.new_empty(batch, plan.units, size) for name, size in shapes.items()}
        keeps_c = outputs.c is not None and outputs.c.shape[0] > 1
        keeps = {"keeps_c": int(keeps_c), "keeps_source": int(outputs.source is not None)}
        _launch(device_code().forward_kernel, plan, arrays, outputs, **keeps)

    def prepare(self, operands: Operands) -> None:
        return None

    def backward(
        self, problem: Problem, prepared: object, inputs: Inputs, outputs: Outputs, gradients: Gradients
    ) -> None:
        plan, batch = self.plan(problem, inputs), problem.batch
        arrays = _arrays(inputs, outputs)
        for name, tensor in vars(gradients).items():
            arrays[name if name in ("slot", "read") else f"grad_{name}"] = tensor
        arrays["grad_keys_head"] = 0 if gradients.keys is None else gradients.keys.stride(0)
        shapes = {"grad_candidate": plan.size, "grad_scores": plan.entries}
        if plan.communicates:
            shapes |= {"projected": plan.projected, "grad_read": plan.values}
        arrays |= {name: inputs.h.new_empty(batch, plan.units, size) for name, size in shapes.items()}
        _launch(device_code().backward_kernel, plan, arrays, outputs, slots=gradients.gates.shape[1])

    def add_totals(
        self,
        problem: Problem,
        prepared: object,
        operands: Operands,
        inputs: Inputs,
        outputs: Outputs,
        gradients: Gradients,
        totals: Operands,
    ) -> None:
        dense.add_totals(problem, operands, inputs, outputs, gradients, totals)

    def plan(self, problem: Problem, inputs: Inputs) -> Any:
        """What to compile for."""
        o, exact = problem.options, inputs.h.dtype == torch.float64
        rows = self.rows or _rows(max(1, problem.batch), o.num_units, inputs.h.device)
        inner = 32 if rows < 4 else 16
        columns = self.columns or min(max(16, _power_of_two(problem.size)), 64 if rows > 1 else 128)
        return device_code().Plan(
            units=o.num_units, size=problem.size, gates=o.num_gates, heads=o.num_input_heads,
            elements=problem.elements, comm_heads=o.num_comm_heads, comm_key=o.comm_key_size,
            comm_value=o.comm_value_size, num_active=o.num_active, top_k=o.comm_top_k or 0, gru=o.cell == "gru",
            attends=o.input_attention, competes=o.competes, communicates=o.communication,
            gated=o.comm_update == "gated", committed=o.comm_source == "committed",
            wide=device_code().tl.float64 if exact else device_code().tl.float32,
            precision="tf32" if torch.backends.cuda.matmul.allow_tf32 and not exact else "ieee",
            rows=rows, columns=columns, inner=inner,
        )  # fmt: skip


def _ceil_div(whole: int, part: int) -> int:
    return -(-whole // part)


def _power_of_two(at_least: int) -> int:
    return 1 << (at_least - 1).bit_length()


def _rows(batch: int, units: int, device: torch.device) -> int:
    """Sequences of a program, so that the attention of units to units fits in registers."""
    programs = torch.cuda.get_device_properties(device).multi_processor_count // 2 if device.type == "cuda" else 1
    wanted = _power_of_two(_ceil_div(batch, programs))
    rows = min(wanted, max(1, device_code().TILE // (2 * _power_of_two(units) ** 2)))
    return rows if rows <= 4 else 16


def _arrays(inputs: Inputs, outputs: Outputs) -> dict[str, Any]:
    """Tensors by the kernels' names, and the strides of those that need not be contiguous."""
    arrays: dict[str, Any] = {}
    for name, tensor in vars(inputs).items():
        if name in ("gates", "keys"):
            strides = (0, 0) if tensor is None else (tensor.stride(0), tensor.stride(-2))
            arrays |= {name: tensor, f"{name}_head": strides[0], f"{name}_row": strides[1]}
        else:
            arrays[{"h": "h0", "c": "c0"}.get(name, name)] = None if tensor is None else tensor.contiguous()
    return {**arrays, "gates_unit": inputs.gates.stride(1), **vars(outputs)}


def _launch(kernel: Any, plan: Any, arrays: dict[str, Any], outputs: Outputs, **sizes: int) -> None:
    steps, batch = outputs.active.shape[:2]
    if batch == 0:
        return
    flags = {
        name: part.view(torch.uint8)
        for name, part in arrays.items()
        if isinstance(part, Tensor) and part.dtype == torch.bool
    }
    grid = (_ceil_div(batch, plan.rows),)
    with torch.cuda.device_of(outputs.h):
        kernel[grid](
            _bundle(arrays | flags), steps, batch, **sizes, plan=plan, num_warps=8, enable_fp_fusion=True
        )  # fmt: skip


def _bundle(values: dict[str, Any]) -> Any:
    """Arguments of a kernel under one name."""
    return _tuple_type(tuple(values))(**values)


@cache
def _tuple_type(fields: tuple[str, ...]) -> Any:
    return namedtuple("Arrays", fields)  # type: ignore[misc]

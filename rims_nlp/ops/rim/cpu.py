"""The kernel of :mod:`rims_nlp.ops.rim.fused` for processors: ``cpu.cpp``, built at first use."""

from __future__ import annotations

import ctypes
import logging
import math
import threading
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rims_nlp.ops import build
from rims_nlp.ops.rim import fused
from rims_nlp.ops.rim.kernel import Gradients, Inputs, Operands, Outputs, Problem
from rims_nlp.ops.rim.types import RIMWeights, State

logger = logging.getLogger(__name__)

SOURCES = [
    Path(__file__).with_name(name) for name in ("cpu.cpp", "loop.h", "totals.h", "arrays.h", "product.h", "vector.h")
]
SIZES = (
    "steps", "batch", "units", "size", "gates", "heads", "elements", "comm_heads", "comm_key", "comm_value",
    "num_active", "top_k", "threads", "gru", "attends", "competes", "communicates", "gated", "committed", "open",
    "gates_head", "gates_unit", "gates_row", "keys_head", "keys_row", "c_step", "slots", "value_size", "values_head",
)  # fmt: skip
ARRAYS = (
    "gates", "keys", "h0", "c0", "weight_hh", "weight_hh_t", "bias_ih", "bias_hh", "project", "project_t",
    "out_weight", "out_weight_t", "out_bias", "comm_mask", "update", "talks", "h", "c", "attention", "comm_attention",
    "source", "active", "slot", "grad_output", "grad_h", "grad_c", "grad_gates", "grad_hidden_gates", "grad_keys",
    "grad_project", "grad_update", "read", "values", "value_weight_t", "read_mask", "total_values",
    "total_value_weight", "total_weight_hh", "total_bias_ih", "total_bias_hh", "total_project", "total_out_weight",
    "total_out_bias",
)  # fmt: skip


READ = {
    "c0", "h0", "weight_hh", "bias_ih", "bias_hh", "project", "out_weight", "out_bias", "comm_mask", "update", "talks",
    "read_mask", "grad_output",
}  # fmt: skip
"""Arrays that may have to be copied to be contiguous: those that are only read."""


class _Sizes(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in SIZES]


class _Arrays(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ARRAYS]


@cache
def library() -> ctypes.CDLL:
    """The compiled loop.

    Raises:
        rims_nlp.ops.build.BuildError: if there is no compiler, or it fails.
    """
    return build.load("rim", SOURCES)


def refuses(x: Tensor, state: State, weights: RIMWeights, return_activity: bool) -> str | None:
    """Why this kernel cannot run here, or None."""
    if x.device.type != "cpu":
        return f"it runs on the CPU, the input is on {x.device}"
    return fused.refuses(x, state, weights, return_activity) or build_failure()


@cache
def build_failure() -> str | None:
    """Why the library could not be built, or None; tried once, and said once."""
    try:
        library()
    except build.BuildError as error:
        logger.warning("RIM layers run in plain PyTorch, two to three times slower than compiled: %s", error)
        return str(error)
    return None


class CPUKernel:
    """Runs chunks on the processor, with as many threads as torch uses.

    Scratch is kept from call to call, one set for each thread that calls: fresh memory would have to be cleared by the
    system each time, which takes as long as a product. It has the size of a few chunks.
    """

    chunk_bytes = 2**24
    compact = True

    def __init__(self) -> None:
        self._local = threading.local()

    def scratch(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        pool, size, key = self._local.__dict__, math.prod(shape), f"{name} {like.dtype}"
        if key not in pool or pool[key].numel() < size:
            with torch.inference_mode(False):  # what is made in that mode could not be used in training
                pool[key] = like.new_empty(size)
        return pool[key][:size].view(shape)

    def forward(self, problem: Problem, inputs: Inputs, outputs: Outputs) -> None:
        _call("forward", problem, outputs, _read(inputs))

    def prepare(self, operands: Operands) -> dict[str, Tensor]:
        """The weights transposed."""
        weights = operands._asdict()
        names = ("weight_hh", "project", "out_weight", "value_weight")
        return {f"{name}_t": weights[name].mT.contiguous() for name in names if weights[name] is not None}

    def backward(self, problem: Problem, prepared: Any, inputs: Inputs, outputs: Outputs, gradients: Gradients) -> None:
        _call("backward", problem, outputs, _read(inputs) | prepared | _written(gradients))

    def add_totals(
        self,
        problem: Problem,
        prepared: Any,
        operands: Operands,
        inputs: Inputs,
        outputs: Outputs,
        gradients: Gradients,
        totals: Operands,
    ) -> None:
        sums = {f"total_{name}": total for name, total in totals._asdict().items() if name not in ("h", "c", "keys")}
        sums["total_values"] = sums.pop("total_rows")
        values = {"values": operands.rows, "read_mask": operands.read_mask}
        _call("totals", problem, outputs, _read(inputs) | prepared | _written(gradients) | values | sums)


def _read(inputs: Inputs) -> dict[str, Tensor | None]:
    """Inputs by the names of :data:`ARRAYS`."""
    return {{"h": "h0", "c": "c0"}.get(name, name): tensor for name, tensor in vars(inputs).items()}


def _written(gradients: Gradients) -> dict[str, Tensor | None]:
    """Gradients by the names of :data:`ARRAYS`."""
    return {name if name in ("slot", "read") else f"grad_{name}": tensor for name, tensor in vars(gradients).items()}


def _call(name: str, problem: Problem, outputs: Outputs, others: dict[str, Tensor | None]) -> None:
    """Call a function of the library. What it writes must be contiguous; ``values`` may have a stride between heads."""
    held = {key: tensor for key, tensor in (others | vars(outputs)).items() if tensor is not None}
    for key in READ & held.keys():
        held[key] = held[key].contiguous()
    for key, tensor in held.items():
        assert tensor.is_contiguous() or (key in ("values", "total_values") and tensor[0].is_contiguous()), key
    arrays = _Arrays(*(held[key].data_ptr() if key in held else None for key in ARRAYS))
    suffix = "double" if outputs.h.dtype == torch.float64 else "float"
    getattr(library(), f"rim_{name}_{suffix}")(ctypes.byref(_sizes(problem, outputs, held)), ctypes.byref(arrays))


def _sizes(problem: Problem, outputs: Outputs, tensors: dict[str, Tensor]) -> _Sizes:
    o, values, keys, buffer = problem.options, tensors.get("values"), tensors.get("keys"), tensors.get("grad_gates")
    kept = outputs.c is not None and outputs.c.shape[0] > 1
    gates = tensors["gates"]
    return _Sizes(
        steps=outputs.h.shape[0], batch=problem.batch, units=o.num_units, size=problem.size, gates=o.num_gates,
        heads=o.num_input_heads, elements=problem.elements, comm_heads=o.num_comm_heads if o.communication else 0,
        comm_key=o.comm_key_size, comm_value=o.comm_value_size, num_active=o.num_active, top_k=o.comm_top_k or 0,
        threads=torch.get_num_threads(), gru=o.cell == "gru", attends=o.input_attention, competes=o.competes,
        communicates=o.communication, gated=o.comm_update == "gated", committed=o.comm_source == "committed",
        open=problem.open, gates_head=gates.stride(0), gates_unit=gates.stride(1), gates_row=gates.stride(2),
        keys_head=0 if keys is None else keys.stride(0), keys_row=0 if keys is None else keys.stride(1),
        c_step=problem.batch * o.num_units * problem.size if kept else 0,
        slots=0 if buffer is None else buffer.shape[1], value_size=0 if values is None else values.shape[2],
        values_head=0 if values is None or values.shape[0] == 1 else values.stride(0),
    )  # fmt: skip

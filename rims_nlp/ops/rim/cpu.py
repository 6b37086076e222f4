"""The kernel of :mod:`rims_nlp.ops.rim.fused` for processors: ``cpu.cpp``, built at first use."""

from __future__ import annotations

import ctypes
import math
import threading
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from rims_nlp.ops import build
from rims_nlp.ops.rim import fused
from rims_nlp.ops.rim.fused import Gradients, Inputs, Outputs, Problem
from rims_nlp.ops.rim.types import RIMWeights, State

SOURCES = [Path(__file__).with_name(name) for name in ("cpu.cpp", "product.h", "vector.h")]
SIZES = (
    "steps", "batch", "units", "size", "gates", "heads", "elements", "comm_heads", "comm_key", "comm_value",
    "num_active", "top_k", "threads", "gru", "attends", "competes", "communicates", "gated", "committed", "open",
    "gates_head", "gates_unit", "gates_row", "keys_head", "keys_row", "c_step", "slots",
)  # fmt: skip
ARRAYS = (
    "gates", "keys", "h0", "c0", "weight_hh", "weight_hh_t", "bias_ih", "bias_hh", "project", "project_t",
    "out_weight", "out_weight_t", "out_bias", "comm_mask", "update", "talks", "h", "c", "attention", "comm_attention",
    "source", "active", "slot", "grad_output", "grad_h", "grad_c", "grad_gates", "grad_hidden_gates", "grad_keys",
    "grad_project", "grad_update", "read", "state",
)  # fmt: skip


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
    if return_activity and fused.needs_gradient(x, state, weights):
        return "it gives no gradient through the activity; use torch.no_grad(), or backend='auto'"
    return build_failure()


@cache
def build_failure() -> str | None:
    """Why the library could not be built, or None; tried once."""
    try:
        library()
    except build.BuildError as error:
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
            pool[key] = like.new_empty(size)
        return pool[key][:size].view(shape)

    def forward(self, problem: Problem, inputs: Inputs, outputs: Outputs) -> None:
        self._call("forward", problem, inputs, outputs, {})

    def backward(self, problem: Problem, inputs: Inputs, outputs: Outputs, gradients: Gradients) -> None:
        transposed = {
            f"{name}_t": None if weight is None else weight.transpose(-1, -2).contiguous()
            for name, weight in (
                ("weight_hh", inputs.weight_hh),
                ("project", inputs.project),
                ("out_weight", inputs.out_weight),
            )
        }
        named = {"output": "grad_output", "hidden_gates": "grad_hidden_gates"}
        arrays = {
            named.get(name, name if name in ("slot", "read", "state") else f"grad_{name}"): tensor
            for name, tensor in vars(gradients).items()
        }
        self._call("backward", problem, inputs, outputs, {**transposed, **arrays})

    def _call(
        self, name: str, problem: Problem, inputs: Inputs, outputs: Outputs, more: dict[str, Tensor | None]
    ) -> None:
        tensors = {
            **{{"h": "h0", "c": "c0"}.get(key, key): tensor for key, tensor in vars(inputs).items()},
            **vars(outputs),
            **more,
        }
        tensors = {key: None if tensor is None else tensor.contiguous() for key, tensor in tensors.items()}
        arrays = _Arrays(*(None if tensors.get(key) is None else tensors[key].data_ptr() for key in ARRAYS))
        suffix = "double" if inputs.gates.dtype == torch.float64 else "float"
        function = getattr(library(), f"rim_{name}_{suffix}")
        function(ctypes.byref(_sizes(problem, inputs, outputs, more)), ctypes.byref(arrays))


def _sizes(problem: Problem, inputs: Inputs, outputs: Outputs, more: dict[str, Tensor | None]) -> _Sizes:
    o = problem.options
    buffer = more.get("grad_gates")
    kept = outputs.c is not None and outputs.c.shape[0] > 1
    return _Sizes(
        steps=outputs.h.shape[0], batch=problem.batch, units=o.num_units, size=problem.size, gates=o.num_gates,
        heads=o.num_input_heads, elements=problem.elements, comm_heads=o.num_comm_heads if o.communication else 0,
        comm_key=o.comm_key_size, comm_value=o.comm_value_size, num_active=o.num_active, top_k=o.comm_top_k or 0,
        threads=torch.get_num_threads(), gru=o.cell == "gru", attends=o.input_attention, competes=o.competes,
        communicates=o.communication, gated=o.comm_update == "gated", committed=o.comm_source == "committed",
        open=problem.open, gates_head=inputs.gates.stride(0), gates_unit=inputs.gates.stride(1),
        gates_row=inputs.gates.stride(2), keys_head=0 if inputs.keys is None else inputs.keys.stride(0),
        keys_row=0 if inputs.keys is None else inputs.keys.stride(1),
        c_step=problem.batch * o.num_units * problem.size if kept else 0,
        slots=0 if buffer is None else buffer.shape[1],
    )  # fmt: skip

"""The GPU kernel against the equations: compiled where there is a GPU, else by Triton's interpreter, on tiny sizes."""

import importlib.util
import os
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest import mock

import pytest
import torch

from rims_nlp import RIM
from rims_nlp.ops.rim import BACKENDS, fused, gpu
from rims_nlp.reference import WEIGHT_NAMES, read_archive
from rims_nlp.testing import assert_close

if importlib.util.find_spec("triton") is None:
    pytest.skip("Triton is not installed", allow_module_level=True)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
if DEVICE == "cpu" and "triton" in sys.modules and os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("there is no GPU, and Triton was imported without its interpreter", allow_module_level=True)
INTERPRET = {} if DEVICE == "cuda" else {"TRITON_INTERPRET": "1"}
with mock.patch.dict(os.environ, INTERPRET):  # read when Triton is imported
    import triton.language as tl

    from rims_nlp.ops.rim import triton_kernels  # noqa: F401
    from rims_nlp.ops.rim.gpu import TritonKernel

ARCHIVES = sorted((Path(__file__).parents[1] / "reference").glob("*.npz"))
SMALL = {
    "num_units": 3,
    "num_active": 2,
    "num_input_heads": 2,
    "input_key_size": 5,
    "num_comm_heads": 2,
    "comm_key_size": 5,
    "comm_value_size": 3,
    "init": "fan_in",
}
OPTIONS = [
    {"num_input_heads": 1},
    {"cell": "gru", "bias": False},
    {"variant": "paper", "cell": "gru"},
    {"variant": "paper", "block_inactive_grad": False, "comm_every": 2},
    {"block_inactive_grad": False, "cell": "gru"},
    {"bidirectional": True, "num_layers": 2, "layer_input": "units", "communication": False},
    {"input_attention": False, "competition": False},
    {"comm_top_k": 2, "comm_every": 2, "update_every": 3, "input_positions": 2},
]


@pytest.fixture(scope="module", autouse=True)
def interpreter():
    """Triton's interpreter, on a machine without a GPU, and of no influence on other tests.

    It patches the language at every call of a helper, most of its time: here once a launch.
    """
    if DEVICE == "cuda":
        yield
        return
    module = importlib.import_module("triton.runtime.interpreter")
    patch, restore, done = module._patch_lang, module._LangPatchScope.restore, set()

    def patch_once(function):
        key = frozenset(id(value) for value in function.__globals__.values() if value is tl or value is tl.core)
        if key in done:
            return module._LangPatchScope()
        done.add(key)
        return patch(function)

    def restore_all(scope):
        done.clear()
        restore(scope)

    with (
        mock.patch.dict(os.environ, INTERPRET),
        mock.patch.object(module, "_patch_lang", patch_once),
        mock.patch.object(module._LangPatchScope, "restore", restore_all),
    ):
        yield


def layers(monkeypatch, kernel, options, dtype=torch.float64, unit_size=6):
    """The same RIM on the naive rung and on the kernel, in training mode."""
    monkeypatch.setitem(BACKENDS, "tested", partial(fused.sequence, kernel))
    options = SMALL | options
    for backend in ("naive", "tested"):
        torch.manual_seed(0)
        size = unit_size * options["num_units"]
        yield RIM(5, size, backend=backend, dtype=dtype, **options).to(DEVICE).train()


def run(rim, x, lengths):
    """Output, final state and all gradients under random upstream gradients; dropout masks from a fixed seed."""
    torch.manual_seed(3)
    x = x.to(DEVICE).requires_grad_()
    shape = (rim.num_layers * rim.num_directions, x.shape[1], rim.hidden_size)
    hidden = [torch.randn(shape).to(x).requires_grad_() for _ in range(rim.options.num_states)]
    output, final = rim(x, tuple(hidden) if len(hidden) == 2 else hidden[0], lengths=lengths)
    finals = final if isinstance(final, tuple) else (final,)
    torch.manual_seed(4)
    sum((part * torch.randn(part.shape).to(part)).sum() for part in (output, *finals)).backward()
    gradients = {f"gradient of {name}": p.grad for name, p in rim.named_parameters()}
    states = {f"final {i}": part for i, part in enumerate(finals)}
    initial = {f"gradient of state {i}": part.grad for i, part in enumerate(hidden)}
    return {"output": output, **states, "gradient of x": x.grad, **initial, **gradients}


def compare(monkeypatch, kernel, options, *, steps=4, batch=3, elements=(), lengths=None, tolerance=None, **sizes):
    naive, fast = layers(monkeypatch, kernel, options, **sizes)
    dtype = naive.cells[0].weight_hh.dtype
    torch.manual_seed(1)
    x = torch.randn(steps, batch, *elements, 5, dtype=dtype)
    expected, found = run(naive, x.clone(), lengths), run(fast, x.clone(), lengths)
    for name, reference in expected.items():
        assert_close(name, reference, found[name], tolerance or dtype)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_naive(monkeypatch, options):
    lengths = torch.tensor([4, 0, 3]) if "update_every" not in options else None
    compare(monkeypatch, TritonKernel(rows=2), options, lengths=lengths)


@pytest.mark.parametrize("rows", [1, 4, 16])  # 16 goes through tl.dot
def test_sequences_of_a_program(monkeypatch, rows):
    compare(monkeypatch, TritonKernel(rows=rows), {}, steps=3, batch=rows + 1 if rows < 16 else 3)


@pytest.mark.parametrize("rows", [2, 16])
def test_awkward_sizes_in_float32(monkeypatch, rows):
    kernel = TritonKernel(rows=rows, columns=16)  # three tiles for a unit
    compare(monkeypatch, kernel, {"num_input_heads": 4}, steps=3, dtype=torch.float32, unit_size=37)


def test_sets_of_elements(monkeypatch):
    compare(monkeypatch, TritonKernel(rows=4), {"cell": "gru"}, steps=3, elements=(3,), dtype=torch.float32)


def test_chunks(monkeypatch):
    class Short(TritonKernel):
        chunk_bytes = 3 * (2 * 3 * 3 * 24 * 8)  # the gates of three steps

        def forward(self, problem, inputs, outputs):
            lengths.append(len(outputs.active))
            super().forward(problem, inputs, outputs)

    lengths: list[int] = []
    monkeypatch.setattr(fused, "KEEP_BYTES", 0)
    compare(monkeypatch, Short(rows=4), {"comm_every": 3, "competition": False}, steps=5)
    assert lengths == [2, 3]


def test_without_gradients(monkeypatch):
    """The cell state is then updated in place, and what the units show is not kept."""
    naive, fast = layers(monkeypatch, TritonKernel(rows=2), {})
    x = torch.randn(4, 3, 5, dtype=torch.float64).to(DEVICE)
    with torch.no_grad():
        (expected, expected_final, activity), found = (rim.eval()(x, return_activity=True) for rim in (naive, fast))
    assert_close("output", expected, found[0], torch.float64)
    assert_close("c", expected_final[1], found[1][1], torch.float64)
    assert torch.equal(activity.active_mask[0], found[2].active_mask[0])
    assert_close("input attention", activity.input_attention[0], found[2].input_attention[0], torch.float64)
    assert_close("attention of units", activity.comm_attention[0], found[2].comm_attention[0], torch.float64)


def test_ties_go_to_the_lowest_index(monkeypatch):
    naive, fast = layers(monkeypatch, TritonKernel(rows=2), {})
    x = torch.zeros(2, 2, 5, dtype=torch.float64).to(DEVICE)
    with torch.no_grad():
        active = [rim.eval()(x, return_activity=True)[2].active_mask[0] for rim in (naive, fast)]
    assert active[1].tolist() == [[[True, True, False]] * 2] * 2 == active[0].tolist()


def test_saturated_scores_tie_alike(monkeypatch):
    """With one head too: beyond the precision of tanh the lowest indices win."""
    naive, fast = layers(monkeypatch, TritonKernel(rows=4), {"num_input_heads": 1}, dtype=torch.float32)
    x = 300 * torch.randn(3, 40, 5).to(DEVICE)
    with torch.no_grad():
        active = [rim.eval()(x, return_activity=True)[2].active_mask[0] for rim in (naive, fast)]
    assert (active[0] == active[1]).all(-1).float().mean() > 0.97  # a score may lie on the edge


@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_recorded_values(monkeypatch, path):
    """Values of the authors' core, as test_reference.py compares them."""
    monkeypatch.setitem(BACKENDS, "tested", partial(fused.sequence, TritonKernel(rows=2)))
    _, recorded = read_archive(path)
    rim = RIM.from_reference(path, backend="tested").to(DEVICE)
    x = recorded["x"].to(DEVICE).requires_grad_()
    state = [recorded[name].flatten(1).unsqueeze(0).to(DEVICE) for name in ("h0", "c0") if name in recorded]
    output, _ = rim(x, tuple(state) if len(state) == 2 else state[0])
    assert_close("h", recorded["h"].flatten(2), output.cpu(), torch.float64)
    output[-1].pow(2).sum().backward()
    assert_close("gradient of x", recorded["grad_x"], x.grad.cpu(), torch.float64)
    for name, parameter in WEIGHT_NAMES.items():
        if name in recorded:
            gradient = getattr(rim.cells[0], parameter).grad.cpu()
            assert_close(f"gradient of {name}", recorded[f"grad_{name}"].view_as(gradient), gradient, torch.float64)


@pytest.mark.parametrize(
    ("rows", "half"), [(2, torch.bfloat16), (16, torch.float16)]
)  # Triton 3.9's interpreter multiplies the bits of bfloat16 operands of tl.dot as integers
def test_half_precision_weights(monkeypatch, rows, half):
    class Half(TritonKernel):
        def plan(self, problem, inputs):
            for name in ("weight_hh", "project", "out_weight"):
                setattr(inputs, name, getattr(inputs, name).to(half))
            return super().plan(problem, inputs)

    options = {"competition": False}  # a choice of units may differ, values may not
    compare(monkeypatch, Half(rows=rows), options, steps=3, dtype=torch.float32, tolerance=half)


def test_empty_batch(monkeypatch):
    _, rim = layers(monkeypatch, TritonKernel(), {})
    output, (h, c) = rim(torch.zeros(3, 0, 5, dtype=torch.float64, device=DEVICE))
    assert output.shape == (3, 0, 18) and h.shape == c.shape == (1, 0, 18)


def test_plan_spreads_sequences_over_the_device():
    rows = [gpu._rows(batch, 6, torch.device("cpu")) for batch in (1, 2, 4, 5, 100)]
    assert rows == [1, 2, 4, 16, 16]
    assert gpu._rows(100, 20, torch.device("cpu")) == 4
    assert gpu._rows(100, 100, torch.device("cpu")) == 1


def test_refuses_the_cpu():
    reason = gpu.refuses(torch.zeros(1), (), (), False)
    assert reason == "it runs on a GPU, the input is on cpu"


COMPILE = """
import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver


class Target:
    get_current_target = staticmethod(lambda: GPUTarget("cuda", 90, 32))
    get_current_device = get_current_stream = staticmethod(lambda *device: 0)


driver.set_active(Target())
from rims_nlp.ops.rim import triton_kernels


class Compiled:
    def __init__(self, kernel):
        self.kernel = kernel

    def __getitem__(self, grid):
        return self.compile

    def compile(self, *args, **options):
        print(self.kernel.__name__, ".visible .entry" in self.kernel.warmup(*args, grid=(1,), **options).asm["ptx"])


for name in ("forward_kernel", "backward_kernel"):
    setattr(triton_kernels, name, Compiled(getattr(triton_kernels, name)))
from functools import partial
from rims_nlp import RIM
from rims_nlp.ops.rim import BACKENDS, fused, gpu

BACKENDS["compiled"] = partial(fused.sequence, gpu.TritonKernel(rows=ROWS))
rim = RIM(5, 6 * 20, backend="compiled", comm_top_k=2, comm_every=2)
rim(torch.zeros(2, 2, 5), lengths=torch.tensor([2, 1]))[0].sum().backward()
"""


@pytest.mark.parametrize("rows", [2, 16])
def test_compiles(rows):
    """The interpreter takes what the compiler refuses; compiling needs no GPU."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-c", COMPILE.replace("ROWS", str(rows))]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["forward_kernel", "True", "backward_kernel", "True"]


@pytest.mark.gpu
@pytest.mark.skipif(DEVICE == "cpu", reason="there is no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [None, 1, 4, 16])
def test_equals_naive_on_a_gpu(monkeypatch, rows, dtype):
    options = {"num_units": 6, "num_active": 4, "num_input_heads": 4, "input_key_size": 64, "num_comm_heads": 4}
    options |= {"comm_key_size": 32, "comm_value_size": 32}
    lengths = torch.randint(0, 51, (64,))
    compare(
        monkeypatch, TritonKernel(rows=rows), options, steps=50, batch=64, lengths=lengths, dtype=dtype, unit_size=100
    )

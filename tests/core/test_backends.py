"""Every rung of the recurrence against the one below: values, final state and every gradient."""

import pytest
import torch

from rims_nlp import RIM
from rims_nlp.ops.rim import BACKENDS as REGISTERED
from rims_nlp.testing import TOLERANCE, assert_close

BACKENDS = [name for name in REGISTERED if name != "triton"]  # test_triton.py
FASTER = [name for name in BACKENDS if name != "naive"]
OPTIONS = [
    {},
    {"num_input_heads": 1},
    {"cell": "gru", "bias": False},
    {"variant": "paper", "cell": "gru"},
    {"variant": "paper", "block_inactive_grad": False},
    {"bidirectional": True, "num_layers": 2, "layer_input": "units"},
    {"input_attention": False, "competition": False},
    {"communication": False},
    {"comm_top_k": 2, "comm_every": 2, "update_every": 3},
    {"input_positions": 2, "num_input_heads": 2},
]


def pair(backend, options, dtype=torch.float64, size=40, **more):
    rims = []
    for name in ("naive", backend):
        torch.manual_seed(0)
        rims.append(
            RIM(7, size, num_units=5, num_active=3, init="fan_in", backend=name, dtype=dtype, **(options | more))
        )
    return rims


def run(rim, x, lengths):
    """Output, final state and all gradients under random upstream gradients; dropout masks from a fixed seed."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    hidden = tuple(
        torch.randn(rim.num_layers * rim.num_directions, x.shape[1], rim.hidden_size, dtype=x.dtype).requires_grad_()
        for _ in range(rim.options.num_states)
    )
    output, final = rim(x, hidden if len(hidden) == 2 else hidden[0], lengths=lengths)
    finals = final if isinstance(final, tuple) else (final,)
    torch.manual_seed(4)
    sum((part * torch.randn_like(part)).sum() for part in (output, *finals)).backward()
    gradients = {f"gradient of {name}": p.grad for name, p in rim.named_parameters()}
    states = {f"final {i}": part for i, part in enumerate(finals)}
    initial = {f"gradient of state {i}": part.grad for i, part in enumerate(hidden)}
    return {"output": output, **states, "gradient of x": x.grad, **initial, **gradients}


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("backend", FASTER)
def test_equals_naive(backend, options, padded):
    x = torch.randn(6, 4, 7, dtype=torch.float64)
    lengths = torch.tensor([6, 2, 0, 5]) if padded else None
    naive, fast = (run(rim.train(), x, lengths) for rim in pair(backend, options))
    for name, reference in naive.items():
        assert_close(name, reference, fast[name], torch.float64)


@pytest.mark.parametrize("options", [{}, {"cell": "gru"}, {"variant": "paper"}], ids=str)
@pytest.mark.parametrize("backend", FASTER)
def test_equals_naive_on_sets_and_awkward_sizes(backend, options):
    x = torch.randn(63, 3, 4, 7, dtype=torch.float64)
    naive, fast = (run(rim.train(), x, torch.tensor([63, 31, 1])) for rim in pair(backend, options, size=185))
    for name, reference in naive.items():
        assert_close(name, reference, fast[name], torch.float64)


@pytest.mark.parametrize("options", [{}, {"cell": "gru"}, {"variant": "paper"}, {"num_input_heads": 1}], ids=str)
@pytest.mark.parametrize("backend", FASTER)
def test_float32(backend, options):
    """With the same dropout masks; all units are active, as rounding may flip a close choice."""
    x = torch.randn(9, 4, 7)
    options = {"competition": False, **options}
    naive, fast = (run(rim.train(), x, None) for rim in pair(backend, options, dtype=torch.float32))
    for name, reference in naive.items():
        assert_close(name, reference, fast[name], torch.float32)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast_stays_near_float32(backend, dtype):
    _, rim = pair(backend, {"competition": False}, dtype=torch.float32)  # a choice of units may differ, values may not
    x = torch.randn(9, 4, 7)
    expected, (expected_h, _) = rim.eval()(x)
    with torch.autocast("cpu", dtype=dtype):
        output, (h, _) = rim(x)
    assert output.dtype == torch.float32
    assert_close("output", expected, output, dtype)
    assert_close("h", expected_h, h, dtype)
    with torch.autocast("cpu", dtype=dtype):
        rim(x)[0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in rim.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", FASTER)
def test_autocast_equals_naive(backend, dtype):
    x = torch.randn(9, 4, 7)
    with torch.autocast("cpu", dtype=dtype):
        naive, fast = (run(rim.eval(), x, None) for rim in pair(backend, {"competition": False}, dtype=torch.float32))
    for name, reference in naive.items():
        assert_close(name, reference, fast[name], dtype)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("init", ["reference", "fan_in"])
def test_ranking_is_float32_under_autocast(backend, init):
    """Half-precision scores would tie nearly always; the choice of units stays that of float32 nearly always."""
    torch.manual_seed(0)
    rim = RIM(32, 96, init=init, backend=backend).eval()
    x = torch.randn(20, 32, 32)
    with torch.no_grad():
        *_, expected = rim(x, return_activity=True)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        *_, activity = rim(x, return_activity=True)
    assert activity.input_attention[0].dtype == torch.float32
    assert (activity.active_mask[0].sum(-1) == 4).all()
    same = (activity.active_mask[0] == expected.active_mask[0]).all(-1).float().mean().item()
    assert same > 0.9


@pytest.mark.parametrize("backend", BACKENDS)
def test_float32_is_near_float64(backend):
    _, single = pair(backend, {}, dtype=torch.float32)
    double = pair(backend, {}, dtype=torch.float64)[1]
    double.load_state_dict(single.state_dict())
    x = torch.randn(9, 4, 7)
    assert_close("output", double.eval()(x.double())[0], single.eval()(x)[0], torch.float32)


@pytest.mark.parametrize("backend", BACKENDS)
def test_empty_batch(backend):
    _, rim = pair(backend, {"num_layers": 2})
    output, (h, c) = rim(torch.zeros(3, 0, 7, dtype=torch.float64))
    assert output.shape == (3, 0, 40) and h.shape == c.shape == (2, 0, 40)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", BACKENDS)
def test_half_precision_module(backend, dtype):
    _, rim = pair(backend, {"competition": False}, dtype=torch.float32)
    x = torch.randn(5, 4, 7)
    expected = rim.eval()(x)[0]
    output = rim.to(dtype)(x.to(dtype))[0]
    assert output.dtype == dtype
    assert_close("output", expected, output, dtype)


@pytest.mark.parametrize("backend", FASTER)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"cell": "gru"},
        {"variant": "paper"},
        {"variant": "paper", "cell": "gru", "bidirectional": True},
        {"num_layers": 2, "use_inactive": True, "comm_every": 2},
        {"comm_top_k": 2, "input_positions": 2},
        {"input_dropout": 0.0, "num_input_heads": 1},
    ],
    ids=str,
)
def test_gradcheck(backend, options):
    """Of input and every weight, in training mode with dropout, on padded sequences."""
    torch.manual_seed(0)
    sizes = {
        "num_units": 3, "num_active": 2, "num_input_heads": 2, "input_key_size": 3, "input_value_size": 4,
        "num_comm_heads": 2, "comm_key_size": 2, "comm_value_size": 2,
    }  # fmt: skip
    rim = RIM(3, 6, init="fan_in", backend=backend, dtype=torch.float64, block_inactive_grad=False, **(sizes | options))
    x = torch.randn(3, 2, 3, dtype=torch.float64, requires_grad=True)
    parameters = [p.detach().requires_grad_() for p in rim.parameters()]
    names = [name for name, _ in rim.named_parameters()]

    def run_with(x, *weights):
        torch.manual_seed(1)
        output, final = torch.func.functional_call(
            rim, dict(zip(names, weights, strict=True)), (x,), {"lengths": torch.tensor([3, 2])}
        )
        return output, *(final if isinstance(final, tuple) else (final,))

    assert torch.autograd.gradcheck(run_with, (x, *parameters))


def test_assert_close_bites():
    one = torch.ones(3)
    with pytest.raises(AssertionError, match="weight: differs by"):
        assert_close("weight", one, one + 2 * TOLERANCE[torch.float32], torch.float32)
    with pytest.raises(AssertionError, match="differs by nan"):
        assert_close("weight", one, one * float("nan"), torch.float32)
    with pytest.raises(AssertionError, match=r"shape \(2,\), expected \(3,\)"):
        assert_close("weight", one, one[:2], torch.float32)
    assert_close("weight", one, one, torch.float32)

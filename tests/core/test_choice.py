"""Which backend runs, and what is said where one cannot."""

import logging

import pytest
import torch

from rims_nlp import RIM, RIMCell
from rims_nlp.ops import build
from rims_nlp.ops import rim as op
from rims_nlp.ops.rim import cpu


@pytest.fixture(autouse=True)
def afresh(monkeypatch):
    """Every choice is said anew, nothing is overridden."""
    monkeypatch.delenv(op.ENVIRONMENT, raising=False)
    op._say.cache_clear()
    cpu.build_failure.cache_clear()
    yield
    cpu.build_failure.cache_clear()


def chosen(caplog, rim, *arguments, **options):
    caplog.clear()
    with caplog.at_level(logging.DEBUG, "rims_nlp"):
        result = rim(*arguments, **options)
    return result, [record.message for record in caplog.records if "RIM backend" in record.message]


def test_auto_takes_the_fastest_and_says_so_once(caplog):
    rim, x = RIM(4, 12), torch.randn(2, 3, 4)
    _, said = chosen(caplog, rim, x)
    assert len(said) == 1 and said[0] == "RIM backend: cpu"
    assert chosen(caplog, rim, x)[1] == []


def test_without_a_compiler_auto_takes_the_next(monkeypatch, caplog):
    def missing():
        raise build.BuildError("no C++ compiler was found")

    monkeypatch.setattr(cpu, "library", missing)
    _, said = chosen(caplog, RIM(4, 12), torch.randn(2, 3, 4))
    warnings = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 1 and warnings[0].endswith("slower than compiled: no C++ compiler was found")
    assert said[0].startswith("RIM backend: hoisted") and "cpu: no C++ compiler was found" in said[0]
    with pytest.raises(ValueError, match="RIM backend 'cpu' cannot run this: no C\\+\\+ compiler was found"):
        RIM(4, 12, backend="cpu")(torch.randn(2, 3, 4))


def test_gradient_through_the_activity(caplog):
    """The compiled rung has none: auto takes one that has, a named one refuses."""
    (_, _, activity), said = chosen(caplog, RIM(4, 12), torch.randn(2, 3, 4), return_activity=True)
    assert said[0].startswith("RIM backend: hoisted") and activity.input_attention[0].requires_grad
    rim = RIM(4, 12, backend="cpu")
    with pytest.raises(
        ValueError, match="no gradient through the activity; use torch.no_grad\\(\\), or backend='hoisted'"
    ):
        rim(torch.randn(2, 3, 4), return_activity=True)
    with torch.no_grad():
        *_, activity = rim(torch.randn(2, 3, 4), return_activity=True)
    assert activity.input_attention[0].shape == (2, 3, 4, 6, 2)


def test_environment_overrides_auto_only(monkeypatch, caplog):
    monkeypatch.setenv(op.ENVIRONMENT, "naive")
    rim, x = RIM(4, 12), torch.randn(2, 3, 4)
    calls = []
    for name in ("naive", "hoisted"):
        monkeypatch.setitem(
            op.BACKENDS, name, lambda *a, _run=op.BACKENDS[name], _name=name, **k: calls.append(_name) or _run(*a, **k)
        )
    rim(x)
    RIM(4, 12, backend="hoisted")(x)
    RIMCell(4, 12)(x[0])
    assert calls == ["naive", "hoisted", "naive"]


@pytest.mark.parametrize("make", [RIM, RIMCell])
def test_unknown_name(make):
    with pytest.raises(
        ValueError, match="unknown RIM backend 'fast'; expected auto or one of naive, hoisted, cpu, triton"
    ):
        make(4, 12, backend="fast")


def test_empty_environment_is_none(monkeypatch, caplog):
    monkeypatch.setenv(op.ENVIRONMENT, "")
    assert chosen(caplog, RIM(4, 12), torch.randn(2, 3, 4))[1] == ["RIM backend: cpu"]


def test_unknown_name_in_the_environment(monkeypatch):
    monkeypatch.setenv(op.ENVIRONMENT, "fast")
    with pytest.raises(ValueError, match="unknown RIM backend 'fast' \\(from RIMS_NLP_BACKEND\\)"):
        RIM(4, 12)(torch.randn(2, 3, 4))


def test_choice_is_said_when_debugging_begins_later(caplog):
    rim, x = RIM(4, 12), torch.randn(2, 3, 4)
    with caplog.at_level(logging.INFO, "rims_nlp"):
        rim(x)
    assert len(chosen(caplog, rim, x)[1]) == 1


def test_triton_is_refused_on_the_cpu():
    with pytest.raises(ValueError, match="RIM backend 'triton' cannot run this: it runs on a GPU"):
        RIM(4, 12, backend="triton")(torch.randn(2, 3, 4))


def test_transforms_of_torch_func(caplog):
    rim = RIM(4, 12, dtype=torch.float64).eval()
    x = torch.randn(3, 2, 4, dtype=torch.float64)
    grad, said = chosen(caplog, torch.func.grad(lambda x: rim(x)[0].square().sum()), x)
    assert said[0].startswith("RIM backend: hoisted")
    x.requires_grad_()
    assert torch.allclose(grad, torch.autograd.grad(rim(x)[0].square().sum(), x)[0])
    with pytest.raises(ValueError, match="does not know torch.func's transforms; use backend='hoisted'"):
        torch.func.grad(lambda x: RIM(4, 12, backend="cpu", dtype=torch.float64)(x)[0].sum())(x.detach())


@pytest.mark.parametrize("backend", ["auto", "hoisted"])
def test_within_torch_compile(backend):
    rim, x = RIM(4, 12, backend=backend).eval(), torch.randn(3, 2, 4)
    compiled = torch.compile(rim, backend="eager")
    assert torch.allclose(compiled(x)[0], rim(x)[0], atol=1e-6)
    compiled(x)[0].sum().backward()
    assert all(p.grad is not None for p in rim.parameters())


def test_second_derivatives_through_auto_are_refused_too():
    x = torch.randn(3, 2, 4, requires_grad=True)
    with pytest.raises(RuntimeError, match="use backend='hoisted'"):
        torch.autograd.grad(RIM(4, 12)(x)[0].sum(), x, create_graph=True)


def test_cells_of_a_layer_have_its_backend():
    assert [cell.backend for cell in RIM(4, 12, num_layers=2, backend="hoisted").cells] == ["hoisted"] * 2

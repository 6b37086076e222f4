"""The compiled rung beyond equality with naive: chunks, scratch, threads, gradients asked for in unusual ways."""

import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rims_nlp import RIM, RIMCell, modules
from rims_nlp.ops.rim import BACKENDS, cpu, fused, hoisted
from rims_nlp.testing import assert_close

OPTIONS = {"num_units": 5, "num_active": 3, "num_input_heads": 2, "comm_key_size": 6, "comm_value_size": 4}


def pair(backend="cpu", size=35, dtype=torch.float64, **options):
    """The same layer on the naive rung and on another."""
    for name in ("naive", backend):
        torch.manual_seed(0)
        yield RIM(7, size, backend=name, init="fan_in", dtype=dtype, **(OPTIONS | options))


def results(rim, x, lengths=None, retain_graph=False):
    """Output, final states and all gradients for fixed upstream gradients; the same dropout masks at every call."""
    torch.manual_seed(3)
    x = x.clone().requires_grad_()
    output, final = rim(x, lengths=lengths)
    finals = final if isinstance(final, tuple) else (final,)
    torch.manual_seed(4)
    loss = sum((part * torch.randn(part.shape).to(part)).sum() for part in (output, *finals))
    names, parameters = zip(*rim.named_parameters(), strict=True)
    grads = torch.autograd.grad(loss, (x, *parameters), retain_graph=retain_graph)
    return {"output": output, **dict(enumerate(finals)), **dict(zip(("x", *names), grads, strict=True))}


def assert_same(expected, found, dtype=torch.float64):
    for name, reference in expected.items():
        assert_close(str(name), reference, found[name], dtype)


@pytest.mark.parametrize("keep_bytes", [0, 2**28])
@pytest.mark.parametrize("options", [{}, {"cell": "gru"}, {"block_inactive_grad": False}], ids=str)
def test_chunks_change_nothing(monkeypatch, options, keep_bytes):
    monkeypatch.setattr(cpu.CPUKernel, "chunk_bytes", 1)  # one step a chunk
    monkeypatch.setattr(fused, "KEEP_BYTES", keep_bytes)
    x, lengths = torch.randn(7, 3, 2, 7, dtype=torch.float64), torch.tensor([7, 4, 1])
    naive, fast = (results(rim.train(), x, lengths) for rim in pair(**options))
    assert_same(naive, fast)


def test_what_is_kept_is_bounded(monkeypatch):
    """Above the bound the input's share of the gates is not among the saved tensors."""
    _, rim = pair(dtype=torch.float32)
    share = 9 * 4 * 2 * rim.cells[0].weight_hh.numel() // rim.unit_size  # T * B * heads * K*G*D

    def largest_saved():
        sizes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            rim(torch.randn(9, 4, 7))
        return max(sizes)

    assert largest_saved() == share
    monkeypatch.setattr(fused, "KEEP_BYTES", 4 * share - 1)
    assert largest_saved() < share


@pytest.mark.parametrize("return_activity", [False, True])
def test_hoisted_chunks_change_nothing(monkeypatch, return_activity):
    monkeypatch.setattr(hoisted, "CHUNK_BYTES", 1)
    x, lengths = torch.randn(7, 3, 7, dtype=torch.float64), torch.tensor([7, 4, 1])
    naive, fast = list(pair("hoisted", comm_every=2))
    assert_same(results(naive.train(), x, lengths), results(fast.train(), x, lengths))
    expected, found = (rim.eval()(x, lengths=lengths, return_activity=True)[2] for rim in (naive, fast))
    for field in ("active_mask", "input_attention", "comm_attention"):
        assert_close(field, getattr(expected, field)[0], getattr(found, field)[0], torch.float64)


def test_without_gradient_nothing_is_kept(monkeypatch):
    """Of c only the last step, and no state that units show; needs_input_grad alone would not say so."""
    made = []
    empty = fused._Run.empty_outputs
    monkeypatch.setattr(fused._Run, "empty_outputs", lambda run, keeps: made.append(empty(run, keeps)) or made[-1])
    _, rim = pair()
    x = torch.randn(4, 3, 7, dtype=torch.float64)
    with torch.no_grad():
        inference = rim.eval()(x)[0]
    training = rim(x)[0]
    assert [(outputs.c.shape[0], outputs.source is None) for outputs in made] == [(1, True), (4, False)]
    assert torch.equal(inference, training)


@pytest.mark.parametrize("backend", ["naive", "hoisted", "cpu"])
def test_dropout_masks_are_bounded(monkeypatch, backend):
    """Segments draw masks of their own, and the same ones again in the backward pass."""
    monkeypatch.setattr(modules.rim, "MASK_BYTES", 1)
    rim = RIM(3, 6, num_units=3, num_active=2, num_input_heads=1, init="fan_in", backend=backend, dtype=torch.float64,
              input_dropout=0.5, comm_dropout=0.5, input_value_size=4, block_inactive_grad=False).train()  # fmt: skip
    shapes = []
    draw = RIMCell.draw_masks
    monkeypatch.setattr(RIMCell, "draw_masks", lambda cell, *shape: shapes.append(shape) or draw(cell, *shape))

    def run(x):
        torch.manual_seed(0)
        return rim(x, lengths=torch.tensor([4, 2]))[0]

    assert torch.autograd.gradcheck(run, torch.randn(4, 2, 3, dtype=torch.float64, requires_grad=True))
    assert set(shapes) == {(1, 2)}


def test_scratch_is_written_before_it_is_read(monkeypatch):
    scratch = cpu.CPUKernel.scratch
    monkeypatch.setattr(cpu.CPUKernel, "scratch", lambda *arguments: scratch(*arguments).fill_(torch.nan))
    x = torch.randn(6, 4, 7, dtype=torch.float64)
    for options in ({}, {"comm_every": 2, "block_inactive_grad": False}, {"communication": False, "cell": "gru"}):
        naive, fast = (results(rim.train(), x, torch.tensor([6, 2, 0, 5])) for rim in pair(**options))
        assert_same(naive, fast)


def test_runs_between_forward_and_backward(monkeypatch):
    """Scratch is shared between calls; nothing that a backward pass needs may lie in it."""
    monkeypatch.setattr(fused, "KEEP_BYTES", 0)
    naive, fast = (rim.eval() for rim in pair())
    x, other = torch.randn(5, 3, 7, dtype=torch.float64), torch.randn(8, 6, 7, dtype=torch.float64)
    output, _ = fast(x.requires_grad_())
    fast(other)[0].sum().backward()
    grad = torch.autograd.grad(output.sum(), x)[0]
    assert_close("x", torch.autograd.grad(naive(x)[0].sum(), x)[0], grad, torch.float64)


def test_backward_twice_gives_the_same():
    _, rim = pair()
    x = torch.randn(5, 3, 7, dtype=torch.float64, requires_grad=True)
    loss = rim.eval()(x)[0].square().sum()
    first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_only_the_state_has_a_gradient():
    naive, fast = (rim.eval().requires_grad_(False) for rim in pair())
    x = torch.randn(4, 2, 7, dtype=torch.float64)
    grads = []
    for rim in (naive, fast):
        state = [torch.full((1, 2, 35), 0.1, dtype=torch.float64, requires_grad=True) for _ in range(2)]
        _, (_, c) = rim(x, tuple(state))
        grads.append(torch.autograd.grad(c.sum(), state))
    for expected, found in zip(*grads, strict=True):
        assert_close("state", expected, found, torch.float64)


def test_second_derivatives_are_refused():
    _, rim = pair()
    x = torch.randn(3, 2, 7, dtype=torch.float64, requires_grad=True)
    with pytest.raises(RuntimeError, match="no second derivatives \\(create_graph=True\\): use backend='hoisted'"):
        torch.autograd.grad(rim.eval()(x)[0].sum(), x, create_graph=True)


def test_output_changed_in_place_is_noticed():
    _, rim = pair()
    output, _ = rim(torch.randn(3, 2, 7, dtype=torch.float64))
    output.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@pytest.mark.parametrize(("batch", "threads"), [(9, 2), (1, 4), (70, 3)])
def test_threads_change_nothing(batch, threads):
    _, rim = pair(dtype=torch.float32)
    x = torch.randn(6, batch, 7)
    one = results(rim.eval(), x)
    torch.set_num_threads(threads)
    try:
        two = results(rim, x)
    finally:
        torch.set_num_threads(1)
    assert_same(one, two, torch.float32)


def test_nan_still_chooses_as_many_units():
    naive, fast = pair()
    x = torch.randn(2, 3, 7, dtype=torch.float64)
    x[1, 0] = torch.nan
    with torch.no_grad():
        masks = [rim.eval()(x, return_activity=True)[2].active_mask[0] for rim in (naive, fast)]
    assert torch.equal(*masks)
    assert (masks[1].sum(-1) == 3).all()


@pytest.mark.parametrize("heads", [1, 2])
def test_saturated_scores_tie_alike(heads):
    """Beyond the precision of tanh units tie, and the lowest indices win, on every rung."""
    naive, fast = (rim.eval() for rim in pair(dtype=torch.float32, num_input_heads=heads))
    x = 300 * torch.randn(5, 40, 7)
    with torch.no_grad():
        masks = [rim(x, return_activity=True)[2].active_mask[0] for rim in (naive, fast)]
    assert (masks[0] == masks[1]).all(-1).float().mean() > 0.97  # a score may lie on the edge


def test_input_that_is_not_contiguous():
    wide = torch.randn(4, 12, 3, dtype=torch.float64)
    for x in (wide[..., :2], wide.transpose(0, 1)[..., :2], wide[:, :1, :2].expand(4, 12, 2)):
        naive, fast = (
            RIM(2, 35, backend=name, dtype=torch.float64, init="fan_in", **OPTIONS).eval() for name in ("naive", "cpu")
        )
        fast.load_state_dict(naive.state_dict())
        found = []
        for rim in (naive, fast):
            output, _ = rim(x)
            found.append(torch.autograd.grad(output.square().sum(), list(rim.parameters())))
        for expected, got in zip(*found, strict=True):
            assert_close("gradient", expected, got, torch.float64)


def test_inference_mode_before_training():
    _, rim = pair(size=45)
    x = torch.randn(30, 9, 7, dtype=torch.float64)
    with torch.inference_mode():
        rim.eval()(x)
    rim(x)[0].sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in rim.parameters())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("backend", ["hoisted", "cpu"])
def test_half_precision_module_in_training(backend, dtype):
    """Values and gradients near naive's in float32, with the same dropout masks."""
    options = {"competition": False, "input_dropout": 0.5, "comm_dropout": 0.5}
    naive, half = pair(backend, dtype=torch.float32, **options)
    x, draw, masks = torch.randn(5, 4, 7), RIMCell.draw_masks, []
    expected = results(naive.train(), x)
    half.to(dtype).train()
    cell = half.cells[0]

    def same_masks(steps, batch):  # half precision would draw others
        cell.float()
        masks.append(draw(cell, steps, batch))
        cell.to(dtype)
        return type(masks[0])(*(mask.to(dtype) for mask in masks[0]))

    cell.draw_masks = same_masks
    found = results(half, x.to(dtype))
    assert found["output"].dtype == dtype
    assert_same(expected, {name: value.float() for name, value in found.items()}, torch.bfloat16)


def test_large_values_do_not_overflow():
    naive, fast = (rim.eval() for rim in pair(dtype=torch.float32, competition=False))
    x = 1e4 * torch.randn(4, 3, 7)
    with torch.no_grad():
        assert_close("output", naive(x)[0], fast(x)[0], torch.float32)


@pytest.mark.parametrize("backend", [name for name in BACKENDS if name != "triton"])
@pytest.mark.parametrize("options", [{}, {"cell": "gru", "num_layers": 2, "bidirectional": True}], ids=str)
def test_prepared_weights_change_nothing(backend, options):
    rim = list(pair(backend, **options))[1].eval()
    x = torch.randn(4, 3, 7, dtype=torch.float64)
    with torch.no_grad():
        prepared = rim.prepare()
        assert_close("output", rim(x)[0], rim(x, prepared=prepared)[0], torch.float64)
    x.requires_grad_()
    assert torch.autograd.grad(rim(x, prepared=prepared)[0].sum(), rim.cells[0].weight_hh)[0].abs().sum() > 0


def test_prepared_weights_of_another_type_are_made_anew():
    _, rim = pair(dtype=torch.float32)
    x = torch.randn(4, 3, 7, dtype=torch.float64)
    with torch.no_grad():
        assert torch.equal(rim.eval()(x)[0], rim(x, prepared=rim.prepare())[0])


def test_two_threads_at_once():
    """Each has scratch of its own, as under DataParallel."""
    _, rim = pair()
    inputs = [torch.randn(9, size, 7, dtype=torch.float64) for size in (5, 3)]
    expected = [results(rim.eval(), x)["output"] for x in inputs]
    found = [[], []]

    def repeat(index):
        for _ in range(10):
            x = inputs[index].clone().requires_grad_()
            output, _ = rim(x)
            torch.autograd.grad(output.sum(), x)
            found[index].append(output.detach())

    workers = [threading.Thread(target=repeat, args=(index,)) for index in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(torch.equal(output, expected[index]) for index in range(2) for output in found[index])
    assert [len(outputs) for outputs in found] == [10, 10]


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_any_sizes(data):
    def draw(*bounds):
        return data.draw(st.integers(*bounds))

    units = draw(1, 7)
    options = {
        "num_units": units,
        "num_active": draw(1, units),
        "num_input_heads": draw(1, 3),
        "input_key_size": draw(1, 20),
        "input_value_size": draw(1, 20),
        "num_comm_heads": draw(1, 3),
        "comm_key_size": draw(1, 20),
        "comm_value_size": draw(1, 20),
        "cell": data.draw(st.sampled_from(["lstm", "gru"])),
        "variant": data.draw(st.sampled_from(["reference", "paper"])),
    }
    torch.manual_seed(1)
    x = torch.randn(draw(1, 5), draw(1, 9), draw(1, 3), 7, dtype=torch.float64)
    naive, fast = (results(rim.train(), x) for rim in pair(size=units * draw(1, 40), **options))
    assert_same(naive, fast)

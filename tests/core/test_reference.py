"""The layer against recorded values of the authors' core and of the paper's equations."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rims_nlp import RIM, RIMCell
from rims_nlp.ops.rim import BACKENDS
from rims_nlp.reference import WEIGHT_NAMES, read_archive
from rims_nlp.testing import assert_close

ARCHIVES = sorted((Path(__file__).parents[1] / "reference").glob("*.npz"))


def run_cell(path, x, state):
    cell = RIMCell.from_reference(path)
    hs, cs, infos = [], [], []
    for step in x:
        with torch.no_grad():
            _, info = cell(step, state, return_info=True)
        state = cell(step, state)
        parts = state if isinstance(state, tuple) else (state,)
        hs.append(parts[0])
        cs.append(parts[-1])
        infos.append(info)
    stacked = [torch.stack([info[i] for info in infos]) for i in range(3)]
    return cell, torch.stack(hs), torch.stack(cs), stacked


def run_layer(path, x, state, backend):
    rim = RIM.from_reference(path, backend=backend)
    hidden = tuple(part.unsqueeze(0) for part in state) if isinstance(state, tuple) else state.unsqueeze(0)
    output, final = rim(x, hidden)
    with torch.no_grad():
        *_, activity = rim(x, hidden, return_activity=True)
    last = final[-1] if isinstance(final, tuple) else final
    return rim.cells[0], output, last, [field[0] for field in activity]


@pytest.mark.parametrize("how", ["cell", *(name for name in BACKENDS if name != "triton")])
@pytest.mark.parametrize("path", ARCHIVES, ids=lambda path: path.stem)
def test_values_and_gradients(path, how):
    _, recorded = read_archive(path)
    x = recorded["x"].clone().requires_grad_()
    initial = [recorded[name].flatten(1).requires_grad_() for name in ("h0", "c0") if name in recorded]
    state = tuple(initial) if len(initial) == 2 else initial[0]
    run = run_cell if how == "cell" else lambda *arguments: run_layer(*arguments, backend=how)
    cell, h, c, (mask, input_attention, comm_attention) = run(path, x, state)

    assert torch.equal(mask, recorded["mask"].bool())
    assert_close("h", recorded["h"].flatten(2), h, torch.float64)
    if len(initial) == 2:
        expected = recorded["c"].flatten(2)
        assert_close("c", expected if how == "cell" else expected[-1:], c, torch.float64)
    assert_close("input attention", recorded["in_attn"], input_attention, torch.float64)
    if "comm_attn" in recorded:
        assert_close("communication attention", recorded["comm_attn"], comm_attention, torch.float64)

    h[-1].pow(2).sum().backward()
    assert_close("gradient of x", recorded["grad_x"], x.grad, torch.float64)
    for name, part in zip(("h0", "c0"), initial, strict=False):
        assert_close(f"gradient of {name}", recorded[f"grad_{name}"].flatten(1), part.grad, torch.float64)
    for name, parameter in WEIGHT_NAMES.items():
        if name in recorded:
            gradient = getattr(cell, parameter).grad
            assert_close(f"gradient of {name}", recorded[f"grad_{name}"].view_as(gradient), gradient, torch.float64)


def test_all_archives_are_there():
    assert len(ARCHIVES) == 11


def test_module_is_float64_in_eval_mode():
    rim = RIM.from_reference(ARCHIVES[0])
    assert not rim.training
    assert {parameter.dtype for parameter in rim.parameters()} == {torch.float64}


def test_refuses_other_files(tmp_path):
    text = tmp_path / "notes.npz"
    text.write_text("nothing")
    with pytest.raises(ValueError, match="notes.npz is not a recorded reference"):
        RIMCell.from_reference(text)
    with pytest.raises(ValueError, match="absent.npz is not a recorded reference"):
        RIMCell.from_reference(tmp_path / "absent.npz")
    np.savez(tmp_path / "bare.npz", x=np.zeros(3))
    with pytest.raises(ValueError, match="bare.npz is not a recorded reference"):
        RIMCell.from_reference(tmp_path / "bare.npz")
    np.savez(tmp_path / "empty.npz", meta="{}")
    with pytest.raises(ValueError, match="`meta` lacks 'din'"):
        RIMCell.from_reference(tmp_path / "empty.npz")


def test_refuses_weights_that_do_not_fit(tmp_path):
    with np.load(ARCHIVES[0]) as archive:
        arrays = dict(archive)
    arrays["w_hh"] = arrays["w_hh"][:, :-1]
    np.savez(tmp_path / "cut.npz", **arrays)
    with pytest.raises(ValueError, match="cut.npz: the weights do not fit"):
        RIMCell.from_reference(tmp_path / "cut.npz")

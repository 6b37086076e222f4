"""Properties of one step."""

import pytest
import torch

from rims_nlp import RIMCell
from rims_nlp.modules.options import RIMOptions
from rims_nlp.ops.rim.naive import compete
from rims_nlp.testing import assert_close


def make_cell(**options):
    torch.manual_seed(0)
    options = {"init": "fan_in", "input_key_size": 8, "comm_key_size": 5, "comm_value_size": 7} | options
    return RIMCell(6, 20, num_units=5, num_active=3, dtype=torch.float64, **options).eval()


def random_state(cell, batch=4):
    generator = torch.Generator().manual_seed(1)
    parts = [
        torch.randn(batch, cell.hidden_size, dtype=torch.float64, generator=generator)
        for _ in range(cell.options.num_states)
    ]
    return tuple(parts) if len(parts) == 2 else parts[0]


def units(tensor, cell):
    return tensor.unflatten(-1, (cell.options.num_units, -1))


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("bias", [True, False])
def test_one_unit_is_the_torch_cell(kind, bias):
    cell = RIMCell(
        6, 8, num_units=1, num_active=1, cell=kind, bias=bias, communication=False, input_attention=False,
        dtype=torch.float64,
    ).eval()  # fmt: skip
    torch_cell = (torch.nn.LSTMCell if kind == "lstm" else torch.nn.GRUCell)(32, 8, bias=bias, dtype=torch.float64)
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")[: 4 if bias else 2]:
            getattr(torch_cell, name).copy_(
                getattr(cell, name)[0].mT if name.startswith("w") else getattr(cell, name)[0]
            )
    x, state = torch.randn(3, 6, dtype=torch.float64), random_state(cell, 3)
    expected = torch_cell(x @ cell.input_value, state)
    got = cell(x, state)
    for reference, output in zip(*((pair if kind == "lstm" else (pair,)) for pair in (expected, got)), strict=True):
        assert_close(kind, reference, output, torch.float64)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
@pytest.mark.parametrize("variant", ["reference", "paper"])
def test_winners_update_and_the_rest_stays_bit_equal(kind, variant):
    cell = make_cell(cell=kind, variant=variant)
    state = random_state(cell)
    new, info = cell(torch.randn(4, 6, dtype=torch.float64), state, return_info=True)
    assert (info.active_mask.sum(1) == 3).all()
    for old_part, new_part in zip(*((s if kind == "lstm" else (s,)) for s in (state, new)), strict=True):
        same = (units(old_part, cell) == units(new_part, cell)).all(-1)
        assert torch.equal(same, ~info.active_mask)


def test_info_shapes_and_probabilities():
    cell = make_cell(num_input_heads=2, num_comm_heads=3)
    _, info = cell(torch.randn(4, 2, 6, dtype=torch.float64), return_info=True)
    assert info.active_mask.shape == (4, 5)
    assert info.input_attention.shape == (4, 2, 5, 3)
    assert info.comm_attention.shape == (4, 3, 5, 5)
    for attention in (info.input_attention, info.comm_attention):
        assert_close("sum", torch.ones_like(attention[..., 0]), attention.sum(-1), torch.float64)


def test_winners_have_the_least_null_probability():
    cell = make_cell(num_input_heads=2)
    _, info = cell(torch.randn(4, 6, dtype=torch.float64), random_state(cell), return_info=True)
    null = info.input_attention[..., 0].mean(1)
    worst_winner = null.masked_fill(~info.active_mask, -1).amax(1)
    best_loser = null.masked_fill(info.active_mask, 2).amin(1)
    assert (worst_winner < best_loser).all()


def test_units_can_be_permuted():
    cell, other = make_cell(), make_cell()
    order = torch.tensor([3, 0, 4, 1, 2])
    with torch.no_grad():
        for name, weight in cell.named_parameters():
            if weight.shape[0] == 5 and weight.dim() > 1:
                getattr(other, name).copy_(weight[order])
    x, (h, c) = torch.randn(4, 6, dtype=torch.float64), random_state(cell)
    permuted = tuple(units(part, cell)[:, order].flatten(1) for part in (h, c))
    (expected, _), info = cell(x, (h, c), return_info=True)
    (got, _), other_info = other(x, permuted, return_info=True)
    assert torch.equal(info.active_mask[:, order], other_info.active_mask)
    assert_close("h", units(expected, cell)[:, order].flatten(1), got, torch.float64)


def test_zero_input_equals_null():
    cell = make_cell(communication=False)
    _, info = cell(torch.zeros(2, 6, dtype=torch.float64), random_state(cell, 2), return_info=True)
    assert torch.equal(info.input_attention, torch.full((2, 4, 5, 2), 0.5, dtype=torch.float64))
    assert torch.equal(info.active_mask, torch.tensor([[True, True, True, False, False]] * 2))


def test_ties_go_to_the_lowest_index_and_near_ties_are_ranked():
    assert compete(torch.zeros(1, 2, 4, 3), 2).tolist() == [[True, True, False, False]]
    scores = torch.tensor([0.0, 1e-9, 3e-9, 2e-9]).view(1, 1, 4, 1)
    assert torch.sigmoid(-scores).unique().numel() == 1  # the null probabilities themselves tie in float32
    assert compete(scores, 2).tolist() == [[False, False, True, True]]


@pytest.mark.parametrize("source", ["candidate", "committed"])
@pytest.mark.parametrize("blocked", [True, False])
def test_gradient_into_inactive_units(source, blocked):
    cell = make_cell(comm_source=source, block_inactive_grad=blocked)
    h, c = (part[:1].requires_grad_() for part in random_state(cell))
    (new, _), info = cell(torch.randn(1, 6, dtype=torch.float64), (h, c), return_info=True)
    active = info.active_mask[0]
    through_active = torch.autograd.grad(units(new, cell)[0, active].sum(), h, retain_graph=True)[0]
    received = units(through_active, cell)[0, ~active].abs().max()
    assert (received == 0) == blocked
    carried = torch.autograd.grad(units(new, cell)[0, ~active].sum(), h)[0]
    assert torch.equal(units(carried, cell)[0, ~active], torch.ones(2, 4, dtype=torch.float64))


def test_memory_receives_no_communication():
    cell = make_cell()
    silent = make_cell(communication=False)
    silent.load_state_dict({n: p for n, p in cell.state_dict().items() if not n.startswith("comm")})
    x, state = torch.randn(4, 6, dtype=torch.float64), random_state(cell)
    (h, c), (silent_h, silent_c) = cell(x, state), silent(x, state)
    assert torch.equal(c, silent_c)
    assert not torch.equal(h, silent_h)


def test_ablations():
    x = torch.randn(4, 6, dtype=torch.float64)
    cell = make_cell(competition=False)
    _, info = cell(x, random_state(cell), return_info=True)
    assert info.active_mask.all()
    cell = make_cell(input_attention=False, competition=False)
    assert cell.input_query is None
    _, info = cell(x, random_state(cell), return_info=True)
    assert torch.equal(info.input_attention[..., 1], torch.ones(4, 4, 5, dtype=torch.float64))
    _, info = make_cell(communication=False)(x, return_info=True)
    assert info.comm_attention is None


def test_input_positions_have_their_own_weights():
    cell = make_cell(input_positions=2)
    assert cell.input_key.shape == (2, 6, 32)
    x, state = torch.randn(4, 6, dtype=torch.float64), random_state(cell)
    once, twice = cell(x, state), cell(torch.stack([x, x], 1), state)
    assert torch.equal(once[0], twice[0])
    swapped = make_cell(input_positions=2)
    with torch.no_grad():
        swapped.input_key.copy_(cell.input_key.flip(0))
        swapped.input_value.copy_(cell.input_value.flip(0))
    assert_close("h", once[0], swapped(x, state)[0], torch.float64)
    with pytest.raises(ValueError, match="1 or input_positions=2 elements, got 3"):
        cell(torch.zeros(4, 3, 6, dtype=torch.float64))


def test_top_k_communication():
    _, info = make_cell(comm_top_k=2)(torch.randn(4, 6, dtype=torch.float64), return_info=True)
    assert ((info.comm_attention > 0).sum(-1) == 2).all()


def test_variants_set_their_switches():
    assert (RIMOptions().comm_source, RIMOptions().comm_update) == ("candidate", "gated")
    paper = RIMOptions(variant="paper")
    assert (paper.comm_source, paper.comm_update) == ("committed", "residual")
    assert RIMOptions(variant="paper", comm_update="gated").comm_update == "gated"


def test_defaults_are_table_3():
    options = RIMCell(10, 60).options
    assert (options.num_units, options.num_active, options.num_input_heads, options.num_comm_heads) == (6, 4, 4, 4)
    assert (options.input_key_size, options.comm_key_size, options.comm_value_size) == (64, 32, 32)
    assert options.num_input_heads * options.input_value_size == 4 * 10
    assert (options.input_dropout, options.comm_dropout) == (0.1, 0.1)


def test_parameter_count_of_the_published_core():
    cell = RIMCell(600, 600, num_input_heads=1, comm_key_size=16, comm_value_size=16)
    assert sum(parameter.numel() for parameter in cell.parameters()) == 1_649_800


def test_init():
    torch.manual_seed(0)
    reference, fan_in = (RIMCell(300, 600, init=init) for init in ("reference", "fan_in"))
    assert reference.input_query.std().item() == pytest.approx(0.01, rel=0.05)
    assert reference.weight_hh.abs().max().item() == pytest.approx(600**-0.5, rel=0.01)
    assert fan_in.input_query.std().item() == pytest.approx(0.1, rel=0.05)  # fan-in: the unit's 100
    assert fan_in.input_key.std().item() == pytest.approx(300**-0.5, rel=0.05)
    assert fan_in.weight_hh.abs().max().item() == pytest.approx(0.1, rel=0.01)
    for cell in (reference, fan_in):
        assert cell.comm_out_weight.abs().max().item() == pytest.approx(128**-0.5, rel=0.01)


def test_dropout_only_in_training():
    cell = make_cell(input_dropout=0.5, comm_dropout=0.5)
    x = torch.randn(4, 6, dtype=torch.float64)
    assert torch.equal(cell(x)[0], cell(x)[0])
    cell.train()
    assert not torch.equal(cell(x)[0], cell(x)[0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_size": 20}, "multiple of num_units, got hidden_size=20, num_units=6"),
        ({"num_active": 0}, r"num_active must be in \[1, num_units\], got num_active=0, num_units=6"),
        ({"num_active": 7}, "got num_active=7, num_units=6"),
        ({"input_size": 0}, "input_size must be at least 1, got 0"),
        ({"cell": "rnn"}, "cell must be one of lstm, gru, got 'rnn'"),
        ({"variant": "mine"}, "variant must be one of reference, paper, got 'mine'"),
        ({"comm_source": "all"}, "comm_source must be one of candidate, committed, got 'all'"),
        ({"comm_update": "sum"}, "comm_update must be one of gated, residual, got 'sum'"),
        ({"init": "zero"}, "init must be one of reference, fan_in, got 'zero'"),
        ({"num_input_heads": 0}, "num_input_heads must be at least 1, got 0"),
        ({"num_input_heads": 7}, r"4 \* unit_size = 40 must be divisible by num_input_heads, got num_input_heads=7"),
        ({"input_value_size": 0}, "input_value_size must be at least 1, got 0"),
        ({"comm_top_k": 9}, "got comm_top_k=9, num_units=6"),
        ({"input_dropout": 1.0}, r"input_dropout must be in \[0, 1\), got 1.0"),
        ({"input_attention": False}, "input_attention=False leaves no score to compete by"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        RIMCell(**({"input_size": 5, "hidden_size": 60} | arguments))


def test_unknown_option():
    with pytest.raises(TypeError, match="unknown RIM option num_head; expected one of num_units"):
        RIMCell(5, 60, num_head=4)


@pytest.mark.parametrize(
    ("x", "state", "message"),
    [
        ((4, 7), None, "input_size=6 in its last dimension, got 7"),
        ((4,), None, "got 1 dimensions"),
        ((4, 6), [(4, 20)], "the state of lstm units is h and c, got one tensor"),
        ((4, 6), [(4, 20), (4, 19)], r"state c must have shape \(4, 20\), got \(4, 19\)"),
    ],
)
def test_wrong_input(x, state, message):
    cell = make_cell()
    parts = None if state is None else [torch.zeros(shape) for shape in state]
    if parts is not None:
        parts = tuple(parts) if len(parts) == 2 else parts[0]
    with pytest.raises(ValueError, match=message):
        cell(torch.zeros(x), parts)

"""The layer over sequences: padding, streaming, directions, layers."""

import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rims_nlp import RIM
from rims_nlp.testing import assert_close

SMALL = {
    "num_units": 5,
    "num_active": 3,
    "init": "fan_in",
    "input_key_size": 8,
    "comm_key_size": 5,
    "comm_value_size": 7,
}


def make_rim(**options):
    torch.manual_seed(0)
    return RIM(6, 20, dtype=torch.float64, **(SMALL | options)).eval()


def random(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def hidden_parts(hidden):
    return hidden if isinstance(hidden, tuple) else (hidden,)


def random_hidden(rim, batch, seed=2):
    shape = (rim.num_layers * rim.num_directions, batch, rim.hidden_size)
    parts = tuple(random(*shape, seed=seed + i) for i in range(rim.options.num_states))
    return parts if len(parts) == 2 else parts[0]


CONFIGURATIONS = [
    {},
    {"cell": "gru", "variant": "paper"},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "layer_input": "units"},
    {"num_layers": 2, "use_inactive": True, "cell": "gru"},
    {"update_every": 2, "comm_every": 3},
]


@pytest.mark.parametrize("backend", ["naive", "hoisted"])
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
def test_padded_batch_equals_each_sequence_alone(options, backend):
    rim = make_rim(backend=backend, **options)
    x, lengths = random(9, 4, 6), torch.tensor([9, 1, 0, 5])
    hidden = random_hidden(rim, 4)
    output, final, activity = rim(x, hidden, lengths=lengths, return_activity=True)
    for b, length in enumerate(lengths.tolist()):
        assert (output[length:, b] == 0).all()
        assert not any(mask[length:, b].any() for mask in activity.active_mask)
        start = tuple(part[:, b : b + 1] for part in hidden_parts(hidden))
        if length == 0:
            for part, begin in zip(hidden_parts(final), start, strict=True):
                assert torch.equal(part[:, b : b + 1], begin)
            continue
        alone, alone_final = rim(x[:length, b : b + 1], start if len(start) == 2 else start[0])
        assert_close("output", alone[:, 0], output[:length, b], torch.float64)
        for part, expected in zip(hidden_parts(final), hidden_parts(alone_final), strict=True):
            assert_close("final state", expected[:, 0], part[:, b], torch.float64)


@pytest.mark.parametrize("backend", ["naive", "hoisted"])
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize("junk", [float("nan"), float("inf"), 1e30])
def test_pad_content_changes_nothing(options, backend, junk):
    rim = make_rim(backend=backend, **options)
    lengths = torch.tensor([7, 2, 4])
    pads = torch.arange(7).unsqueeze(1) >= lengths
    results = []
    for content in (0.0, junk):
        x = random(7, 3, 6).masked_fill(pads.unsqueeze(-1), content).requires_grad_()
        rim.zero_grad()
        output, final = rim(x, lengths=lengths)
        (output * random(*output.shape)).sum().add(hidden_parts(final)[-1].pow(2).sum()).backward()
        results.append([output, *hidden_parts(final), x.grad, *(p.grad for p in rim.parameters())])
    assert (results[1][-1 - len(list(rim.parameters()))][pads] == 0).all()
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_sequence(bidirectional, enforce_sorted):
    rim = make_rim(bidirectional=bidirectional, batch_first=True)
    lengths = torch.tensor([6, 4, 4, 1] if enforce_sorted else [1, 4, 6, 4])
    x = random(4, 6, 6)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=enforce_sorted)
    output, (h, c) = rim(packed)
    expected, (expected_h, expected_c) = rim(x, lengths=lengths)
    assert isinstance(output, PackedSequence)
    assert torch.equal(output.batch_sizes, packed.batch_sizes)
    padded, got_lengths = pad_packed_sequence(output, batch_first=True)
    assert torch.equal(got_lengths, lengths)
    assert torch.equal(padded, expected)
    assert torch.equal(h, expected_h) and torch.equal(c, expected_c)


@pytest.mark.parametrize("backend", ["naive", "hoisted"])
@pytest.mark.parametrize(
    "options", [{}, {"cell": "gru", "num_layers": 2}, {"update_every": 2, "comm_every": 3}], ids=str
)
def test_streaming_in_chunks_equals_one_run(options, backend):
    rim = make_rim(backend=backend, **options)
    x = random(11, 3, 6)
    whole, final = rim(x)
    state, outputs, start = None, [], 0
    for chunk in x.split([4, 1, 6]):
        output, state = rim(chunk, state, start_step=start)
        outputs.append(output)
        start += len(chunk)
    assert_close("output", whole, torch.cat(outputs), torch.float64)
    for part, expected in zip(hidden_parts(state), hidden_parts(final), strict=True):
        assert_close("state", expected, part, torch.float64)


def test_layer_equals_cell_step_by_step():
    rim = make_rim()
    x, state, outputs = random(5, 3, 6), None, []
    for step in x:
        state = rim.cells[0](step, state)
        outputs.append(state[0])
    assert_close("output", torch.stack(outputs), rim(x)[0], torch.float64)


def test_no_look_ahead():
    rim = make_rim(num_layers=2)
    x = random(8, 2, 6).requires_grad_()
    gradient = torch.autograd.grad(rim(x)[0][3].sum(), x)[0]
    assert (gradient[4:] == 0).all() and (gradient[:4].abs().amax((1, 2)) > 0).all()


def test_bidirectional_is_two_layers_of_opposite_direction():
    rim = make_rim(bidirectional=True)
    x = random(6, 3, 6)
    output, (h, _) = rim(x)
    for direction, sequence in enumerate((x, x.flip(0))):
        one = make_rim()
        one.cells[0] = rim.cells[direction]
        expected, (expected_h, _) = one(sequence)
        expected = expected.flip(0) if direction else expected
        assert torch.equal(output[..., 20 * direction : 20 * (direction + 1)], expected)
        assert torch.equal(h[direction], expected_h[0])


def test_activity_of_layers_and_directions():
    rim = make_rim(num_layers=2, bidirectional=True, layer_input="units", num_input_heads=2)
    _, _, activity = rim(random(7, 3, 6), return_activity=True)
    assert [mask.shape for mask in activity.active_mask] == [(7, 3, 5)] * 4
    assert all((mask.sum(-1) == 3).all() for mask in activity.active_mask)
    assert [weights.shape for weights in activity.input_attention] == [(7, 3, 2, 5, 2)] * 2 + [(7, 3, 2, 5, 11)] * 2
    assert [weights.shape for weights in activity.comm_attention] == [(7, 3, 4, 5, 5)] * 4


def test_backward_activity_is_in_the_order_of_the_input():
    rim = make_rim(bidirectional=True)
    x, lengths = random(6, 2, 6), torch.tensor([6, 4])
    _, _, activity = rim(x, lengths=lengths, return_activity=True)
    one = make_rim()
    one.cells[0] = rim.cells[1]
    _, _, alone = one(x[:4, 1:].flip(0), return_activity=True)
    assert torch.equal(activity.active_mask[1][:4, 1:], alone.active_mask[0].flip(0))


def test_upper_layer_sees_active_units_only():
    x = random(5, 3, 6)
    inputs = {}
    for use_inactive in (False, True):
        rim = make_rim(num_layers=2, use_inactive=use_inactive)
        lower = make_rim()
        lower.cells[0] = rim.cells[0]
        y, _, activity = lower(x, return_activity=True)
        kept = activity.active_mask[0].repeat_interleave(4, -1) if not use_inactive else torch.ones_like(y)
        upper = RIM(20, 20, dtype=torch.float64, **SMALL).eval()
        upper.cells[0] = rim.cells[1]
        inputs[use_inactive] = rim(x)[0]
        assert_close("output", upper(y * kept)[0], inputs[use_inactive], torch.float64)
    assert not torch.equal(inputs[False], inputs[True])


def test_block_layer_grad_stops_gradient_into_inactive_units():
    x = random(1, 1, 6)
    for blocked in (False, True):
        rim = make_rim(num_layers=2, use_inactive=True, block_layer_grad=blocked)
        h, c = (part.requires_grad_() for part in random_hidden(rim, 1))
        output, _, activity = rim(x, (h, c), return_activity=True)
        gradient = torch.autograd.grad(output.sum(), h)[0][0, 0].unflatten(0, (5, 4))
        assert (gradient[~activity.active_mask[0][0, 0]].abs().max() == 0) == blocked


def test_set_input():
    rim = make_rim()
    x = random(4, 2, 3, 6)
    shuffled = rim(x[:, :, [2, 0, 1]])[0]
    assert_close("output", rim(x)[0], shuffled, torch.float64)
    assert torch.equal(rim(x[:, :, :1])[0], rim(x[:, :, 0])[0])


def test_batch_first_and_single_step():
    rim, first = make_rim(), make_rim(batch_first=True)
    x = random(4, 3, 6)
    assert torch.equal(rim(x)[0].transpose(0, 1), first(x.transpose(0, 1))[0])
    assert rim(x[:1])[0].shape == (1, 3, 20)


def test_states_have_the_shapes_of_nn_lstm():
    rim, lstm = make_rim(num_layers=2, bidirectional=True), torch.nn.LSTM(6, 20, 2, bidirectional=True).double()
    x = random(4, 3, 6)
    (output, (h, c)), (expected, (expected_h, expected_c)) = rim(x), lstm(x)
    assert (output.shape, h.shape, c.shape) == (expected.shape, expected_h.shape, expected_c.shape)
    gru = make_rim(cell="gru", num_layers=2, bidirectional=True)
    assert gru(x)[1].shape == (4, 3, 20)


def test_learned_initial_state():
    rim = make_rim(learn_initial_state=True)
    x = random(4, 3, 6)
    assert torch.equal(rim(x)[0], make_rim()(x)[0])
    rim(x)[0].sum().backward()
    assert rim.initial_state.grad.abs().sum() > 0
    assert "initial_state" not in dict(make_rim().named_parameters())


def test_update_every_freezes_between():
    _, _, activity = make_rim(update_every=3)(random(7, 2, 6), return_activity=True)
    assert activity.active_mask[0].any(-1).all(-1).tolist() == [True, False, False, True, False, False, True]


def test_dropout_between_layers_only():
    x = random(4, 3, 6)
    options = {"input_dropout": 0.0, "comm_dropout": 0.0, "dropout": 0.5}
    one, two = make_rim(**options).train(), make_rim(num_layers=2, **options).train()
    assert torch.equal(one(x)[0], one(x)[0])
    assert not torch.equal(two(x)[0], two(x)[0])


def test_same_seed_same_bits_and_state_dict_round_trip():
    one, other = make_rim(num_layers=2), make_rim(num_layers=2)
    x = random(4, 3, 6)
    assert torch.equal(one(x)[0], other(x)[0])
    fresh = RIM(6, 20, 2, dtype=torch.float64, **SMALL).eval()
    assert not torch.equal(one(x)[0], fresh(x)[0])
    fresh.load_state_dict(one.state_dict())
    assert torch.equal(one(x)[0], fresh(x)[0])


def test_batch_composition_changes_nothing():
    rim = make_rim()
    x = random(5, 4, 6)
    assert_close("output", rim(x)[0][:, 2:3], rim(x[:, 2:3])[0], torch.float64)


def test_learns_to_remember():
    """A bit shown at the first step is asked for at the last."""
    torch.manual_seed(1)
    rim = RIM(4, 24, num_units=4, num_active=2, num_input_heads=1, init="fan_in")
    head = torch.nn.Linear(24, 2)
    optimizer = torch.optim.Adam([*rim.parameters(), *head.parameters()], lr=5e-3)
    for _ in range(150):
        bit = torch.randint(2, (32,))
        x = torch.randn(8, 32, 4) * 0.1
        x[0, :, 0] = 2.0 * bit - 1
        loss = torch.nn.functional.cross_entropy(head(rim(x)[0][-1]), bit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rim: rim(torch.zeros(3, 2, 7)), "input_size=6 in its last dimension, got 7"),
        (lambda rim: rim(torch.zeros(3, 6)), "got 2 dimensions"),
        (lambda rim: rim(torch.zeros(0, 2, 6)), "at least one step, got 0"),
        (lambda rim: rim(torch.zeros(3, 2, 6), torch.zeros(1, 2, 20)), "is h and c, got one tensor"),
        (
            lambda rim: rim(torch.zeros(3, 2, 6), (torch.zeros(1, 3, 20),) * 2),
            r"h must have shape \(1, 2, 20\), got \(1, 3, 20\)",
        ),
        (
            lambda rim: rim(torch.zeros(3, 2, 6), lengths=torch.tensor([3, 4])),
            r"lengths must be in \[0, 3\], got 3 to 4",
        ),
        (
            lambda rim: rim(torch.zeros(3, 2, 6), lengths=torch.tensor([3])),
            r"lengths must have shape \(2,\), got \(1,\)",
        ),
        (
            lambda rim: rim(pack_padded_sequence(torch.zeros(3, 1, 6), torch.tensor([3])), lengths=torch.tensor([3])),
            "lengths must be None with a PackedSequence",
        ),
        (lambda rim: make_rim(bidirectional=True)(torch.zeros(3, 2, 6), start_step=1), "start_step must be 0"),
        (lambda rim: rim([[1.0]]), "input must be a tensor .* got list"),
        (lambda rim: rim(torch.zeros(3, 2, 0, 6)), "at least one element, got 0"),
        (lambda rim: rim(torch.zeros(3, 2, 6), lengths=torch.ones(2)), "lengths must be integers, got torch.float32"),
        (lambda rim: make_rim(update_every=0), "update_every must be at least 1, got 0"),
        (lambda rim: make_rim(num_layers=0), "num_layers must be at least 1, got 0"),
        (lambda rim: make_rim(dropout=1.5), r"dropout must be in \[0, 1\), got 1.5"),
        (lambda rim: make_rim(layer_input="sum"), "layer_input must be one of concat, units, got 'sum'"),
        (lambda rim: make_rim(backend="magic"), "unknown RIM backend 'magic'; expected auto or one of naive, hoisted"),
    ],
)  # fmt: skip
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_rim())


def test_environment_chooses_the_backend(monkeypatch):
    rim = make_rim()
    monkeypatch.setenv("RIMS_NLP_BACKEND", "nonsense")
    with pytest.raises(ValueError, match="unknown RIM backend 'nonsense'"):
        rim(random(2, 1, 6))


def test_cells_are_in_the_order_of_the_state():
    """A change of one cell shows in its own final state first, and in no state before it."""
    x = random(4, 3, 6)
    for changed in range(4):
        rim, other = make_rim(num_layers=2, bidirectional=True), make_rim(num_layers=2, bidirectional=True)
        torch.nn.init.zeros_(other.cells[changed].weight_hh)
        same = [torch.equal(one, two) for one, two in zip(rim(x)[1][0], other(x)[1][0], strict=True)]
        assert same[changed] is False
        assert all(same[: 2 * (changed // 2)]) and same[changed ^ 1] is True


def test_state_keeps_the_precision_of_the_parameters():
    rim = make_rim()
    output, (h, _) = rim(random(2, 3, 6), (torch.zeros(1, 3, 20), torch.zeros(1, 3, 20)))
    assert output.dtype == h.dtype == torch.float64

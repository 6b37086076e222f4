"""Recording activity, measuring specialisation, and running without a unit."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from rims_nlp import RIM, RIMCore
from rims_nlp.analysis import (
    active_share,
    find_rims,
    load_balance,
    mutual_information,
    overlap,
    position_buckets,
    record,
    share_by_label,
    token_classes,
    without_unit,
)
from rims_nlp.analysis.labels import CLASSES
from rims_nlp.ops.rim import naive
from rims_nlp.testing import assert_close

SMALL = {"num_units": 5, "num_active": 3, "init": "fan_in", "input_key_size": 8, "comm_key_size": 5}
SMALL |= {"input_dropout": 0.0, "comm_dropout": 0.0}
LENGTHS = torch.tensor([7, 1, 4])


def make_rim(**options):
    torch.manual_seed(0)
    return RIM(6, 20, dtype=torch.float64, **(SMALL | options))


def random(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


class Model(nn.Module):
    """An encoder and a decoder, the encoder's core in two places."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        options = {"backend": "naive", "dtype": torch.float64, **SMALL}
        self.encoder, self.decoder = RIMCore(6, 20, 2, bidirectional=True, **options), RIMCore(6, 20, **options)
        self.again = self.encoder

    def forward(self, x, lengths):
        return self.decoder(self.encoder(x, lengths=lengths)[0][..., :6])


# Recording


@pytest.mark.parametrize("backend", ["naive", "hoisted", "cpu"])
def test_recording_changes_no_bit_of_outputs_and_gradients(backend):
    rim = make_rim(backend=backend, num_layers=2, bidirectional=True, input_dropout=0.2)

    def run():
        x = random(7, 3, 6).requires_grad_()
        torch.manual_seed(3)
        output, (h_n, c_n) = rim(x, lengths=LENGTHS)
        output.square().sum().backward()
        gradients = [x.grad, *(parameter.grad for parameter in rim.parameters())]
        rim.zero_grad()
        with torch.no_grad():
            return [output, h_n, c_n, *gradients, rim(x, lengths=LENGTHS)[0]]

    expected = run()
    with record(rim) as recording:
        found = run()
    assert len(recording[""].calls) == 2
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    assert "_run_layers" not in vars(rim)


@pytest.mark.parametrize("backend", ["naive", "cpu"])
def test_each_sequence_is_recorded_as_it_is_alone(backend):
    rim = make_rim(backend=backend, num_layers=2, bidirectional=True).eval()
    x = random(7, 3, 6)
    with torch.no_grad(), record(rim) as recording:
        rim(x, lengths=LENGTHS)
    shapes = {"active_mask": (5,), "input_attention": (4, 5, 2), "comm_attention": (4, 5, 5)}
    for layer in range(2):
        for direction in range(2):
            for what, shape in shapes.items():
                found = recording[""].sequences(layer=layer, direction=direction, what=what)
                assert [array.shape for array in found] == [(length, *shape) for length in LENGTHS]
                for b, length in enumerate(LENGTHS.tolist()):
                    with torch.no_grad():
                        _, _, activity = rim(x[:length, b : b + 1], return_activity=True)
                    alone = getattr(activity, what)[layer * 2 + direction][:, 0].numpy()
                    np.testing.assert_allclose(found[b], alone, atol=1e-12)


def test_backends_record_the_same():
    recorded = []
    for backend in ("naive", "cpu"):
        rim = make_rim(backend=backend, num_layers=2, bidirectional=True).eval()
        with torch.no_grad(), record(rim) as recording:
            rim(random(7, 3, 6), lengths=LENGTHS)
        recorded.append(recording[""].calls[0].parts)
    for expected, found in zip(*recorded, strict=True):
        assert torch.equal(expected.active_mask, found.active_mask)
        assert_close("input_attention", expected.input_attention, found.input_attention, torch.float64)
        assert_close("comm_attention", expected.comm_attention, found.comm_attention, torch.float64)


@pytest.mark.parametrize("options", [{"batch_first": True}, {"update_every": 2}, {"num_active": 5}], ids=str)
def test_the_recorded_mask_is_the_layers_own(options):
    rim = make_rim(**options).eval()
    x = random(3, 3, 6)
    with torch.no_grad(), record(rim) as recording:
        _, _, activity = rim(x, lengths=torch.tensor([3, 2, 3]), return_activity=True)
    for b, (length, found) in enumerate(zip([3, 2, 3], recording[""].sequences(), strict=True)):
        assert (found == activity.active_mask[0][:length, b].numpy()).all()


def test_single_steps_and_blocks_of_a_stream_are_joined():
    core = RIMCore(6, 20, dtype=torch.float64, **SMALL).eval()
    x = random(6, 2, 6)
    with torch.no_grad():
        with record(core) as recording:
            core(x)
        whole = recording["rim"].sequences()
        with record(core) as recording:
            state, prepared = None, core.prepare()
            for step in x:
                _, state = core(step.unsqueeze(0), state, prepared=prepared)
        assert len(recording["rim"].sequences()) == 12
        for expected, found in zip(whole, recording["rim"].streams(), strict=True):
            assert (expected == found).all()
        with record(core) as recording:
            core(x)
            core(x[:, :1])
        with pytest.raises(ValueError, match="calls of 1 and 2 sequences cannot be joined: decode the result in one"):
            recording["rim"].streams()


def test_modules_are_found_by_name_and_lengths_can_be_told():
    model = Model().eval()
    assert list(find_rims(model)) == ["encoder.rim", "decoder.rim"]
    with torch.no_grad(), record(model) as recording:
        model(random(7, 3, 6), LENGTHS)
    encoder, decoder = recording.values()
    assert (encoder.num_layers, encoder.num_directions, encoder.num_units) == (2, 2, 5)
    assert [len(row) for row in encoder.sequences()] == [7, 1, 4]
    assert [len(row) for row in decoder.sequences()] == [7, 7, 7]
    assert [len(row) for row in decoder.sequences(lengths=[5, 6, 0])] == [5, 6, 0]


def test_recording_errors():
    with pytest.raises(ValueError, match="Linear has no RIM layers"), record(nn.Linear(1, 1)):
        pass
    rim = make_rim(communication=False)
    with record(rim) as recording:
        rim(random(4, 2, 6))
    activity = recording[""]
    assert activity.sequences()[0].shape == (4, 5)
    for arguments, message in [
        ({"what": "input_attention"}, "input_attention was not recorded: run the model under torch.no_grad"),
        ({"what": "attention"}, "what must be one of active_mask, input_attention, comm_attention, got 'attention'"),
        ({"layer": 1}, r"layer must be in \[0, 0\], got 1"),
        ({"direction": -1}, r"direction must be in \[0, 0\], got -1"),
        ({"lengths": [4]}, "an entry for each of 2 sequences, got 1"),
        ({"lengths": [4, 5]}, r"in \[0, 4\] for a sequence of 4 steps, got 5"),
    ]:
        with pytest.raises(ValueError, match=message):
            activity.sequences(**arguments)


# Measures

ACTIVE = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0], [1, 0, 0]], dtype=bool)


def test_shares_and_balance_by_hand():
    assert active_share(ACTIVE).tolist() == [1, 0.5, 0]
    balance = load_balance(ACTIVE)
    thirds = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)) / math.log(3)
    assert balance.entropy == pytest.approx(thirds)
    assert balance.variation == pytest.approx(math.sqrt(1 / 6) / 0.5)
    even = load_balance(np.eye(4, dtype=bool))
    assert (even.entropy, even.variation) == (pytest.approx(1), 0)
    assert load_balance(ACTIVE[:, :1]).entropy == 1
    assert load_balance(ACTIVE[:, [0, 2]]).entropy == 0


def test_a_unit_active_exactly_on_digits_tells_all_about_them():
    labels = np.array([0, 1] * 30 + [0] * 60)
    active = np.stack([labels == 1, labels == 0, np.ones_like(labels, dtype=bool)], axis=1)
    information = mutual_information(active, labels)
    entropy = -(0.25 * math.log2(0.25) + 0.75 * math.log2(0.75))
    assert information.label_entropy == pytest.approx(entropy)
    assert information.bits.tolist() == pytest.approx([entropy, entropy, 0])
    assert 0 < information.chance[0] < information.chance_high[0] < 0.05 * entropy
    assert information.chance[2] == information.chance_high[2] == 0


def test_information_by_hand():
    """Active on half the steps of label 0 and on a quarter of those of label 1."""
    labels = np.repeat([0, 1], 4)
    active = np.array([1, 1, 0, 0, 1, 0, 0, 0], dtype=bool)[:, None]

    def binary(p):
        return -(p * math.log2(p) + (1 - p) * math.log2(1 - p))

    found = mutual_information(active, labels).bits[0]
    assert found == pytest.approx(binary(3 / 8) - (binary(1 / 2) + binary(1 / 4)) / 2)


def test_chance_is_repeatable_and_what_activity_without_meaning_gets():
    random_steps = np.random.default_rng(5)
    active, labels = random_steps.random((300, 4)) < 0.5, random_steps.integers(0, 6, 300)
    first, second, other = (mutual_information(active, labels, seed=seed) for seed in (1, 1, 2))
    assert (first.chance == second.chance).all() and (first.chance != other.chance).any()
    # For T steps and C labels about (C - 1) / (2 T ln 2) bits (Miller, 1955).
    assert first.chance.mean() == pytest.approx(5 / (600 * math.log(2)), rel=0.15)
    assert (first.bits < 2 * first.chance_high).all()


def test_share_by_label_by_hand():
    shares = share_by_label(ACTIVE, np.array([0, 2, 0, 2]), 3)
    assert shares[[0, 2]].tolist() == [[1, 1, 0], [1, 0, 0]]
    assert np.isnan(shares[1]).all()


def test_overlap_by_hand():
    """Shares 1, 1/2, 0 (even: 1/2) and 0, 1, 1/2 of the steps."""
    found = overlap(ACTIVE, np.roll(ACTIVE, 1, axis=1)[:2])
    assert (found.both, found.only_first, found.only_second) == ([1], [0], [2])
    assert found.jaccard == pytest.approx(1 / 3)
    assert found.weighted == pytest.approx(0.5 / 2.5)
    same = overlap(ACTIVE, ACTIVE)
    assert (same.jaccard, same.weighted, same.only_first) == (1, 1, [])
    everyone = overlap(np.ones((3, 7), dtype=bool), np.eye(7, dtype=bool))
    assert everyone.jaccard == 1 and everyone.weighted == pytest.approx(1 / 7)


def test_measures_refuse_what_does_not_fit():
    labels, silent = np.zeros(4, dtype=int), np.zeros((4, 3), dtype=bool)
    for call, message in [
        (lambda: active_share(np.zeros((0, 3), dtype=bool)), r"at least one step, got bool of shape \(0, 3\)"),
        (lambda: active_share(ACTIVE.astype(float)), r"\(T, K\) bool .* got float64"),
        (lambda: load_balance(silent), "no unit is active at any of 4 steps"),
        (lambda: mutual_information(ACTIVE, labels[:3]), r"labels must be 4 integers, got int64 of shape \(3,\)"),
        (lambda: mutual_information(ACTIVE, labels * 0.5), "labels must be 4 integers, got float64"),
        (lambda: mutual_information(ACTIVE, labels - 1), "got -1 to -1"),
        (lambda: mutual_information(ACTIVE, labels, permutations=0), "permutations must be at least 1, got 0"),
        (lambda: share_by_label(ACTIVE, labels + 3, 3), r"labels must be in \[0, 2\], got 3 to 3"),
        (lambda: overlap(ACTIVE, ACTIVE[:, :2]), "as many units, got 3 and 2"),
        (lambda: overlap(ACTIVE, silent), "no unit is active at any of 4 steps"),
        (lambda: position_buckets(3, 0), "buckets must be at least 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()


def test_labels_of_steps():
    tokens = ["\u2581the", "\u2581cat", "s", "\u25811", "2.5", ",", "\u2581", "e2", "</s>"]
    classes = token_classes(tokens, frequent={"\u2581the", "s"}, ends={"</s>"})
    expected = ["frequent", "other", "frequent", "digits", "digits", "punctuation", "punctuation", "other"]
    assert [CLASSES[index] for index in classes] == [*expected, "end of sentence"]
    assert position_buckets(7, 3).tolist() == [0, 0, 0, 1, 1, 2, 2]
    assert position_buckets(2, 5).tolist() == [0, 2]
    assert position_buckets(0, 5).tolist() == []


# Running without a unit


@pytest.mark.parametrize(("num_active", "unit"), [(3, 0), (3, 3), (3, 4), (5, 3)])
@pytest.mark.parametrize("options", [{}, {"cell": "gru", "variant": "paper"}, {"input_positions": 2}], ids=str)
def test_without_a_unit_equals_a_recurrence_that_never_lets_it_win_or_be_read(monkeypatch, options, unit, num_active):
    """The independent form: all K units run, but scores and communication leave the unit out."""
    rim = make_rim(**options, num_active=num_active, backend="naive").eval()
    x = random(7, 3, 6)
    state = tuple(random(1, 3, 20, seed=seed) for seed in range(2, 2 + rim.options.num_states))
    hidden = state if len(state) == 2 else state[0]
    if num_active == 5:
        silenced = make_rim(**options, num_active=4, backend="naive").eval()  # as many as are left compete
        silenced.load_state_dict(rim.state_dict())
    else:
        silenced = rim
    with torch.no_grad():
        with without_unit(rim, "", unit):
            output, final, activity = rim(x, hidden, lengths=LENGTHS, return_activity=True)
        compete, attend = naive.compete, naive.attend_to_units

        def compete_without(scores, count):
            scores = scores.clone()
            scores[:, :, unit] = -math.inf
            return compete(scores, count)

        def attend_without(query, key, options):
            attention = attend(query, key, options)
            attention[..., unit] = 0
            return attention / attention.sum(-1, keepdim=True)

        monkeypatch.setattr(naive, "compete", compete_without)
        monkeypatch.setattr(naive, "attend_to_units", attend_without)
        expected, expected_final, expected_activity = silenced(x, hidden, lengths=LENGTHS, return_activity=True)
    others = [k for k in range(5) if k != unit]
    output, expected = (part.unflatten(-1, (5, 4)) for part in (output, expected))
    assert_close("output", expected[:, :, others], output[:, :, others], torch.float64)
    assert (output[:, :, unit] == 0).all()
    assert torch.equal(activity.active_mask[0], expected_activity.active_mask[0])
    assert not activity.active_mask[0][:, :, unit].any()
    assert (activity.active_mask[0].sum(-1) == min(num_active, 4) * (torch.arange(7)[:, None] < LENGTHS)).all()
    reads = activity.input_attention[0]
    assert_close("reads", expected_activity.input_attention[0][:, :, :, others], reads[:, :, :, others], torch.float64)
    assert (reads[:, :, :, unit, 0] == 1).all() and (reads[:, :, :, unit, 1:] == 0).all()
    assert (activity.comm_attention[0][..., unit] == 0).all()
    finals, expected_finals = ((part,) if isinstance(part, torch.Tensor) else part for part in (final, expected_final))
    for start, part, other in zip(state, finals, expected_finals, strict=True):
        assert_close("final state", other, part, torch.float64)
        assert torch.equal(part.unflatten(-1, (5, 4))[:, :, unit], start.unflatten(-1, (5, 4))[:, :, unit])


CONFIGURATIONS = [
    {"num_layers": 2, "bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "layer_input": "units", "use_inactive": True},
    {"num_layers": 2, "bidirectional": True, "competition": False, "comm_top_k": 5},
]


@pytest.mark.parametrize("backend", ["naive", "hoisted", "cpu"])
@pytest.mark.parametrize("options", CONFIGURATIONS, ids=str)
@pytest.mark.parametrize(("layer", "direction"), [(0, 1), (1, 0)])
def test_nothing_of_the_unit_has_an_influence(options, backend, layer, direction):
    rim = make_rim(backend=backend, **options).eval()
    x = random(7, 3, 6)

    def run():
        with torch.no_grad(), without_unit(rim, "", 2, layer=layer, direction=direction):
            output, (h, c) = rim(x, lengths=LENGTHS)
        return output, h, c

    intact, expected = rim(x, lengths=LENGTHS)[0], run()
    assert not torch.equal(intact, expected[0])
    with torch.no_grad():
        for name, weight in rim.cells[2 * layer + direction].named_parameters():
            if weight.shape[0] == 5 and not name.startswith(("input_key", "input_value")):
                weight[2] = math.nan
    assert all(torch.equal(a, b) for a, b in zip(expected, run(), strict=True))


@pytest.mark.parametrize("backend", ["naive", "cpu"])
def test_single_steps_without_a_unit_equal_the_whole(backend):
    """With weights prepared once for all steps, which the compiled backend uses."""
    torch.manual_seed(0)
    core = RIMCore(6, 20, dtype=torch.float64, backend=backend, **SMALL).eval()
    x = random(6, 2, 6)
    with torch.no_grad(), without_unit(core, "rim", 1):
        whole, _ = core(x)
        prepared, state, outputs = core.prepare(), None, []
        for step in x:
            output, state = core(step.unsqueeze(0), state, prepared=prepared)
            outputs.append(output)
    assert_close("output", whole, torch.cat(outputs), torch.float64)
    assert (whole.unflatten(-1, (5, 4))[:, :, 1] == 0).all()


def test_everything_is_as_before_afterwards():
    model = Model().eval()
    x, before = random(7, 3, 6), {name: value.clone() for name, value in model.state_dict().items()}
    numbers = torch.random.get_rng_state()
    with torch.no_grad():
        intact = model(x, LENGTHS)
        with pytest.raises(RuntimeError, match="stop"), without_unit(model, "encoder.rim", 0, layer=1):
            assert not torch.equal(model(x, LENGTHS)[0], intact[0])
            raise RuntimeError("stop")
        again = model(x, LENGTHS)
    assert torch.equal(intact[0], again[0])
    assert torch.equal(numbers, torch.random.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not {"run", "prepare"} & set(vars(model.encoder.rim.cells[2]))


def test_a_recording_shows_the_unit_that_is_left_out():
    rim = make_rim().eval()
    with torch.no_grad(), without_unit(rim, "", 3), record(rim) as recording:
        rim(random(7, 3, 6))
    assert not any(row[:, 3].any() for row in recording[""].sequences())
    assert all((row.sum(1) == 3).all() for row in recording[""].sequences())


def test_units_that_cannot_be_left_out():
    model = Model()
    for arguments, message in [
        (("core", 0), "module must be one of 'encoder.rim', 'decoder.rim', got 'core'"),
        (("decoder.rim", 5), r"unit must be in \[0, 4\] in 'decoder.rim', got 5"),
        (("decoder.rim", -1), r"unit must be in \[0, 4\]"),
    ]:
        with pytest.raises(ValueError, match=message), without_unit(model, *arguments):
            pass
    with pytest.raises(ValueError, match="layer must be"), without_unit(model, "decoder.rim", 0, layer=1):
        pass
    with pytest.raises(ValueError, match="direction must be"), without_unit(model, "decoder.rim", 0, direction=1):
        pass
    single = RIM(6, 4, num_units=1, num_active=1)
    with pytest.raises(ValueError, match="single unit"), without_unit(single, "", 0):
        pass
    with without_unit(model, "decoder.rim", 0), pytest.raises(ValueError, match="without a unit already"):  # noqa: SIM117
        with without_unit(model, "decoder.rim", 1):
            pass

"""Cores behind one call, the bridge between them, and the attention of the decoder."""

import pytest
import torch

from rims_nlp import LSTMCore, RelationalMemoryCore, RIMCore, SequenceAttention
from rims_nlp.modules.recurrent import RecurrentCoreBridge
from rims_nlp.testing import assert_close

CORES = {
    "lstm": lambda **options: LSTMCore(5, 12, **options),
    "rim-lstm": lambda **options: RIMCore(5, 12, num_units=3, num_active=2, num_input_heads=1, **options),
    "rim-gru": lambda **options: RIMCore(5, 12, num_units=3, num_active=2, num_input_heads=1, cell="gru", **options),
    "memory": lambda **options: RelationalMemoryCore(5, 12, mem_slots=3, num_heads=2, **options),
}


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("name", CORES)
def test_padded_batch_equals_each_sequence_alone(name, bidirectional):
    torch.manual_seed(0)
    core = CORES[name](num_layers=2, bidirectional=bidirectional).eval()
    x, lengths = torch.randn(7, 3, 5), torch.tensor([3, 7, 1])
    output, state = core(x, lengths=lengths)
    assert output.shape == (7, 3, core.output_size)
    assert len(state) == len(core.state_sizes)
    for b, length in enumerate(lengths.tolist()):
        alone, alone_state = core(x[:length, b : b + 1])
        assert_close("output", alone[:, 0], output[:length, b], torch.float32)
        assert (output[length:, b] == 0).all()
        for part, expected in zip(state, alone_state, strict=True):
            assert_close("state", expected[:, 0], part[:, b], torch.float32)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", CORES)
def test_step_by_step_equals_whole(name, training):
    """In eval mode a single step may take another path, with weights prepared once."""
    torch.manual_seed(0)
    core = CORES[name](num_layers=2, **({"input_dropout": 0.0, "comm_dropout": 0.0} if name.startswith("rim") else {}))
    core.train(training)
    x = torch.randn(5, 2, 5)
    with torch.no_grad():
        whole, final = core(x)
        prepared = core.prepare()
        state, outputs = None, []
        for step in x:
            output, state = core(step.unsqueeze(0), state, prepared=prepared)
            outputs.append(output)
    assert_close("output", whole, torch.cat(outputs), torch.float32)
    for expected, part in zip(final, state, strict=True):
        assert_close("state", expected, part, torch.float32)


def test_bridge_joins_the_directions_of_each_layer():
    encoder, decoder = LSTMCore(5, 6, 2, bidirectional=True), LSTMCore(5, 8, 2)
    bridge = RecurrentCoreBridge(encoder, decoder)
    state = (torch.randn(4, 3, 6), torch.randn(4, 3, 6))
    h, c = bridge(state)
    assert h.shape == c.shape == (2, 3, 8)
    joined = torch.cat([state[1][2], state[1][3]], -1)  # memory of layer 1, both directions
    assert_close("c", torch.tanh(bridge.projections[3](joined)), c[1], torch.float32)


def test_bridge_refuses_cores_that_do_not_match():
    with pytest.raises(ValueError, match="got 1 x 2 and 2 x 2"):
        RecurrentCoreBridge(LSTMCore(5, 6), LSTMCore(5, 6, 2))


def test_attention_against_a_loop():
    torch.manual_seed(0)
    attention = SequenceAttention(4, 6, 5).double()
    query, source = torch.randn(3, 2, 4).double(), torch.randn(7, 2, 6).double()
    lengths = [7, 4]
    mask = torch.arange(7).unsqueeze(1) >= torch.tensor(lengths)
    output, weights = attention(query, source, mask)
    for t in range(3):
        for b, length in enumerate(lengths):
            scores = source[:length, b] @ (attention.project_query.weight @ query[t, b])
            expected = torch.softmax(scores, 0)
            context = expected @ source[:length, b]
            state = torch.tanh(attention.project_output.weight @ torch.cat([context, query[t, b]]))
            assert_close("weights", expected, weights[b, t, :length], torch.float64)
            assert (weights[b, t, length:] == 0).all()
            assert_close("state", state, output[t, b], torch.float64)


def test_attention_wants_as_many_queries_for_each_sentence():
    attention = SequenceAttention(4, 5, 6)
    with pytest.raises(ValueError, match="a multiple of source's 3 sentences, got 4"):
        attention(torch.randn(3, 4, 4), torch.randn(7, 3, 5))
    output, weights = attention(torch.randn(2, 0, 4), torch.randn(7, 0, 5))
    assert output.shape == (2, 0, 6) and weights.shape == (0, 2, 7)

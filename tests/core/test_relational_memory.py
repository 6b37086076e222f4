"""The relational memory: values against a second writing in NumPy, the faster rung against the plain one, the layer."""

import math

import numpy as np
import pytest
import torch
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rims_nlp import RelationalMemory, RelationalMemoryCell, RelationalMemoryCore
from rims_nlp.modules.recurrent import RecurrentCoreBridge
from rims_nlp.ops.relational_memory import hoisted, naive
from rims_nlp.testing import assert_close

FORMS = [
    {"mem_slots": 3, "head_size": 4, "num_heads": 2},
    {"mem_slots": 1, "head_size": 5, "num_heads": 1},
    {"mem_slots": 1, "head_size": 3, "num_heads": 2, "gate_style": "memory", "num_blocks": 2},
    {"mem_slots": 4, "head_size": 2, "num_heads": 3, "gate_style": "memory", "key_size": 5, "mlp_layers": 1},
    {"mem_slots": 2, "head_size": 3, "num_heads": 2, "gate_style": None, "num_blocks": 3, "key_size": 1},
    {"mem_slots": 7, "head_size": 2, "num_heads": 2, "num_blocks": 2, "mlp_layers": 4, "forget_bias": -0.5,
     "input_bias": 0.7},
]  # fmt: skip
every_form = pytest.mark.parametrize("form", FORMS, ids=str)


def random(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def shaken(module):
    """The module in float64, its biases and layer norms no longer 0 and 1."""
    module = module.double().eval()
    for seed, parameter in enumerate(module.parameters()):
        if parameter.dim() == 1:
            parameter.data += 0.3 * random(*parameter.shape, seed=seed)
    return module


def make_cell(**form):
    torch.manual_seed(0)
    return shaken(RelationalMemoryCell(5, **form))


def make_memory(**options):
    torch.manual_seed(0)
    return shaken(RelationalMemory(5, 3, 4, 2, **options))


def in_numpy(cell, x, memory):
    """One step for one sequence, row by row and head by head: x ``(input_size,)``, memory ``(S, F)``."""
    weights = {name: value.detach().numpy() for name, value in cell.named_parameters()}
    o = cell.options

    def linear(name, row):
        return weights[f"{name}.weight"] @ row + weights[f"{name}.bias"]

    def norm(name, row):
        standard = (row - row.mean()) / np.sqrt(row.var() + 1e-5)
        return standard * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    def sigmoid(value):
        return 1 / (1 + np.exp(-value))

    z = linear("input", x)
    rows = [*memory, z]
    for b in range(o.num_blocks):
        block = f"blocks.{b}"
        normed = [norm(f"{block}.qkv_norm", linear(f"{block}.qkv", row)) for row in rows]
        queries, keys = o.num_heads * o.key_size, 2 * o.num_heads * o.key_size
        read = [[] for _ in rows]
        for head in range(o.num_heads):
            part = slice(head * o.key_size, (head + 1) * o.key_size)
            query = [row[:queries][part] for row in normed]
            key = [row[queries:keys][part] for row in normed]
            value = [row[keys:][head * o.head_size : (head + 1) * o.head_size] for row in normed]
            for r in range(len(rows)):
                scores = np.exp([query[r] @ k / math.sqrt(o.key_size) for k in key])
                read[r].append(sum(w * v for w, v in zip(scores / scores.sum(), value, strict=True)))
        for r in range(len(rows)):
            row = norm(f"{block}.attention_norm", rows[r] + np.concatenate(read[r]))
            hidden = row
            for layer in range(o.mlp_layers):
                hidden = linear(f"mlp.{layer}", hidden)
                hidden = np.maximum(hidden, 0) if layer < o.mlp_layers - 1 else hidden
            rows[r] = norm(f"{block}.mlp_norm", row + hidden)
    if o.gate_style is None:
        return np.stack(rows[:-1])
    result = []
    for old, new in zip(memory, rows[:-1], strict=True):
        gates = linear("input_gates", z) + linear("memory_gates", np.tanh(old))
        size = o.slot_size if o.gate_style == "unit" else 1
        assert gates.shape == (2 * size,)
        kept = sigmoid(gates[size:] + o.forget_bias) * old
        result.append(kept + sigmoid(gates[:size] + o.input_bias) * np.tanh(new))
    return np.stack(result)


@every_form
def test_values_against_numpy(form):
    cell = make_cell(**form)
    x = random(4, 2, 5)
    shape = (cell.options.mem_slots, cell.options.slot_size)
    for b in range(2):
        expected, memory = np.eye(*shape), None
        for t in range(4):
            expected = in_numpy(cell, x[t, b].numpy(), expected)
            memory = cell(x[t, b : b + 1], memory)
            assert_close(f"step {t}", torch.from_numpy(expected), memory.view(shape), torch.float64)


@every_form
@pytest.mark.parametrize("frozen", [False, True])
def test_hoisted_equals_naive_with_every_gradient(form, frozen):
    cell = make_cell(**form)
    steps, batch = 6, 3
    valid = torch.arange(steps).unsqueeze(1) < torch.tensor([6, 0, 4]) if frozen else None
    upstream = random(steps, batch, cell.hidden_size, seed=3)
    results = []
    for rung in (naive, hoisted):
        cell.zero_grad()
        x = random(steps, batch, 5).requires_grad_()
        memory = random(batch, cell.hidden_size, seed=2).requires_grad_()
        rows = memory.unflatten(-1, (cell.options.mem_slots, -1))
        output = rung.sequence(x, rows, cell.weights(), cell.options, valid=valid).flatten(2)
        ((output * upstream).sum() + output[-1].pow(2).sum()).backward()
        grads = {name: parameter.grad.clone() for name, parameter in cell.named_parameters()}
        results.append({"output": output, "x": x.grad, "memory": memory.grad, **grads})
    expected, got = results
    for name in expected:
        assert_close(name, expected[name], got[name], torch.float64)
        assert name.endswith("bias") or got[name].abs().sum() > 0


@every_form
def test_gradcheck(form):
    torch.manual_seed(0)
    memory = shaken(RelationalMemory(3, **form))
    parameters, lengths = dict(memory.named_parameters()), torch.tensor([3, 2])

    def run(x, hx, *values):
        changed = dict(zip(parameters, values, strict=True))
        return torch.func.functional_call(memory, changed, (x, hx), {"lengths": lengths})

    leaves = [random(3, 2, 3), random(1, 2, memory.hidden_size, seed=2), *parameters.values()]
    leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(run, leaves, fast_mode=True)


def test_every_setting_matters():
    """Each option changes the result, given the same parameters where it leaves their shapes alone."""
    x = random(3, 2, 5)
    for change in ({"forget_bias": 0.0}, {"input_bias": 1.0}, {"num_heads": 3, "head_size": 2}):
        form = {"mem_slots": 2, "head_size": 3, "num_heads": 2}
        one, other = (shaken(RelationalMemory(5, **(form | options))) for options in ({}, change))
        other.load_state_dict(one.state_dict())
        assert (one(x)[0] - other(x)[0]).abs().max() > 1e-4, change


def test_parameters_of_the_blocks():
    """Attention and layer norms are each block's own, the MLP is shared: Sonnet, not its later copies."""
    cell = make_cell(mem_slots=2, head_size=3, num_heads=2, num_blocks=3, mlp_layers=4)
    assert len(cell.blocks) == 3 and len({id(block.qkv.weight) for block in cell.blocks}) == 3
    assert len(cell.mlp) == 4 and len({id(layer.weight) for layer in cell.mlp}) == 4


def test_parameter_count_of_the_language_model_of_the_paper():
    """2,500 units in one slot, four heads, an MLP of five layers: about 77.6 million with unit gates."""
    core = RelationalMemoryCore(512, 2500, mem_slots=1, num_heads=4, mlp_layers=5, device="meta")
    width = 2500
    linear = 512 * width + 3 * width**2 + 5 * width**2 + 2 * (2 * width**2) + (1 + 3 + 5 + 4) * width
    norms = 2 * (3 + 1 + 1) * width
    assert sum(parameter.numel() for parameter in core.parameters()) == linear + norms
    assert linear + norms == pytest.approx(77.6e6, rel=0.03)


@pytest.mark.parametrize(("slots", "width"), [(3, 8), (1, 4), (5, 2)])
def test_initial_memory_is_the_identity(slots, width):
    """Filled up with zeros, or cut: more slots than width leaves zero rows."""
    memory = RelationalMemory(4, slots, width, num_layers=2)
    expected = np.zeros((slots, width), dtype=np.float32)
    expected[range(min(slots, width)), range(min(slots, width))] = 1
    state = memory.initial_state(3)
    assert state.shape == (2, 3, slots * width)
    assert (state.unflatten(-1, (slots, width)).numpy() == expected).all()
    x = torch.randn(2, 3, 4)
    assert torch.equal(memory(x)[0], memory(x, state)[0])
    assert not torch.equal(memory(x)[0], memory(x, torch.zeros_like(state))[0])


def test_initial_weights():
    """As Sonnet: cut normal of deviation 1/sqrt(inputs) before the cut, biases 0."""
    torch.manual_seed(0)
    cell = RelationalMemoryCell(100, 2, 50, 4)
    for name, parameter in cell.named_parameters():
        if parameter.dim() == 2:
            deviation = parameter.shape[1] ** -0.5
            assert parameter.abs().max() <= 2 * deviation
            assert parameter.std().item() == pytest.approx(0.88 * deviation, rel=0.05), name
        else:
            assert (parameter == (1 if name.endswith("norm.weight") else 0)).all(), name


LAYERS = [
    {},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "num_blocks": 2, "gate_style": "memory"},
    {"num_layers": 2, "gate_style": None},
]
every_layer = pytest.mark.parametrize("options", LAYERS, ids=str)


@every_layer
def test_padded_batch_equals_each_sequence_alone(options):
    memory = make_memory(**options)
    x, lengths = random(9, 4, 5), torch.tensor([9, 1, 0, 5])
    hidden = random(len(memory.cells), 4, 24, seed=2)
    output, final = memory(x, hidden, lengths=lengths)
    for b, length in enumerate(lengths.tolist()):
        assert (output[length:, b] == 0).all()
        start = hidden[:, b : b + 1]
        if length == 0:
            assert torch.equal(final[:, b : b + 1], start)
            continue
        alone, alone_final = memory(x[:length, b : b + 1], start)
        assert_close("output", alone[:, 0], output[:length, b], torch.float64)
        assert_close("final memory", alone_final[:, 0], final[:, b], torch.float64)


@every_layer
@pytest.mark.parametrize("junk", [float("nan"), float("inf"), 1e30])
def test_pad_content_changes_nothing(options, junk):
    memory = make_memory(**options)
    lengths = torch.tensor([7, 2, 4])
    pads = torch.arange(7).unsqueeze(1) >= lengths
    results = []
    for content in (0.0, junk):
        x = random(7, 3, 5).masked_fill(pads.unsqueeze(-1), content).requires_grad_()
        memory.zero_grad()
        output, final = memory(x, lengths=lengths)
        (output * random(*output.shape)).sum().add(final.pow(2).sum()).backward()
        assert (x.grad[pads] == 0).all()
        results.append([output, final, x.grad, *(p.grad for p in memory.parameters())])
    for clean, dirty in zip(*results, strict=True):
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("enforce_sorted", [False, True])
def test_packed_sequence(bidirectional, enforce_sorted):
    memory = make_memory(bidirectional=bidirectional, batch_first=True)
    lengths = torch.tensor([6, 4, 4, 1] if enforce_sorted else [1, 4, 6, 4])
    x = random(4, 6, 5)
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=enforce_sorted)
    output, final = memory(packed)
    expected, expected_final = memory(x, lengths=lengths)
    assert isinstance(output, PackedSequence)
    padded, got_lengths = pad_packed_sequence(output, batch_first=True)
    assert torch.equal(got_lengths, lengths)
    assert torch.equal(padded, expected) and torch.equal(final, expected_final)


@pytest.mark.parametrize("options", [{}, {"num_layers": 2, "num_blocks": 2}], ids=str)
def test_streaming_in_chunks_equals_one_run(options):
    memory = make_memory(**options)
    x = random(11, 3, 5)
    whole, final = memory(x)
    state, outputs = None, []
    for chunk in x.split([4, 1, 6]):
        output, state = memory(chunk, state)
        outputs.append(output)
    assert_close("output", whole, torch.cat(outputs), torch.float64)
    assert_close("final memory", final, state, torch.float64)


def test_layer_equals_cell_step_by_step():
    memory = make_memory()
    x, state, outputs = random(5, 3, 5), None, []
    for step in x:
        state = memory.cells[0](step, state)
        outputs.append(state)
    assert_close("output", torch.stack(outputs), memory(x)[0], torch.float64)


def test_no_look_ahead():
    memory = make_memory(num_layers=2)
    x = random(8, 2, 5).requires_grad_()
    gradient = torch.autograd.grad(memory(x)[0][3].sum(), x)[0]
    assert (gradient[4:] == 0).all() and (gradient[:4].abs().amax((1, 2)) > 0).all()


def test_bidirectional_is_two_layers_of_opposite_direction():
    memory = make_memory(bidirectional=True)
    x = random(6, 3, 5)
    output, final = memory(x)
    for direction, sequence in enumerate((x, x.flip(0))):
        one = make_memory()
        one.cells[0] = memory.cells[direction]
        expected, expected_final = one(sequence)
        expected = expected.flip(0) if direction else expected
        assert torch.equal(output[..., 24 * direction : 24 * (direction + 1)], expected)
        assert torch.equal(final[direction], expected_final[0])


def test_the_upper_layer_reads_the_lower_one():
    memory, lower, upper = make_memory(num_layers=2), make_memory(), shaken(RelationalMemory(24, 3, 4, 2))
    lower.cells[0], upper.cells[0] = memory.cells
    x = random(4, 3, 5)
    expected, upper_final = upper(lower(x)[0])
    output, final = memory(x)
    assert torch.equal(output, expected)
    assert torch.equal(final, torch.cat([lower(x)[1], upper_final]))


def test_batch_first_and_single_step():
    memory, first = make_memory(), make_memory(batch_first=True)
    x = random(4, 3, 5)
    assert torch.equal(memory(x)[0].transpose(0, 1), first(x.transpose(0, 1))[0])
    assert memory(x[:1])[0].shape == (1, 3, 24)


def test_dropout_between_layers_only():
    x = random(4, 3, 5)
    one, two = make_memory(dropout=0.5).train(), make_memory(num_layers=2, dropout=0.5).train()
    assert torch.equal(one(x)[0], one(x)[0])
    assert not torch.equal(two(x)[0], two(x)[0])
    assert torch.equal(two.eval()(x)[0], two(x)[0])


def test_same_seed_same_bits_and_state_dict_round_trip():
    one, other = make_memory(num_layers=2), make_memory(num_layers=2)
    x = random(4, 3, 5)
    assert torch.equal(one(x)[0], other(x)[0])
    fresh = RelationalMemory(5, 3, 4, 2, 2, dtype=torch.float64)
    assert not torch.equal(one(x)[0], fresh(x)[0])
    fresh.load_state_dict(one.state_dict())
    assert torch.equal(one(x)[0], fresh(x)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast(dtype):
    """The memory keeps the precision of the parameters; products are rounded, forwards and backwards."""
    memory = make_memory(num_layers=2, num_blocks=2).float()
    x = random(6, 3, 5).float()
    results = []
    for enabled in (False, True):
        memory.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=enabled):
            output, final = memory(x.to(dtype) if enabled else x)
        assert output.dtype == final.dtype == torch.float32
        output[-1].pow(2).sum().backward()
        results.append([output, *(p.grad for p in memory.parameters())])
    assert not torch.equal(results[0][0], results[1][0])
    for exact, rounded in zip(*results, strict=True):
        assert rounded.isfinite().all()
        assert torch.nn.functional.cosine_similarity(exact.flatten(), rounded.flatten(), 0) > 0.99
    assert_close("output", results[0][0], results[1][0], torch.bfloat16)


def test_half_precision_parameters():
    memory = make_memory().bfloat16()
    output, final = memory(random(4, 3, 5).bfloat16())
    assert output.dtype == final.dtype == torch.bfloat16
    assert_close("output", memory.double()(random(4, 3, 5))[0], output.double(), torch.bfloat16)


def test_state_keeps_the_precision_of_the_parameters():
    output, final = make_memory()(random(2, 3, 5), torch.zeros(1, 3, 24))
    assert output.dtype == final.dtype == torch.float64


@pytest.mark.parametrize("gate_style", ["unit", "memory"])
def test_learns_to_remember(gate_style):
    """A bit shown at the first step is asked for at the last."""
    torch.manual_seed(1)
    memory = RelationalMemory(4, 2, 6, 2, gate_style=gate_style)
    head = torch.nn.Linear(24, 2)
    optimizer = torch.optim.Adam([*memory.parameters(), *head.parameters()], lr=5e-3)
    for _ in range(100):
        bit = torch.randint(2, (32,))
        x = torch.randn(8, 32, 4) * 0.1
        x[0, :, 0] = 2.0 * bit - 1
        loss = torch.nn.functional.cross_entropy(head(memory(x)[0][-1]), bit)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1


def test_core_has_the_memory_as_its_one_state():
    core = RelationalMemoryCore(5, 24, 2, mem_slots=3, num_heads=2, bidirectional=True)
    assert (core.output_size, core.state_sizes, core.memory.options.head_size) == (48, (24,), 4)
    x = torch.randn(4, 2, 5)
    output, state = core(x)
    assert output.shape == (4, 2, 48) and [part.shape for part in state] == [(4, 2, 24)]
    assert torch.equal(output, core(x, (core.memory.initial_state(2),))[0])
    decoder = RelationalMemoryCore(5, 12, 2, mem_slots=1, num_heads=3)
    assert [part.shape for part in RecurrentCoreBridge(core, decoder)(state)] == [(2, 2, 12)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda memory: memory(torch.zeros(3, 2, 7)), "input_size=5 in its last dimension, got 7"),
        (lambda memory: memory(torch.zeros(3, 5)), "got 2 dimensions"),
        (lambda memory: memory([[1.0]]), "input must be a tensor .* got list"),
        (lambda memory: memory(torch.zeros(0, 2, 5)), "at least one step, got 0"),
        (lambda memory: memory(torch.zeros(3, 2, 5), (torch.zeros(1, 2, 24),)), "one tensor, the memory, got tuple"),
        (lambda memory: memory(torch.zeros(3, 2, 5), torch.zeros(1, 3, 24)), r"shape \(1, 2, 24\), got \(1, 3, 24\)"),
        (lambda memory: memory(torch.zeros(3, 2, 5), lengths=torch.tensor([3, 4])), r"in \[0, 3\], got 3 to 4"),
        (
            lambda memory: memory(
                pack_padded_sequence(torch.zeros(3, 1, 5), torch.tensor([3])), lengths=torch.tensor([3])
            ),
            "lengths must be None with a PackedSequence",
        ),
        (lambda memory: memory.cells[0](torch.zeros(2, 1, 5)), r"must be \(B, input_size\), got 3 dimensions"),
        (lambda memory: memory.cells[0](torch.zeros(2, 5), torch.zeros(2, 8)), r"shape \(2, 24\), got \(2, 8\)"),
        (lambda _: make_memory(num_layers=0), "num_layers must be at least 1, got 0"),
        (lambda _: make_memory(num_blocks=0), "num_blocks must be at least 1, got 0"),
        (lambda _: make_memory(mlp_layers=0), "mlp_layers must be at least 1, got 0"),
        (lambda _: make_memory(key_size=0), "key_size must be at least 1, got 0"),
        (lambda _: make_memory(dropout=1.5), r"dropout must be in \[0, 1\), got 1.5"),
        (lambda _: make_memory(gate_style="row"), "gate_style must be 'unit', 'memory' or None, got 'row'"),
        (
            lambda _: RelationalMemoryCore(5, 20, mem_slots=4, num_heads=2),
            "multiple of mem_slots [*] num_heads, got hidden_size=20, mem_slots=4, num_heads=2",
        ),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(make_memory())


def test_unknown_option():
    with pytest.raises(TypeError, match="'slots'"):
        RelationalMemory(5, 3, 4, slots=2)

"""The language model skeleton and its families: streams, search, dropout, output layers, sizes, the stock task."""

import math

import pytest
import torch
from fairseq.models import MODEL_DATACLASS_REGISTRY

import fairseq_plugins  # noqa: F401
from fairseq_plugins import parameters
from fairseq_plugins.models.recurrent_lm import StreamState
from fairseq_plugins.models.rmc_lm import RMCLanguageModel
from rims_nlp.testing import assert_close
from tests.plugin import toy, toy_lm
from tests.plugin.toy_lm import make_model

TOKENS = torch.tensor([[2, 4, 5, 6, 7], [2, 8, 9, 2, 10], [4, 2, 2, 6, 6]])
every_model = pytest.mark.parametrize(
    ("family", "options"),
    [
        *((family, options) for family in toy_lm.FAMILIES for options in ({}, {"decoder_layers": 2})),
        ("rims", {"cell": "gru"}),
        ("rims", {"learn_initial_state": True}),
        ("rmc", {"gate_style": "memory"}),
    ],
    ids=str,
)


@every_model
def test_blocks_with_carried_state_equal_the_whole(family, options):
    model = make_model(family, **options)
    whole, _ = model(TOKENS)
    assert whole.shape == (3, 5, 11)
    stream = StreamState()
    first, second = (model(block, stream=stream)[0] for block in (TOKENS[:, :2], TOKENS[:, 2:]))
    assert_close("scores", whole, torch.cat([first, second], 1), torch.float64)
    assert stream.parts is not None and not any(part.requires_grad for part in stream.parts)
    assert not torch.allclose(model(TOKENS[:, 2:])[0], second)  # from the initial state


@every_model
def test_the_state_is_carried_and_the_gradient_is_not(family, options):
    model = make_model(family, **options)
    stream = StreamState()
    table = model.decoder.embed_tokens
    model(torch.tensor([[4, 5]]), stream=stream)
    model(torch.tensor([[6, 7]]), stream=stream)[0].sum().backward()
    assert table.weight.grad[[6, 7]].abs().sum() > 0
    assert table.weight.grad[[4, 5]].abs().sum() == 0


def test_a_state_is_moved_to_where_the_tokens_are(monkeypatch):
    """fairseq-eval-lm moves a batch to the GPU, but not what is new in it; the meta device stands in for a GPU here."""
    model = make_model("lstm").to("meta")
    monkeypatch.setattr(
        model.decoder.core, "forward", lambda x, state, prepared: (state[0][:1].expand(5, 3, 12), state)
    )
    stream = StreamState((torch.zeros(1, 3, 12), torch.zeros(1, 3, 12)))
    scores, _ = model(TOKENS.to("meta"), stream=stream)
    assert scores.is_meta and all(part.is_meta for part in stream.parts)


@every_model
@torch.no_grad()
def test_incremental_decoding_equals_the_whole(family, options):
    model = make_model(family, **options)
    whole, _ = model(TOKENS)
    state: dict = {}
    scores, _ = model.decoder(TOKENS[:, :2], incremental_state=state)  # a prefix at once
    assert_close("prefix", whole[:, :2], scores, torch.float64)
    for length in range(3, 6):
        scores, _ = model.decoder(TOKENS[:, :length], incremental_state=state)
        assert_close("scores", whole[:, length - 1 : length], scores, torch.float64)


@every_model
@torch.no_grad()
def test_reordered_search_goes_on_from_the_right_hypotheses(family, options):
    model = make_model(family, **options)
    order = torch.tensor([2, 0, 0])
    state: dict = {}
    model.decoder(TOKENS[:, :2], incremental_state=state)
    model.decoder.reorder_incremental_state_scripting(state, order)
    prefix = torch.cat([TOKENS[order, :2], torch.tensor([[5], [6], [7]])], 1)
    got, _ = model.decoder(prefix, incremental_state=state)
    assert_close("scores", model(prefix)[0][:, -1:], got, torch.float64)


@every_model
def test_no_look_ahead_and_rows_are_independent(family, options):
    model = make_model(family, **options)
    changed = TOKENS.clone()
    changed[:, 3:] = 10
    before, after = model(TOKENS)[0], model(changed)[0]
    assert torch.equal(before[:, :3], after[:, :3]) and not torch.equal(before[:, 3], after[:, 3])
    for row in range(3):
        assert_close("alone", before[row : row + 1], model(TOKENS[row : row + 1])[0], torch.float64)


@every_model
@pytest.mark.parametrize("tied", [False, True])
def test_every_parameter_learns(family, options, tied):
    options = {**options, "num_active": 6} if family == "rims" else options
    model = make_model(family, share_decoder_input_output_embed=tied, **options)
    model(TOKENS)[0].pow(2).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0] == []
    assert (model.decoder.output_projection.weight is model.decoder.embed_tokens.weight) == tied


def test_projection_only_where_the_sizes_differ():
    assert make_model().decoder.projection.weight.shape == (8, 12)
    assert make_model(decoder_hidden_size=24, decoder_embed_dim=24).decoder.projection is None


def dropped(model, stage):
    """Which entries ``(T, B, C)`` are dropped: of what the core reads, or of what it gives."""
    seen = {}
    core = model.decoder.core
    core.register_forward_hook(lambda module, inputs, output: seen.update(read=inputs[0]))
    model.decoder.projection.register_forward_hook(lambda module, inputs, output: seen.update(given=inputs[0]))
    model.train()(TOKENS.repeat(2, 8))
    return seen[stage] == 0


@pytest.mark.parametrize("stage", ["read", "given"])
@pytest.mark.parametrize("locked", [False, True])
def test_dropout_is_locked_if_asked_for(stage, locked):
    zeros = dropped(make_model("lstm", dropout=0.5, locked_dropout=locked), stage)
    assert 0.2 < zeros.double().mean() < 0.8
    assert bool((zeros == zeros[:1]).all()) == locked
    assert not (zeros == zeros[:, :1]).all()


def test_embeddings_and_outputs_have_dropout_of_their_own():
    model = make_model("lstm", dropout=0.5, embed_dropout=0.0)
    assert not dropped(model, "read").any() and dropped(model, "given").any()
    model = make_model("lstm", dropout=0.5, output_dropout=0.0)
    assert dropped(model, "read").any() and not dropped(model, "given").any()


def test_adaptive_softmax_is_a_distribution():
    model = make_model(adaptive_softmax_cutoff="5,8", adaptive_softmax_factor=2)
    features, extra = model(TOKENS)
    scores = model.get_normalized_probs((features, extra), log_probs=True)
    assert scores.shape == (3, 5, 11)
    assert_close("total", torch.ones(3, 5).double(), scores.exp().sum(-1), torch.float64)
    with pytest.raises(ValueError, match="--adaptive-softmax-cutoff needs --criterion adaptive_loss"):
        model.train().get_normalized_probs((features, extra), log_probs=True)


def test_contradicting_options():
    with pytest.raises(ValueError, match="exclude each other"):
        make_model(adaptive_softmax_cutoff="5", share_decoder_input_output_embed=True)
    for cutoff in ("5,5", "8,11", "0,5"):
        with pytest.raises(ValueError, match=f"below the 11 entries of the dictionary, got {cutoff}"):
            make_model(adaptive_softmax_cutoff=cutoff)
    with pytest.raises(ValueError, match="needs one dictionary .* got 11 and 7 entries"):
        make_model(task=toy_lm.make_task(target=toy_lm.dictionary("xyz")), share_decoder_input_output_embed=True)
    with pytest.raises(ValueError, match="got hidden_size=13, num_units=6"):
        make_model(decoder_hidden_size=13)


@pytest.mark.parametrize("family", toy_lm.FAMILIES)
def test_autocast_carries_the_state(family):
    model = make_model(family).float()
    stream = StreamState()
    with torch.autocast("cpu", torch.bfloat16):
        model(TOKENS, stream=stream)
        got, _ = model(TOKENS, stream=stream)
    exact = StreamState()
    model(TOKENS, stream=exact)
    torch.testing.assert_close(got.float(), model(TOKENS, stream=exact)[0], rtol=0, atol=0.05)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_lm.binarise(tmp_path_factory.mktemp("lm"), train=400)


MODELS = {
    **{family: ("--arch", arch) for family, arch in toy_lm.ARCHITECTURES.items()},
    "adaptive": ("--arch", "rims_lm_tiny", "--adaptive-softmax-cutoff", "8,16", "--criterion", "adaptive_loss"),
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_the_stock_task_trains_evaluates_and_generates(data, tmp_path, model):
    task = ("--task", "language_modeling", "--tokens-per-sample", "9")
    checkpoint = toy.train(data, tmp_path, *task, *model, *toy_lm.SIZE_OPTIONS, "--lr", "0.02", "--max-update", "30")
    loss = torch.load(checkpoint, weights_only=False)["extra_state"]["val_loss"]  # written by this test
    assert loss < math.log2(24)  # bits; the dictionary's 24 entries, all as likely
    common = (data, "--user-dir", toy.USER_DIR, "--path", checkpoint, "--cpu", "--gen-subset", "test")
    toy.run_fairseq("eval-lm", *common, *task, "--num-workers", "0")
    # One block of the whole text: longer than those of training, and still evaluated.
    toy.run_fairseq("eval-lm", *common, *task[:2], "--tokens-per-sample", "100000", "--num-workers", "0")
    hypotheses = toy.run_fairseq(
        "generate", *common, *task[:2], "--sample-break-mode", "eos", "--beam", "2", "--max-len-b", "12",
        "--batch-size", "4", "--num-workers", "0",
    )  # fmt: skip
    assert sum(line.startswith("H-") for line in hypotheses.splitlines()) >= 10


VOCABULARY = {"tiny": 2000, "small": 33280, "wikitext2": 33280, "wikitext103": 267744}


@pytest.mark.parametrize("size", VOCABULARY)
def test_families_have_about_the_same_parameters_at_every_size(size):
    options = ("--task", "language_modeling", "--share-decoder-input-output-embed")
    families = ("rims_lm", "stateful_lstm_lm", "rmc_lm", "lstm_lm", "transformer_lm")
    with torch.device("meta"):
        counts = [parameters.count_parameters(f"{family}_{size}", VOCABULARY[size], *options) for family in families]
    assert max(counts) / min(counts) < 1.05, counts


def test_the_model_of_the_relational_memory_paper():
    """Santoro et al. (2018): 2,500 units, four heads, a memory of one slot, five layers, words of 512 numbers."""
    with torch.device("meta"):
        model = RMCLanguageModel.build_model(
            MODEL_DATACLASS_REGISTRY["rmc_lm_wikitext103"](share_decoder_input_output_embed=True), toy_lm.make_task()
        )
    memory = model.decoder.core.memory.cells[0].options
    assert (memory.mem_slots, memory.head_size, memory.num_heads) == (1, 625, 4)
    outside = sum(part.numel() for name, part in model.named_parameters() if ".core." not in name)
    core = sum(part.numel() for part in model.parameters()) - outside
    assert core == pytest.approx(77.6e6 - 1.3e6, rel=0.01)  # the estimate, less its projection to the word's size
    assert (model.decoder.embed_dropout, model.decoder.output_dropout) == (0.5, 0.0)

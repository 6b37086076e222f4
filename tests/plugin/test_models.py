"""The skeleton and its families: shapes of the search, padding, embeddings, sizes."""

from functools import partial
from types import SimpleNamespace

import pytest
import torch
from fairseq.data import Dictionary

import fairseq_plugins  # noqa: F401
from fairseq_plugins import parameters
from fairseq_plugins.models.lstm_seq2seq import LSTMSeq2SeqModel
from fairseq_plugins.models.multilingual import MultilingualRIMSeq2SeqModel
from fairseq_plugins.models.recurrent_seq2seq import RecurrentSeq2SeqConfig
from fairseq_plugins.models.rims_seq2seq import RIMSeq2SeqConfig, RIMSeq2SeqModel
from fairseq_plugins.models.rmc_seq2seq import RMCSeq2SeqConfig, RMCSeq2SeqModel
from rims_nlp import RIM
from rims_nlp.ops.relational_memory.types import MemoryOptions
from rims_nlp.testing import assert_close
from scripts import model_sizes

FAMILIES = {
    "rims": (RIMSeq2SeqModel, RIMSeq2SeqConfig),
    "lstm": (LSTMSeq2SeqModel, RecurrentSeq2SeqConfig),
    "rmc": (RMCSeq2SeqModel, RMCSeq2SeqConfig),
}
WIDTHS = {
    "encoder_embed_dim": 8, "encoder_hidden_size": 12, "decoder_embed_dim": 8, "decoder_hidden_size": 18,
    "max_source_positions": 100, "max_target_positions": 100,
}  # fmt: skip


def dictionary(words):
    symbols = Dictionary()
    for word in words:
        symbols.add_symbol(word)
    return symbols


def make_task(**dictionaries):
    source, target = (dictionaries.get(side, dictionary("abcdefg")) for side in ("source", "target"))
    return SimpleNamespace(source_dictionary=source, target_dictionary=target)


def make_model(family="rims", task=None, **options):
    torch.manual_seed(0)
    model, config = FAMILIES[family]
    options = WIDTHS | ({"memory_slots": 3, "memory_heads": 2} if family == "rmc" else {}) | options
    return model.build_model(config(**options), task or make_task()).double().eval()


SOURCE = torch.tensor([[4, 5, 6, 7, 2], [8, 9, 2, 1, 1], [4, 2, 1, 1, 1]])
LENGTHS = torch.tensor([5, 3, 2])
TARGET = torch.tensor([[2, 4, 5, 6], [2, 7, 7, 8], [2, 9, 4, 4]])
OPTIONS = [{}, {"input_feeding": True}, {"encoder_unidirectional": True}, {"encoder_layers": 2, "decoder_layers": 2}]
every_model = pytest.mark.parametrize(
    ("family", "options"),
    [
        *((family, options) for family in FAMILIES for options in OPTIONS),
        ("rims", {"cell": "gru"}),
        ("rims", {"variant": "paper"}),
        ("rims", {"input_feeding": True, "set_input": True}),
        ("rims", {"input_feeding": True, "set_input": True, "encoder_layers": 2, "decoder_layers": 2}),
        ("rmc", {"gate_style": "memory", "memory_blocks": 2}),
    ],
    ids=str,
)


@every_model
@torch.no_grad()
def test_incremental_decoding_equals_the_whole(family, options):
    model = make_model(family, **options)
    encoded = model.encoder(SOURCE, LENGTHS)
    whole, extra = model.decoder(TARGET, encoded)
    assert whole.shape == (3, 4, 11) and extra["attn"][0].shape == (3, 4, 5)
    state: dict = {}
    for length in range(1, 5):
        scores, step = model.decoder(TARGET[:, :length], encoded, incremental_state=state)
        assert_close("scores", whole[:, length - 1 : length], scores, torch.float64)
        assert_close("attention", extra["attn"][0][:, length - 1 : length], step["attn"][0], torch.float64)


@every_model
@torch.no_grad()
def test_reordered_search_goes_on_from_the_right_hypotheses(family, options):
    model = make_model(family, **options)
    encoded = model.encoder(SOURCE, LENGTHS)
    order = torch.tensor([2, 0, 0])
    state: dict = {}
    model.decoder(TARGET[:, :1], encoded, incremental_state=state)
    model.decoder(TARGET[:, :2], encoded, incremental_state=state)
    model.decoder.reorder_incremental_state_scripting(state, order)
    reordered = model.encoder.reorder_encoder_out(encoded, order)
    prefix = torch.cat([TARGET[order, :2], torch.tensor([[5], [6], [7]])], 1)
    got, _ = model.decoder(prefix, reordered, incremental_state=state)
    expected, _ = model.decoder(prefix, model.encoder(SOURCE[order], LENGTHS[order]))
    assert_close("scores", expected[:, -1:], got, torch.float64)


@pytest.mark.parametrize("family", FAMILIES)
@torch.no_grad()
def test_hypotheses_of_a_sentence_share_its_encoding(family):
    """As fairseq's search reorders: copies for the beam, exchanges within a sentence, sentences that are finished."""
    model = make_model(family)
    encoded = model.encoder(SOURCE, LENGTHS)
    beam = encoded.reorder(torch.tensor([0, 0, 1, 1, 2, 2]))
    assert beam.output is encoded.output and beam.copies == 2
    assert beam.reorder(torch.tensor([1, 0, 2, 2, 5, 4])).output is encoded.output
    rest = beam.reorder(torch.tensor([1, 1, 5, 4]))
    assert rest.output.shape[1] == 2 and rest.copies == 2
    mixed = beam.reorder(torch.tensor([1, 2, 5, 4]))  # no search does this
    assert mixed.output.shape[1] == 4 and mixed.copies == 1
    prefix = torch.tensor([[2, 4, 5], [2, 6, 6], [2, 7, 8], [2, 9, 4]])
    for got, sentences in ((rest, [0, 0, 2, 2]), (mixed, [0, 1, 2, 2])):
        scores, extra = model.decoder(prefix, got)
        expected, expected_extra = model.decoder(prefix, model.encoder(SOURCE[sentences], LENGTHS[sentences]))
        assert_close("scores", expected, scores, torch.float64)
        assert_close("attention", expected_extra["attn"][0], extra["attn"][0], torch.float64)


@torch.no_grad()
def test_a_search_prepares_the_weights_once_and_the_next_search_anew(monkeypatch):
    model = make_model("rims")
    calls, prepare = [], RIM.prepare
    monkeypatch.setattr(RIM, "prepare", lambda rim: calls.append(rim) or prepare(rim))
    encoded = model.encoder(SOURCE, LENGTHS)
    scores = []
    for _ in range(2):
        state: dict = {}
        for length in range(1, 4):
            found, _ = model.decoder(TARGET[:, :length], encoded, incremental_state=state)
        scores.append(found)
        for parameter in model.parameters():
            parameter.data.mul_(1.1)  # as optimisers change weights, unseen by version counters
    assert calls == [model.decoder.core.rim] * 2
    assert not torch.allclose(*scores)


@every_model
def test_padding_changes_nothing(family, options):
    """Left pads, right pads, or the sentence alone."""
    model = make_model(family, **options)
    together, _ = model(SOURCE, LENGTHS, TARGET)
    left = torch.stack([torch.roll(row, int(5 - length)) for row, length in zip(SOURCE, LENGTHS, strict=True)])
    assert left[2].tolist() == [1, 1, 1, 4, 2]
    assert_close("left pads", together, model(left, LENGTHS, TARGET)[0], torch.float64)
    for b, length in enumerate(LENGTHS):
        alone, extra = model(SOURCE[b : b + 1, :length], LENGTHS[b : b + 1], TARGET[b : b + 1])
        assert_close("alone", together[b], alone[0], torch.float64)
        assert extra["attn"][0].shape[-1] == length


@every_model
def test_decoder_does_not_look_ahead(family, options):
    model = make_model(family, **options)
    changed = TARGET.clone()
    changed[:, 2:] = 10
    before, after = (model(SOURCE, LENGTHS, target)[0] for target in (TARGET, changed))
    assert torch.equal(before[:, :2], after[:, :2])
    assert not torch.equal(before[:, 2], after[:, 2])


@every_model
def test_every_parameter_learns(family, options):
    model = make_model(family, num_active=6, **options) if family == "rims" else make_model(family, **options)
    model(SOURCE, LENGTHS, TARGET)[0].pow(2).sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().sum() == 0]
    assert without == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("family", FAMILIES)
def test_weights_in_half_precision(family, dtype):
    """As --fp16 has them: it is no autocast."""
    model = make_model(family)
    expected = model(SOURCE, LENGTHS, TARGET)[0]
    found = model.to(dtype)(SOURCE, LENGTHS, TARGET)[0]
    assert found.dtype == dtype
    torch.testing.assert_close(found.double(), expected, rtol=0.05, atol=0.05)
    found.float().pow(2).sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in model.parameters() if p.grad is not None)
    assert sum(float(p.grad.float().abs().sum()) > 0 for p in model.parameters() if p.grad is not None) > 10


@pytest.mark.parametrize("family", FAMILIES)
def test_embedding_sharing(family):
    own, tied, shared = (
        make_model(family, **options)
        for options in ({}, {"share_decoder_input_output_embed": True}, {"share_all_embeddings": True})
    )
    tables = [
        {id(module.weight) for module in (m.encoder.embed_tokens, m.decoder.embed_tokens, m.decoder.output_projection)}
        for m in (own, tied, shared)
    ]
    assert [len(table) for table in tables] == [3, 2, 1]


def test_contradicting_options():
    with pytest.raises(ValueError, match="--encoder-layers and --decoder-layers must be equal.*got 2 and 1"):
        make_model(encoder_layers=2)
    with pytest.raises(ValueError, match="--share-all-embeddings needs --encoder-embed-dim equal .* got 8 and 10"):
        make_model(decoder_embed_dim=10, share_all_embeddings=True)
    with pytest.raises(ValueError, match="--share-all-embeddings needs one dictionary .* 11 source and 7 target"):
        make_model(task=make_task(target=dictionary("xyz")), share_all_embeddings=True)
    with pytest.raises(ValueError, match="got hidden_size=13, num_units=6"):
        make_model(encoder_hidden_size=13)
    with pytest.raises(ValueError, match="got hidden_size=13, mem_slots=3, num_heads=2"):
        make_model("rmc", encoder_hidden_size=13)
    with pytest.raises(ValueError, match="--set-input needs --input-feeding"):
        make_model(set_input=True)
    with pytest.raises(ValueError, match="--locked-dropout .* --input-feeding .* give only one of them"):
        make_model(locked_dropout=True, input_feeding=True)


@torch.no_grad()
def test_units_choose_between_word_and_attentional_state():
    """Two elements with keys of their own, beside the null; without attention to the second, it has no influence."""
    model = make_model(input_feeding=True, set_input=True, num_active=5)
    cell = model.decoder.core.rim.cells[0]
    assert cell.input_size == WIDTHS["decoder_embed_dim"] and cell.input_key.shape[0] == 2
    encoded = model.encoder(SOURCE, LENGTHS)
    step, feed, other = torch.randn(3, 3, cell.input_size, dtype=torch.float64).unbind(0)
    state = model.decoder.bridge(encoded.initial_state())
    run = partial(model.decoder._run_with_feeding, step.unsqueeze(0), encoded, state, prepared=None)
    assert (run(feed=feed)[0] - run(feed=other)[0]).abs().max() > 1e-6
    cell.input_key[1].zero_()
    cell.input_value[1].zero_()
    assert torch.equal(run(feed=feed)[0], run(feed=other)[0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("locked", [False, True])
@torch.no_grad()
def test_dropout_is_locked_if_asked_for(family, locked):
    """The same features at all steps of a sentence, others in each: embeddings, outputs and attentional states."""
    all_active = {"num_active": 6} if family == "rims" else {}  # an inactive unit gives zeros
    model = make_model(family, dropout=0.4, locked_dropout=locked, **all_active)
    read, given = [], []
    for core in (model.encoder.core, model.decoder.core):
        core.register_forward_hook(lambda module, inputs, output: read.append(inputs[0]))
    model.decoder.attention.register_forward_hook(lambda module, inputs, output: given.append(inputs[0]))
    encoded = model.train().encoder(SOURCE[:2, :2], LENGTHS[:2].clamp(max=2))
    features, _ = model.decoder.extract_features(TARGET[:2], encoded)
    for dropped in (*read, encoded.output, *given, features.transpose(0, 1)):
        zeros = dropped == 0
        assert 0 < zeros.double().mean() < 0.8
        assert bool((zeros == zeros[:1]).all()) == locked
        assert not (zeros[:, 0] == zeros[:, 1]).all()


def test_options_reach_the_core():
    model = make_model(
        num_active=2, no_competition=True, no_communication=True, open_inactive_grad=True, rim_init="reference"
    )
    for rim in (model.encoder.core.rim, model.decoder.core.rim):
        options = rim.options
        assert (options.num_active, options.competition, options.communication) == (2, False, False)
        assert (options.block_inactive_grad, options.init, options.num_input_heads) == (False, "reference", 1)
    assert make_model().encoder.core.rim.options.init == "fan_in"


def test_options_reach_the_memory():
    model = make_model("rmc", memory_key_size=5, memory_blocks=2, memory_mlp_layers=3, gate_style="none",
                       forget_bias=2.0, input_bias=0.5)  # fmt: skip
    for core, head_size in ((model.encoder.core, 2), (model.decoder.core, 3)):
        assert core.memory.options == MemoryOptions(
            mem_slots=3, num_heads=2, head_size=head_size, key_size=5, num_blocks=2, mlp_layers=3, gate_style=None,
            forget_bias=2.0, input_bias=0.5,
        )  # fmt: skip


@pytest.mark.parametrize("unidirectional", [False, True])
def test_initial_state_is_learned_by_the_encoder(unidirectional):
    """The decoder starts from the encoder's state."""
    model = make_model(learn_initial_state=True, encoder_unidirectional=unidirectional)
    assert model.encoder.core.rim.initial_state is not None
    assert model.decoder.core.rim.initial_state is None


def make_multi_task(**dicts):
    dicts = {language: dictionary("abcdefg") for language in ("en", "de", "fr")} | dicts
    return SimpleNamespace(dicts=dicts, model_lang_pairs=["en-de", "en-fr"], langs=list(dicts))


def test_multilingual_shares_the_encoder_and_separates_the_decoders():
    config = RIMSeq2SeqConfig(**WIDTHS)
    model = MultilingualRIMSeq2SeqModel.build_model(config, make_multi_task())
    german, french = model.models["en-de"], model.models["en-fr"]
    assert german.encoder is french.encoder
    shared = {id(p) for p in german.decoder.parameters()} & {id(p) for p in french.decoder.parameters()}
    assert shared == set()
    one = MultilingualRIMSeq2SeqModel.build_model(
        RIMSeq2SeqConfig(**WIDTHS, share_all_embeddings=True), make_multi_task()
    )
    tables = {id(one.models[pair].decoder.output_projection.weight) for pair in one.keys}
    assert tables == {id(one.models["en-de"].encoder.embed_tokens.weight)}


def test_multilingual_checkpoint_serves_one_of_its_pairs():
    config, task = RIMSeq2SeqConfig(**WIDTHS), make_multi_task()
    both = MultilingualRIMSeq2SeqModel.build_model(config, task)
    task.model_lang_pairs = ["en-fr"]
    one = MultilingualRIMSeq2SeqModel.build_model(config, task)
    one.load_state_dict(both.state_dict())
    expected = both.eval().models["en-fr"](SOURCE, LENGTHS, TARGET)[0]
    assert torch.equal(one.eval().models["en-fr"](SOURCE, LENGTHS, TARGET)[0], expected)


def test_multilingual_dictionaries_that_differ_are_named():
    task = make_multi_task(fr=dictionary("xyz"))
    with pytest.raises(ValueError, match="dict.de.txt differs from dict.fr.txt"):
        MultilingualRIMSeq2SeqModel.build_model(RIMSeq2SeqConfig(**WIDTHS, share_all_embeddings=True), task)


def test_recurrent_families_have_the_same_parameters_at_every_size(capsys):
    assert model_sizes.main([]) == 0
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[0] for row in rows] == list(parameters.VOCABULARY)
    for row in rows:
        rims, *rivals = (int(cell.replace(",", "")) for cell in row[2:5])
        for rival, ratio in zip(rivals, row[-2:], strict=True):
            assert 0.95 <= float(ratio) <= 1.05, row
            assert rims / rival == pytest.approx(float(ratio), abs=1e-3)
    *_, (size, _, *cells) = rows  # of configs/table8_wmt14.yaml
    counts = [int(cell.replace(",", "")) for cell in cells[:5] if cell.strip()]
    assert size == "wmt_en_de" and len(counts) == 4 and max(counts) / min(counts) < 1.01


def test_vocabulary_too_small():
    with pytest.raises(ValueError, match="vocabulary must be at least 4, got 3"):
        parameters.count_parameters("lstm_seq2seq_tiny", 3)

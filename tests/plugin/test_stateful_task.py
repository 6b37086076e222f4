"""The task `stateful_language_modeling`: which tokens are read and predicted, and that the state is carried exactly."""

import io
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.criterions.cross_entropy import CrossEntropyCriterion
from fairseq.trainer import Trainer
from fairseq_cli import validate

import fairseq_plugins  # noqa: F401
from fairseq_plugins.tasks.stateful_language_modeling import StatefulLanguageModelingTask, streams_of_batch
from fairseq_plugins.tasks.stream_states import StreamStates
from fairseq_plugins.tasks.token_streams import StreamBlocks, TokenStream
from tests.plugin import toy, toy_lm
from tests.plugin.test_data_parallel import load, train_two_processes

PAD = 1


class Lines(list):
    """Lines as fairseq's binarised data gives them."""

    @property
    def sizes(self):
        return np.array([len(line) for line in self])


def make_lines(tokens: int) -> Lines:
    """Tokens 10, 11, 12 ... in lines of three."""
    return Lines(torch.arange(10, 10 + tokens).split(3)) if tokens else Lines()


def make_blocks(tokens=50, *, rows=3, groups=1, num_shards=1, block_size=4):
    text = TokenStream(make_lines(tokens), "train", groups=groups)
    return StreamBlocks(text, rows=rows, num_shards=num_shards, block_size=block_size, pad=PAD)


def batches(blocks, shard=0):
    """The batches of a process, in order."""
    return [blocks.collater([blocks[index]]) for index in range(shard, len(blocks), blocks.num_shards)]


CUTS = [
    {"tokens": 50, "rows": 1, "block_size": 7},
    {"tokens": 49, "rows": 3, "block_size": 4},  # 16 targets each: four blocks and no rest
    {"tokens": 50, "rows": 3, "block_size": 4},  # one stream has one more: the last block takes it
    {"tokens": 51, "rows": 3, "block_size": 5},
    {"tokens": 53, "rows": 2, "groups": 2, "num_shards": 3, "block_size": 2},
    {"tokens": 7, "rows": 6, "block_size": 10},
]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_every_token_but_the_first_is_a_target_once(cut):
    blocks = make_blocks(**cut)
    made = [batch for shard in range(blocks.num_shards) for batch in batches(blocks, shard)]
    targets = torch.cat([batch["target"][batch["target"] != PAD] for batch in made])
    assert sorted(targets.tolist()) == list(range(11, 10 + cut["tokens"]))
    assert sum(batch["ntokens"] for batch in made) == cut["tokens"] - 1
    for batch in made:
        source, target = batch["net_input"]["src_tokens"], batch["target"]
        assert torch.equal(source != PAD, target != PAD)
        assert torch.equal(source[source != PAD] + 1, target[target != PAD])
        assert bool((batch["net_input"]["src_lengths"] >= 1).all())


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_a_row_goes_on_where_its_last_block_ended_also_across_the_ends_of_blocks(cut):
    blocks = make_blocks(**cut)
    for shard in range(blocks.num_shards):
        last = {}
        for number, batch in enumerate(batches(blocks, shard)):
            assert (batch["block"], batch["group"]) == divmod(number, blocks.text.groups)
            for row, target in enumerate(batch["target"]):
                stream = int(batch["id"][row])
                if batch["block"]:
                    assert batch["net_input"]["src_tokens"][row, 0] == last[stream]
                last[stream] = target[target != PAD][-1]
        assert len(last) == blocks.text.groups * blocks.rows


def test_every_process_has_as_many_batches_so_that_none_gets_a_dummy():
    blocks = make_blocks(tokens=101, rows=2, groups=3, num_shards=4, block_size=3)
    assert len(blocks) == blocks.num_blocks * 12
    assert {len(batches(blocks, shard)) for shard in range(4)} == {blocks.num_blocks * 3}


def test_processes_and_groups_divide_the_streams_of_one_large_batch():
    whole = batches(make_blocks(tokens=77, rows=12))
    for division in ({"groups": 2}, {"num_shards": 2}, {"groups": 3, "num_shards": 2}):
        blocks = make_blocks(tokens=77, rows=12 // math.prod(division.values()), **division)
        made = [blocks.collater([blocks[index]]) for index in range(len(blocks))]
        for block, expected in enumerate(whole):
            parts = [batch for batch in made if batch["block"] == block]
            rows = [row[row != PAD] for batch in parts for row in batch["target"]]
            assert all(torch.equal(row, own[own != PAD]) for row, own in zip(rows, expected["target"], strict=True))


def test_reading_across_lines():
    text = TokenStream(Lines([torch.tensor([5, 6]), torch.tensor([2]), torch.tensor([7, 8, 9])]), "train")
    assert len(text) == 6
    for start in range(6):
        for stop in range(start + 1, 7):
            assert text.read(start, stop).tolist() == [5, 6, 2, 7, 8, 9][start:stop]


@pytest.mark.parametrize("tokens", [0, 1, 6])
def test_text_that_is_too_short_is_refused(tokens):
    with pytest.raises(ValueError, match=f"'train' has {tokens} tokens, too few for 6 streams"):
        make_blocks(tokens=tokens, rows=3, groups=2)


def visit(states, block, group, value):
    """Let a model leave ``value`` in a group's block; returns what it started from."""
    with states.carry({"block": block, "group": group, "net_input": {}, "target": torch.zeros(1)}) as sample:
        stream = sample["net_input"]["stream"]
        start = None if stream.parts is None else float(stream.parts[0].flatten()[0])
        stream.parts = (torch.full((1, 2, 3), float(value)),)
    return start


def test_groups_have_states_of_their_own_and_the_first_block_starts_anew():
    states = StreamStates()
    assert [visit(states, 0, group, group + 1) for group in (0, 1)] == [None, None]
    assert [visit(states, 1, group, group + 11) for group in (0, 1)] == [1, 2]
    assert [visit(states, 2, group, 0) for group in (0, 1)] == [11, 12]
    assert visit(states, 0, 0, 5) is None  # the next epoch


def test_a_repeated_block_starts_from_the_same_state():
    states = StreamStates()
    visit(states, 0, 0, 1)
    assert [visit(states, 1, 0, 2), visit(states, 1, 0, 3), visit(states, 2, 0, 4)] == [1, 1, 3]


def test_the_states_of_all_processes_and_groups_are_saved_in_order_and_taken_apart_again():
    shards = [StreamStates() for _ in range(2)]
    for group, shard in itertools.product(range(3), range(2)):
        visit(shards[shard], 0, group, value=10 * group + shard)

    def gather(own):  # each process asks for the same group at the same time; this one is the first
        return [own, own + 1]

    saved = shards[0].state_dict(gather)
    streams = [(group, shard) for group in range(3) for shard in range(2) for _ in range(2)]  # two rows each
    assert saved["block"] == 0
    assert saved["parts"][0][0, :, 0].tolist() == [10 * group + shard for group, shard in streams]
    for shard in range(2):
        loaded = StreamStates()
        loaded.load_state_dict(saved, groups=3, num_shards=2, shard=shard)
        assert [visit(loaded, 1, group, 0) for group in range(3)] == [10 * group + shard for group in range(3)]


@pytest.mark.parametrize(
    ("sentences", "tokens", "expected"), [(None, None, 1), (4, None, 4), (None, 40, 4), (3, 40, 3), (6, 40, 4)]
)
def test_streams_of_a_batch(sentences, tokens, expected):
    assert streams_of_batch(sentences, tokens, 9) == expected


def test_a_batch_without_room_for_a_block_is_refused():
    with pytest.raises(ValueError, match="--max-tokens 8 has no room for a block of --tokens-per-sample 9"):
        streams_of_batch(4, 8, 9)


def test_an_unknown_state_is_refused():
    states = StreamStates()
    with pytest.raises(ValueError, match="state that block 3 .* no block came before it.*--reset-dataloader"):
        visit(states, 3, 0, 1)
    visit(states, 0, 0, 1)
    with pytest.raises(ValueError, match="state that block 2 .* block 0 came before it"):
        visit(states, 2, 0, 1)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return toy_lm.binarise(tmp_path_factory.mktemp("stateful"), train=100)


TASK = ("--task", "stateful_language_modeling", "--tokens-per-sample", "9")


def train(data, save_dir, *argv, family="lstm", batch_size=4):
    """A few updates; 14 are an epoch of four streams."""
    architecture = ("--arch", toy_lm.ARCHITECTURES[family], *toy_lm.SIZE_OPTIONS)
    rows = ("--batch-size", str(batch_size), "--no-epoch-checkpoints")
    return toy.train(data, save_dir, *TASK, *architecture, *rows, "--lr", "0.01", *argv)


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    """Thirty updates, so more than an epoch, of four streams."""
    return train(data, tmp_path_factory.mktemp("trained"), "--max-update", "30")


def plain_step(model, tokens, targets, state):
    """Summed loss of targets ``(T,)`` and the next state, by nn.LSTM itself: no code of the model, nor of the task."""
    layers = model.decoder
    output, state = layers.core.lstm(layers.embed_tokens(tokens).unsqueeze(1), state)
    scores = layers.output_projection(layers.projection(output))[:, 0]
    return torch.nn.functional.cross_entropy(scores, targets, reduction="sum"), state


def plain_loss(model, tokens, steps=5):
    """Mean loss of every token but the first, in bits, by a plain loop over the text that carries the state."""
    state, total = None, 0.0
    for start in range(0, len(tokens) - 1, steps):
        stop = min(start + steps, len(tokens) - 1)
        loss, state = plain_step(model, tokens[start:stop], tokens[start + 1 : stop + 1], state)
        total += float(loss)
    return total / (len(tokens) - 1) / math.log(2)


def plain_training(model, tokens, *, epochs, streams, block_size, lr):
    """Gradient descent, stream by stream; states go on from block to block without gradient, anew in each epoch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    pieces = [(tokens[part], tokens[part + 1]) for part in torch.arange(len(tokens) - 1).tensor_split(streams)]
    starts = range(0, min(len(source) for source, _ in pieces), block_size)
    for _ in range(epochs):
        states = [None] * streams
        for start in starts:
            stop = start + block_size if start != starts[-1] else len(tokens)
            total, count = 0, 0
            for row, (source, target) in enumerate(pieces):
                loss, state = plain_step(model, source[start:stop], target[start:stop], states[row])
                states[row] = tuple(part.detach() for part in state)
                total, count = total + loss, count + len(target[start:stop])
            optimizer.zero_grad()
            (total / count).backward()
            optimizer.step()


@pytest.mark.parametrize("options", [(), ("--num-workers", "2"), ("--batch-size", "2", "--update-freq", "2")], ids=str)
def test_two_epochs_train_what_a_plain_loop_trains(data, tmp_path, options):
    descent = ("--optimizer", "sgd", *options)
    first = train(data, tmp_path / "first", *descent, "--lr", "0", "--max-update", "1")
    trained = load(train(data, tmp_path / "trained", *descent, "--lr", "1", "--max-epoch", "2", "--max-update", "100"))
    model, _ = load_model(first)
    plain_training(model, toy_lm.stream(data, "train"), epochs=2, streams=4, block_size=9, lr=1.0)
    assert trained["optimizer_history"][-1]["num_updates"] == 28
    for name, weight in model.state_dict().items():
        torch.testing.assert_close(trained["model"][name], weight, rtol=0, atol=2e-5, msg=name)


def load_model(checkpoint):
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([str(checkpoint)])
    return models[0].eval(), task


def task_loss(checkpoint, data, block_size, rows=1, split="test"):
    """The same by the task's own batches and fairseq's criterion, and how many targets there were."""
    model, task = load_model(checkpoint)
    task.args.tokens_per_sample = block_size
    task.load_dataset(split)
    criterion = CrossEntropyCriterion(task, sentence_avg=False)
    iterator = task.get_batch_iterator(task.dataset(split), max_sentences=rows).next_epoch_itr(shuffle=False)
    with torch.no_grad():
        logs = [task.valid_step(batch, model, criterion)[2] for batch in iterator]
    total, count = sum(float(log["loss"]) for log in logs), sum(log["ntokens"] for log in logs)
    return total / count / math.log(2), count


@torch.no_grad()
@pytest.mark.parametrize("block_size", [2, 4, 16, 1000])
def test_the_whole_text_unrolled_is_a_plain_loop_whatever_the_size_of_the_blocks(data, trained, block_size):
    tokens = toy_lm.stream(data, "test")
    loss, count = task_loss(trained, data, block_size)
    assert count == len(tokens) - 1
    assert 2**loss == pytest.approx(2 ** plain_loss(load_model(trained)[0], tokens), rel=1e-5)
    carried, _ = task_loss(trained, data, block_size, rows=3)
    assert carried != loss  # three streams begin from zero


@torch.no_grad()
@pytest.mark.parametrize("options", [("--num-workers", "0"), ("--num-workers", "1", "--max-tokens", "30")], ids=str)
def test_eval_lm_reads_the_text_in_one_piece(data, trained, options, caplog):
    caplog.set_level("INFO")
    toy.run_fairseq("eval-lm", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu",
                    "--gen-subset", "test", *options)  # fmt: skip
    tokens = toy_lm.stream(data, "test")
    loss = plain_loss(load_model(trained)[0], tokens)
    assert f"Evaluated {len(tokens) - 1:,} tokens" in caplog.text
    assert f"Loss (base 2): {loss:.4f}, Perplexity: {2**loss:.2f}" in caplog.text


def test_validate_command_agrees(data, trained, caplog, monkeypatch):
    monkeypatch.setattr(validate, "reset_logging", lambda: None)  # it would take caplog's handler away
    caplog.set_level("INFO")
    toy.run_fairseq("validate", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu", "--batch-size",
                    "1", "--valid-subset", "test", "--num-workers", "0", "--log-format", "json")  # fmt: skip
    with torch.no_grad():
        loss = plain_loss(load_model(trained)[0], toy_lm.stream(data, "test"))
    assert f'"test_loss": "{round(loss, 3)}"' in caplog.text


@pytest.mark.parametrize(
    ("family", "first", "options"),
    [
        *((family, 5, ()) for family in toy_lm.FAMILIES),
        ("lstm", 13, ()),  # before the last block of an epoch
        ("lstm", 14, ()),  # at the end of an epoch: there is no state to go on from
        ("lstm", 5, ("--update-freq", "2")),
        ("lstm", 5, ("--num-workers", "2")),
    ],
    ids=str,
)
def test_a_resumed_run_is_exact(data, tmp_path, family, first, options):
    options = ("--dropout", "0.3", *options)
    whole = load(train(data, tmp_path / "whole", *options, "--max-update", "18", family=family))
    begun = load(train(data, tmp_path / "parts", *options, "--max-update", str(first), family=family))
    assert ("StatefulLanguageModelingTask" in begun["extra_state"]) == (first != 14)
    parts = load(train(data, tmp_path / "parts", *options, "--max-update", "18", family=family))
    assert whole["extra_state"]["train_iterator"] == parts["extra_state"]["train_iterator"]
    for name, weight in whole["model"].items():
        assert torch.equal(weight, parts["model"][name]), name
    states = [each["extra_state"]["StatefulLanguageModelingTask"] for each in (whole, parts)]
    assert all(torch.equal(a, b) for a, b in zip(states[0]["parts"], states[1]["parts"], strict=True))
    assert whole["extra_state"]["val_loss"] == parts["extra_state"]["val_loss"]


def test_without_the_state_a_resumed_run_would_differ(data, tmp_path, monkeypatch):
    """The test above can fail: a resume from zeros, in the middle of the text, gives other weights."""
    whole = load(train(data, tmp_path / "whole", "--max-update", "12"))
    train(data, tmp_path / "parts", "--max-update", "5")
    zeros = StatefulLanguageModelingTask.set_checkpoint_dict

    def forget(task, state):
        zeros(task, {**state, "parts": [torch.zeros_like(part) for part in state["parts"]]})

    monkeypatch.setattr(StatefulLanguageModelingTask, "set_checkpoint_dict", forget)
    parts = load(train(data, tmp_path / "parts", "--max-update", "12"))
    assert any(not torch.equal(weight, parts["model"][name]) for name, weight in whole["model"].items())


def test_blocks_come_in_order_in_every_epoch(data, trained):
    _, task = load_model(trained)
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.dataset("train"), max_tokens=40, seed=3)  # blocks of 9: four streams
    epochs = [list(iterator.next_epoch_itr(shuffle=True)) for _ in range(2)]
    for batches_of_epoch in epochs:
        assert [batch["block"] for batch in batches_of_epoch] == list(range(len(iterator)))
        assert {batch["nsentences"] for batch in batches_of_epoch} == {4}
    assert iterator.epoch == 2


def test_validation_does_not_disturb_the_training_state(data, tmp_path):
    often = load(train(data, tmp_path / "often", "--max-update", "12", "--validate-interval-updates", "1"))
    never = load(train(data, tmp_path / "never", "--max-update", "12", "--disable-validation"))
    for name, weight in often["model"].items():
        assert torch.equal(weight, never["model"][name]), name


def test_every_validation_starts_anew(data, trained):
    model, task = load_model(trained)
    task.load_dataset("valid")
    criterion = CrossEntropyCriterion(task, sentence_avg=False)
    losses = []
    for _ in range(2):
        iterator = task.get_batch_iterator(task.dataset("valid"), max_sentences=2).next_epoch_itr(shuffle=False)
        losses.append([float(task.valid_step(batch, model, criterion)[0]) for batch in iterator])
    assert losses[0] == losses[1]


def test_update_freq_two_trains_like_twice_the_batch(data, tmp_path):
    one = load(train(data, tmp_path / "one", "--max-update", "12", batch_size=4))
    two = load(train(data, tmp_path / "two", "--max-update", "12", "--update-freq", "2", batch_size=2))
    torch.testing.assert_close(two["model"], one["model"], rtol=0, atol=1e-5)
    parts = [each["extra_state"]["StatefulLanguageModelingTask"]["parts"] for each in (one, two)]
    torch.testing.assert_close(parts[0], parts[1], rtol=0, atol=1e-5)


def test_two_processes_train_like_one_with_the_same_streams_and_resume(data, tmp_path):
    arguments = (
        *TASK, "--arch", toy_lm.ARCHITECTURES["lstm"], *toy_lm.SIZE_OPTIONS, "--batch-size", "2", "--lr", "0.01",
        "--no-epoch-checkpoints",
    )  # fmt: skip
    one = load(train(data, tmp_path / "one", "--max-update", "12", batch_size=4))
    part = train_two_processes(data, tmp_path / "part", *arguments, "--max-update", "5")
    two = load(
        train_two_processes(data, tmp_path / "two", *arguments, "--max-update", "12", "--restore-file", str(part))
    )
    torch.testing.assert_close(two["model"], one["model"], rtol=0, atol=1e-5)
    assert two["extra_state"]["val_loss"] == pytest.approx(one["extra_state"]["val_loss"], abs=2e-3)


def test_a_dummy_batch_leaves_the_states_alone(data, trained):
    model, task = load_model(trained)
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=4)
    optimizer = SimpleNamespace(backward=lambda loss: None)
    step = (model, CrossEntropyCriterion(task, sentence_avg=False), optimizer, 0)
    first, second, third = itertools.islice(iterator.next_epoch_itr(shuffle=False), 3)
    task.train_step(first, *step)
    task.train_step(second, *step)
    before = task.get_checkpoint_dict()["StatefulLanguageModelingTask"]
    task.train_step(iterator.first_batch, *step, ignore_grad=True)
    after = task.get_checkpoint_dict()["StatefulLanguageModelingTask"]
    assert before["block"] == after["block"] == 1
    assert all(torch.equal(a, b) for a, b in zip(before["parts"], after["parts"], strict=True))
    task.train_step(third, *step)  # would be refused if the first block had been the last


@pytest.mark.parametrize("frequency", ["1", "2"])
def test_a_block_whose_gradient_overflows_is_repeated_from_the_same_state(data, tmp_path, monkeypatch, frequency):
    """As mixed precision does (`--amp`): the overflow is staged, on the CPU there is none."""
    options = ("--amp", "--update-freq", frequency, "--max-update", "6")
    whole = load(train(data, tmp_path / "whole", *options))
    norms = []
    clip, step = Trainer.clip_grad_norm, StatefulLanguageModelingTask.optimizer_step

    def overflow_once(trainer, limit):
        norms.append(torch.tensor(math.inf) if len(norms) == 3 else clip(trainer, limit))
        return norms[-1]

    def skip_overflow(task, *arguments, **options):
        if math.isfinite(norms[-1]):
            step(task, *arguments, **options)

    monkeypatch.setattr(Trainer, "clip_grad_norm", overflow_once)
    monkeypatch.setattr(StatefulLanguageModelingTask, "optimizer_step", skip_overflow)
    repeated = load(train(data, tmp_path / "repeated", *options))
    assert len(norms) == 7
    for name, weight in whole["model"].items():
        assert torch.equal(weight, repeated["model"][name]), name


def test_resuming_with_other_streams_or_blocks_is_refused(data, tmp_path):
    train(data, tmp_path, "--max-update", "5")
    for other, message in {
        ("--batch-size", "2"): "cut as {'streams': 4, .* this run cuts it as {'streams': 2, .*--reset-dataloader",
        ("--batch-size", "2", "--update-freq", "2"): "'update_freq': 1, .*'update_freq': 2",
        ("--tokens-per-sample", "8"): "'tokens_per_sample': 9.*'tokens_per_sample': 8",
    }.items():
        with pytest.raises(ValueError, match=message):
            train(data, tmp_path, "--max-update", "12", *other)
    train(data, tmp_path, "--max-update", "6", "--reset-dataloader", batch_size=2)


def test_resuming_another_tasks_checkpoint_is_refused(data, tmp_path):
    stateless = ("--task", "language_modeling", "--tokens-per-sample", "9", "--batch-size", "4", "--max-update", "5")
    toy.train(data, tmp_path, *stateless, "--arch", toy_lm.ARCHITECTURES["lstm"], *toy_lm.SIZE_OPTIONS)
    with pytest.raises(ValueError, match=r"state that block \d+ .* no block came before it"):
        train(data, tmp_path, "--max-update", "12")


def test_what_cannot_work_is_refused(data, tmp_path, trained):
    with pytest.raises(ValueError, match="LSTMLanguageModel carries no state .* rims_lm, rmc_lm and stateful_lstm_lm"):
        toy.train(data, tmp_path, *TASK, "--arch", "lstm_lm_tiny", "--batch-size", "4")
    with pytest.raises(ValueError, match="TransformerLanguageModel carries no state .* --task language_modeling"):
        toy.train(data, tmp_path, *TASK, "--arch", "transformer_lm_tiny", "--batch-size", "4")
    with pytest.raises(ValueError, match="needs the same --update-freq in all epochs, got 1,2"):
        train(data, tmp_path, "--update-freq", "1,2")
    with pytest.raises(ValueError, match="--context-window 3 has no use here"):
        toy.run_fairseq("eval-lm", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu",
                        "--context-window", "3")  # fmt: skip
    with pytest.raises(FileNotFoundError, match="test9.idx not found"):
        toy.run_fairseq("eval-lm", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu",
                        "--gen-subset", "test9")  # fmt: skip
    with pytest.raises(FileNotFoundError, match=r"text/dict.txt not found: expected a folder that fairseq-preprocess"):
        train(data.parent / "text", tmp_path)
    with pytest.raises(ValueError, match="give --task language_modeling --sample-break-mode eos"):
        toy.run_fairseq("generate", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu",
                        "--gen-subset", "test", "--batch-size", "2")  # fmt: skip


def test_interactive_goes_on_with_a_line(data, trained, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO("w1 w2\n"))
    printed = toy.run_fairseq("interactive", data, "--user-dir", toy.USER_DIR, *TASK, "--path", trained, "--cpu",
                              "--beam", "2", "--min-len", "4", "--max-len-b", "9")  # fmt: skip
    (hypothesis,) = [line.split("\t")[2].split() for line in printed.splitlines() if line.startswith("H-0")]
    assert hypothesis[:2] == ["w1", "w2"] and len(hypothesis) > 2

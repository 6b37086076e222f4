"""The task ``sequence_prediction``, its criterion, and the families of predictors."""

import json
import re
from argparse import Namespace

import numpy as np
import pytest
import torch
from fairseq import checkpoint_utils
from fairseq.models import MODEL_DATACLASS_REGISTRY, MODEL_REGISTRY
from torch.nn import functional

import fairseq_plugins  # noqa: F401
from fairseq_plugins.criterions.sequence_prediction import SequencePredictionCriterion
from fairseq_plugins.models.transformer_predictor import CausalTransformer
from fairseq_plugins.tasks.sequence_data import SequenceDataset
from fairseq_plugins.tasks.sequence_prediction import SequencePredictionConfig, SequencePredictionTask
from tests.plugin import sequences, toy

FAMILIES = ("rims", "lstm", "rmc", "transformer")
DATA = {
    "copying": ("--delay", "3", "--test-delay", "3", "6"),
    "adding": ("--length", "6", "--test-length", "6", "8"),
    "nth_farthest": (),
}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("sequences")
    return {task: sequences.write(root / task, task, *options) for task, options in DATA.items()}


def make_task(folder):
    return SequencePredictionTask.setup_task(SequencePredictionConfig(data=str(folder), train_subset="train"))


def make_model(arch, task, **options):
    torch.manual_seed(1)
    config = MODEL_DATACLASS_REGISTRY[arch](**options)
    return MODEL_REGISTRY[arch].build_model(config, task)


def batches(task, split, epoch=1, size=16):
    task.load_dataset(split)
    iterator = task.get_batch_iterator(task.dataset(split), max_sentences=size, epoch=epoch, seed=1)
    return list(iterator.next_epoch_itr(shuffle=False))


def logged(output, tag, name):
    """What fairseq logged for a split."""
    return [float(value) for value in re.findall(rf"\| {tag} \|.*?\| {name} ([\d.e-]+)", output)]


def validate(data, checkpoint, splits):
    """What ``fairseq-validate`` prints."""
    return toy.run_fairseq(
        "validate", data, "--user-dir", toy.USER_DIR, "--path", checkpoint, "--cpu", "--valid-subset", splits,
        "--batch-size", "7", "--log-format", "simple", *sequences.TASK_OPTIONS,
    )  # fmt: skip


def test_batches_hold_what_was_written(data):
    for name, folder in data.items():
        (batch, *rest) = batches(make_task(folder), "valid")
        assert len(rest) == 1 and len(rest[0]["id"]) == 4  # 20 sequences in batches of 16: none is lost
        inputs, targets, scored = (np.load(folder / f"valid.{part}.npy") for part in ("inputs", "targets", "scored"))
        assert batch["net_input"]["inputs"].dtype == (torch.int64 if name == "copying" else torch.float32)
        assert batch["target"].dtype == (torch.float32 if name == "adding" else torch.int64)
        np.testing.assert_array_equal(batch["net_input"]["inputs"], inputs[batch["id"]])
        np.testing.assert_array_equal(batch["target"], targets[batch["id"]])
        np.testing.assert_array_equal(batch["net_input"]["scored"], scored)
        assert batch["ntokens"] == 16 * scored.sum()


def test_every_epoch_draws_other_batches_and_a_resumed_one_the_same(data):
    def ids(epoch):
        return [batch["id"].tolist() for batch in batches(make_task(data["adding"]), "train", epoch)]

    assert ids(2) == ids(2)
    assert [sorted(batch) for batch in ids(1)] != [sorted(batch) for batch in ids(2)]
    assert sorted(sum(ids(1), [])) == sorted(sum(ids(2), [])) == list(range(60))


def test_a_task_goes_on_to_new_batches_in_the_next_epoch(data):
    task = make_task(data["adding"])
    assert [batch["id"].tolist() for batch in batches(task, "train", 1)] != [
        batch["id"].tolist() for batch in batches(task, "train", 2)
    ]
    assert [batch["id"].tolist() for batch in batches(task, "valid", 1)] == [list(range(16)), list(range(16, 20))]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", DATA)
def test_predictions_do_not_depend_on_batch_or_future(data, family, name):
    task = make_task(data[name])
    model = make_model(f"{family}_predictor_tiny", task).eval()
    inputs = batches(task, "valid")[0]["net_input"]["inputs"]
    steps = inputs.shape[1]
    every = torch.ones(steps, dtype=torch.bool)
    with torch.no_grad():
        output = model(inputs, every)
        assert output.shape == (16, steps, task.form.target_size)
        torch.testing.assert_close(model(inputs[:3], every), output[:3], atol=1e-5, rtol=1e-4)
        changed = inputs.clone()
        changed[:, -1] = inputs[:, -1].flip(0)
        torch.testing.assert_close(model(changed, every)[:, :-1], output[:, :-1], atol=1e-6, rtol=1e-5)
        last = torch.arange(steps) >= steps - 2
        torch.testing.assert_close(model(inputs, last), output[:, last])
        torch.testing.assert_close(model(inputs, every), output)  # no state is left from the call before


@pytest.mark.parametrize("family", FAMILIES)
def test_every_parameter_learns(data, family):
    task = make_task(data["nth_farthest"])
    model = make_model(f"{family}_predictor_tiny", task, head_layers=2, head_size=16, layers=2)
    sample = batches(task, "train")[0]
    loss, _, _ = SequencePredictionCriterion(task)(model, sample)
    loss.backward()
    assert len(model.output_layer) == 5
    assert all(parameter.grad.abs().sum() > 0 for parameter in model.parameters())


def test_a_transformer_knows_the_order_of_its_input():
    core = CausalTransformer(8, layers=1, heads=2, feed_forward=8, dropout=0.0).eval()
    x = torch.randn(1, 2, 8).expand(6, 2, 8)
    output, _ = core(x)
    assert (output[1:] - output[:1]).abs().amin(dim=0).max() > 1e-3


def test_only_the_steps_that_count_count(data):
    """The loss is the mean over the last ten steps, in nats."""
    task = make_task(data["copying"])
    model = make_model("lstm_predictor_tiny", task).eval()
    sums, loss, correct = [], 0.0, 0
    for sample in batches(task, "valid"):
        total, size, logs = task.valid_step(sample, model, SequencePredictionCriterion(task))
        assert size == logs["sample_size"] == 10 * len(sample["id"])
        sums.append(logs)
        with torch.no_grad():
            output = model(sample["net_input"]["inputs"], torch.ones(23, dtype=torch.bool))[:, -10:]
        probabilities = functional.softmax(output.double(), -1)
        symbols = sample["net_input"]["inputs"][:, :10]  # what is to be copied
        loss -= probabilities.gather(-1, symbols.unsqueeze(-1)).log().sum().item()
        correct += (output.argmax(-1) == symbols).sum().item()
    values = reduce(task, sums)
    assert values["loss"] == pytest.approx(loss / 200, abs=1e-5)
    assert values["accuracy"] == pytest.approx(correct / 200)


def reduce(task, logs):
    from fairseq.logging import metrics

    with metrics.aggregate() as aggregator:
        task.reduce_metrics(logs, SequencePredictionCriterion(task))
    return aggregator.get_smoothed_values()


def test_values_are_scored_by_the_mean_squared_error(data):
    task = make_task(data["adding"])

    def predict_one(inputs, scored):
        return torch.ones(len(inputs), 1, 1)

    logs = [SequencePredictionCriterion(task)(predict_one, sample)[2] for sample in batches(task, "train")]
    values = reduce(task, logs)
    targets = np.load(data["adding"] / "train.targets.npy")
    assert values["loss"] == pytest.approx(np.square(targets - 1).mean(), abs=1e-5)
    assert "accuracy" not in values


def test_training_goes_on_with_dropout_after_an_evaluation(data):
    task = make_task(data["adding"])
    model, criterion = make_model("rims_predictor_tiny", task), SequencePredictionCriterion(task)
    sample = batches(task, "train")[0]
    task.valid_step(sample, model, criterion)
    assert not model.training
    task.train_step(sample, model, criterion, Namespace(backward=lambda loss: loss.backward()), 1)
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("family", FAMILIES)
def test_trains_and_validates_on_longer_tests(data, tmp_path, family):
    checkpoint = sequences.train(data["copying"], tmp_path, f"{family}_predictor_tiny", "--valid-subset", "valid,test6")
    text = validate(data["copying"], checkpoint, "valid,test3,test6")
    assert text.count("chance level: loss 2.0794, accuracy 0.1250") == 1
    state = torch.load(checkpoint)["extra_state"]
    task = make_task(data["copying"])
    (model,), _ = checkpoint_utils.load_model_ensemble([str(checkpoint)], task=task)
    model.eval()
    for split in ("valid", "test3", "test6"):
        logs = [task.valid_step(sample, model, SequencePredictionCriterion(task))[2] for sample in batches(task, split)]
        expected = reduce(task, logs)
        assert logged(text, split, "loss") == [pytest.approx(expected["loss"], abs=2e-5)]
        assert logged(text, split, "accuracy") == [pytest.approx(expected["accuracy"], abs=1e-5)]
    assert state["val_loss"] == pytest.approx(logged(text, "valid", "loss")[0], abs=2e-5)


def test_resumed_training_equals_uninterrupted_training(data, tmp_path):
    options = ("rims_predictor_tiny", "--dropout", "0.2", "--disable-validation", "--save-interval-updates", "3")
    whole = sequences.train(data["adding"], tmp_path / "whole", *options, "--max-update", "9")
    sequences.train(data["adding"], tmp_path / "parts", *options, "--max-update", "6")
    resumed = sequences.train(data["adding"], tmp_path / "parts", *options, "--max-update", "9")
    first, second = (torch.load(path)["model"] for path in (whole, resumed))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_ablations_and_the_head_are_options(data, tmp_path):
    checkpoint = sequences.train(
        data["copying"], tmp_path, "rims_predictor_tiny", "--no-communication", "--no-competition",
        "--no-input-attention", "--num-units", "4", "--num-active", "4", "--head-layers", "1", "--disable-validation",
    )  # fmt: skip
    names = torch.load(checkpoint)["model"]
    assert not any("comm" in name or "query" in name or "key" in name for name in names)
    assert names["core.rim.cells.0.weight_hh"].shape == (4, 24, 96)
    assert {"output_layer.0.weight", "output_layer.2.weight"} <= names.keys()


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", ["copying", "adding", "nth_farthest"])
def test_named_sizes_can_be_built(data, family, size):
    model = make_model(f"{family}_predictor_{size}", make_task(data[size]))
    count = sum(parameter.numel() for parameter in model.parameters())
    rims = make_model(f"rims_predictor_{size}", make_task(data[size]))
    share = count / sum(parameter.numel() for parameter in rims.parameters())
    least, most = {"lstm": (1.5, 2), "rmc": (0.7, 1.1)}.get(family, (0.9, 1.1))  # the LSTM is as wide as the RIMs
    assert least < share < most
    assert len(model.output_layer) == (9 if size == "nth_farthest" else 1)


def test_another_criterion_is_refused(data, tmp_path):
    with pytest.raises(ValueError, match="needs --criterion sequence_prediction, got cross_entropy"):
        sequences.train(data["adding"], tmp_path, "lstm_predictor_tiny", "--criterion", "cross_entropy")


def test_another_task_is_refused(tmp_path):
    corpus = toy.binarise(tmp_path / "corpus", train=8, valid=2, test=2)
    with pytest.raises(ValueError, match="a predictor needs --task sequence_prediction, got TranslationTask"):
        toy.train(corpus, tmp_path / "model", "--task", "translation", "-s", "en", "-t", "de", "--arch",
                  "rims_predictor_tiny")  # fmt: skip


def test_folders_without_the_data_are_refused(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="facts.json: no such file; expected a folder that"):
        make_task(tmp_path)
    with pytest.raises(FileNotFoundError, match="has no split 'test7'; it has test3, test6, train, valid"):
        make_task(data["copying"]).load_dataset("test7")
    strings = sequences.write(tmp_path / "strings", "memorisation")
    with pytest.raises(ValueError, match="the data of 'memorisation' are not arrays; .* are for --task translation"):
        make_task(strings)


def test_arrays_that_do_not_fit_are_refused(tmp_path):
    np.save(tmp_path / "valid.inputs.npy", np.zeros((4, 6), np.uint8))
    np.save(tmp_path / "valid.targets.npy", np.zeros((4, 2), np.uint8))
    np.save(tmp_path / "valid.scored.npy", np.arange(6) == 5)
    with pytest.raises(ValueError, match=r"targets \(4, 2\), scored \(6,\) with 1 steps that count"):
        SequenceDataset.load(str(tmp_path), "valid", shuffle=False)


def test_a_width_that_the_heads_do_not_divide_is_refused(data):
    with pytest.raises(ValueError, match="--embed-dim must be a multiple of --attention-heads, got 10 and 4"):
        make_model("transformer_predictor_tiny", make_task(data["copying"]), embed_dim=10)


def test_facts_are_all_that_a_model_needs(data):
    for name, folder in data.items():
        facts = json.loads((folder / "facts.json").read_text())
        assert make_task(folder).form._asdict() == {key: facts[key] for key in make_task(folder).form._fields}, name


def test_strings_train_with_the_translation_task_at_once(tmp_path):
    folder = sequences.write(tmp_path / "data", "programs", "--operations", "addition", "--length", "2")
    checkpoint = toy.train(
        folder, tmp_path / "model", "--task", "translation", "-s", "program", "-t", "answer",
        "--arch", "rims_seq2seq_tiny", "--share-all-embeddings",
    )  # fmt: skip
    output = toy.run_fairseq(
        "generate", folder, "--user-dir", toy.USER_DIR, "--cpu", "--path", checkpoint, "--beam", "1",
        "--required-batch-size-multiple", "1",
    )  # fmt: skip
    expected = (folder / "text" / "test.answer").read_text().splitlines()
    targets = dict(line.split("\t")[:2] for line in output.splitlines() if line.startswith("T-"))
    assert [targets[f"T-{number}"].replace(" ", "") for number in range(20)] == expected

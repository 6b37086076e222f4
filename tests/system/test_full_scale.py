"""The full-scale experiment: its file, the stand-in text, the words of batches, and the estimate of hours."""

import json
import re
from dataclasses import replace
from pathlib import Path

import batch_words
import full_scale
import numpy as np
import pytest
import stand_in
import yaml
from experiment import Cell, load_translation

import fairseq_plugins  # noqa: F401  # registers the architectures
from data_prep import experiment_file
from data_prep.config import DatasetSplit
from tests.plugin import toy
from tests.system.toy_experiment import write_experiment
from tests.system.toy_models import ROOT

WMT14 = ROOT / "configs" / "table8_wmt14.yaml"


# The file


def test_data_of_the_file_are_the_catalogues():
    data = experiment_file.load(WMT14)
    assert data.languages == ["en", "de", "fr"]
    german, french = data.pairs["en-de"], data.pairs["en-fr"]
    assert [part.sources for part in (*german.train, *french.train)] == [
        (DatasetSplit("wmt14.en-de", "train"),), (DatasetSplit("wmt14.en-fr", "train"),),
    ]  # fmt: skip
    assert german.tests["transfer"].sources == (DatasetSplit("iwslt14.en-de", "test"),)
    assert german.tests["in_domain"].sources == (DatasetSplit("wmt14.en-de", "test"),)
    assert data.shards > 1


def test_fairseq_knows_every_option_of_every_model():
    experiment = load_translation(WMT14)
    for cell, parsed in parsed_options(experiment):
        assert (parsed.max_update, parsed.update_freq, parsed.max_tokens) == (100_000, [8], 3584)
        assert (parsed.fp16, parsed.ddp_backend, parsed.distributed_world_size) == (True, "legacy_ddp", 1)
        assert parsed.best_checkpoint_metric == ("loss" if cell.setting == "single" else "en-de_loss")


def parsed_options(experiment):
    """The models of the first seed, with their options as fairseq understands them."""
    from fairseq import options

    for cell in replace(experiment, seeds=[1]).cells():
        arguments = ["", *experiment.train_arguments(cell)]
        yield cell, options.parse_args_and_arch(options.get_training_parser(), arguments)


def test_options_are_tuned_as_they_are_used():
    """The small experiment and its tries have the same options, but for the number of updates."""
    used, tuned = (load_translation(ROOT / f"configs/table8_formal{suffix}.yaml") for suffix in ("", "_tuning"))
    assert tuned.data_file == used.path
    tries = {(parsed.arch, *experiment_options(cell, tuned)): parsed for cell, parsed in parsed_options(tuned)}
    for cell, parsed in parsed_options(used):
        if cell.setting == "single":
            found = vars(tries[(parsed.arch, *experiment_options(cell, used))])
            different = {name for name, value in vars(parsed).items() if found[name] != value}
            assert different == {"max_update", "save_interval_updates"}


def experiment_options(cell, experiment):
    """A family's own options."""
    return tuple(experiment.families[cell.family]["options"])


# The text


def read(path: str) -> list[list[str]]:
    return [line.split() for line in Path(path).read_text(encoding="utf-8").split("\n")[:-1]]


def test_stand_in_has_the_shape_of_wmt14(tmp_path):
    files = stand_in.write_pairs(tmp_path / "train", "en-fr", 4000, seed=1)
    source, target = read(files["src"]), read(files["tgt"])
    assert len(source) == len(target) == 4000
    lengths = np.array([[len(words), len(others)] for words, others in zip(source, target, strict=True)])
    assert lengths.min() >= 1
    assert lengths.mean(axis=0) == pytest.approx(stand_in.AVERAGE_WORDS["en-fr"], rel=0.03)
    assert lengths[:, 0].mean() ** 2 / lengths[:, 0].var() == pytest.approx(stand_in.LENGTH_SHAPE, rel=0.1)
    words = [word for line in source for word in line]
    ranks = {word: rank for rank, word in enumerate(stand_in.lexicon("en"))}
    assert len(ranks) == stand_in.TYPES
    assert 15_000 < len(set(words)) <= stand_in.TYPES and set(words) <= ranks.keys()
    counts = np.bincount([ranks[word] for word in words])
    assert counts[0] / counts[9] == pytest.approx((9 + stand_in.ZIPF_OFFSET) / stand_in.ZIPF_OFFSET, rel=0.1)


def test_stand_in_is_aligned_and_the_same_again(tmp_path):
    first, again, other = (
        stand_in.write_pairs(tmp_path / str(number), "en-de", 50, seed) for number, seed in enumerate((1, 1, 2))
    )
    source, target = read(first["src"]), read(first["tgt"])
    translation = dict(zip(stand_in.lexicon("en"), stand_in.lexicon("de"), strict=True))
    for words, others in zip(source, target, strict=True):
        expected = [translation[words[place * len(words) // len(others)]] for place in range(len(others))]
        assert others == expected
    assert read(again["src"]) == source and read(again["tgt"]) == target
    assert read(other["src"]) != source


# The words of a batch


def test_words_per_batch_by_hand():
    """Six tokens have room for two sentences of three, or one of four."""
    german = np.array([[2, 3], [4, 4], [3, 2]])
    assert batch_words.words_per_batch({"en-de": german}, max_tokens=6) == {"en-de": (3 + 2 + 4) / 2}
    french = np.array([[1, 6]])  # again and again, alone in a batch
    both = batch_words.words_per_batch({"en-de": german, "en-fr": french}, max_tokens=6)
    assert both == {"en-de": (3 + 2 + 4) / 3, "en-fr": 6}


@pytest.mark.parametrize("pairs", [["en-de"], ["en-de", "en-fr"]], ids=["single", "multitask"])
def test_words_per_batch_are_those_of_fairseqs_batches(tmp_path, pairs):
    from fairseq import options, tasks
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    data = toy.binarise(tmp_path, train={"en-de": 70, "en-fr": 105}, valid=5, test=3)
    task_options = ["--task", "translation", "-s", "en", "-t", "de", "--arch", "lstm_seq2seq_tiny"]
    if len(pairs) > 1:
        task_options = ["--task", "multitask_translation", "--lang-pairs", ",".join(pairs)]
        task_options += ["--arch", "multilingual_lstm_seq2seq_tiny"]
    parsed = options.parse_args_and_arch(options.get_training_parser(), [str(data), *task_options])
    task = tasks.setup_task(convert_namespace_to_omegaconf(parsed).task)
    task.load_dataset("train", combine=True)
    batches = task.get_batch_iterator(task.dataset("train"), max_tokens=60).next_epoch_itr(shuffle=False)
    words = [sum(own["ntokens"] for own in (batch.values() if len(pairs) > 1 else [batch])) for batch in batches]
    found = batch_words.words_per_batch({pair: batch_words.read_lengths([data], pair) for pair in pairs}, 60)
    assert sum(found.values()) == pytest.approx(np.mean(words))


def test_a_shard_has_the_proportions_of_the_text(monkeypatch):
    monkeypatch.setattr(batch_words, "MOST", 3600)
    sizes = batch_words.known_sizes(load_translation(WMT14).data_config)
    assert sizes == {"en-de": 4_500_000, "en-fr": 36_000_000}
    lengths = {pair: np.array([[5, 7]]) for pair in ("en-de", "en-fr")}
    drawn = batch_words.one_shard(lengths, sizes, shards=8)
    assert {pair: found.shape for pair, found in drawn.items()} == {"en-de": (450, 2), "en-fr": (3600, 2)}
    assert (drawn["en-de"] == [5, 7]).all()


def test_text_of_other_origin_is_taken_as_large_as_its_stand_in():
    assert batch_words.known_sizes(load_translation(ROOT / "configs/demo.yaml").data_config) == {}
    assert batch_words.one_shard({"en-de": np.ones((40, 2))}, {}, shards=8)["en-de"].shape == (5, 2)


# The estimate


def test_hours_by_hand():
    """100,000 updates of 9,000 and 18,000 words are 2,700 million words: 100 hours at 7,500 words a second."""
    words = {"en-de": 9_000.0, "en-fr": 18_000.0}
    estimate = full_scale.Estimate(
        "rims", "multitask", 44_000_000, [7_000.0, 7_500.0, 9_000.0], 0.5, 100_000, words, 6.7
    )
    assert (estimate.words, estimate.hours) == (pytest.approx(2.7e9), pytest.approx(100))
    assert full_scale.table_row(estimate) == (
        "| rims | multitask | 44,000,000 | 7,500 [7,000–9,000] | 0.50 | 100,000 | 27,000 | 6.7 | 100.0 |"
    )


def test_passes_by_hand(monkeypatch):
    """100,000 updates of 9,000 words are 900 million; 4.5 million pairs of 30 words are 135."""
    monkeypatch.setattr(full_scale, "subwords_per_pair", lambda data: {"en-de": 30.0})
    plan, words = full_scale.Plan(100_000, 8, 3584), {"en-de": 9_000.0, "en-fr": 18_000.0}
    assert full_scale.passes(load_translation(WMT14), plan, words) == pytest.approx(900 / 135)
    assert full_scale.passes(load_translation(ROOT / "configs/demo.yaml"), plan, words) is None


def test_plan_of_the_file():
    experiment = load_translation(WMT14)
    assert full_scale.Plan.of(experiment, Cell("rims", "single", 1)) == full_scale.Plan(100_000, 8, 3584)


def test_plan_counts_the_batches_of_all_devices(tmp_path):
    options = ["--max-tokens", 100, "--max-tokens", 400, "--max-update", 9, "--distributed-world-size", 4]
    path = write_experiment(tmp_path, options=[*options, "--update-freq", 2])
    assert full_scale.Plan.of(load_translation(path), Cell("lstm", "single", 1)) == full_scale.Plan(9, 8, 400)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "--max-update, got nothing"),
        (["--max-update", 9, "--max-tokens", "many"], "--max-tokens, got many"),
        (["--max-update", 9, "--max-tokens", 400, "--update-freq", "4,2"], "--update-freq, got 4,2"),
    ],
)
def test_a_plan_without_numbers_is_refused(tmp_path, options, message):
    path = write_experiment(tmp_path, options=options)
    with pytest.raises(
        ValueError, match=rf"toy\.yaml: lstm\.single\.seed1: an estimate needs a whole number as {message}"
    ):
        full_scale.Plan.of(load_translation(path), Cell("lstm", "single", 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--config", "nowhere.yaml"],
            "nowhere.yaml: no such experiment file; the ones that come with the project are",
        ),
        (["--config", str(ROOT / "configs/adding.yaml")], "is no experiment in translation"),
        (["--config", str(WMT14), "--updates", "2"], "--updates must be at least 3, 2 are not measured; got 2"),
        (["--config", str(WMT14), "--pairs", "0"], "--pairs must be at least 1, got 0"),
        (["--config", str(WMT14), "--max-tokens", "0"], "--max-tokens must be at least 1, got 0"),
        (["--config", str(WMT14), "--threads", "-2"], "--threads must be at least 1, got -2"),
    ],
)
def test_what_cannot_be_estimated_is_refused_before_anything_is_written(tmp_path, capsys, arguments, message):
    assert full_scale.main([*arguments, "--output", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    (tmp_path / "runs").mkdir()
    assert full_scale.main(["--config", str(WMT14), "--output", str(tmp_path)]) == 1
    assert f"--output {tmp_path}: is not empty; name a new folder" in capsys.readouterr().err


@pytest.mark.skipif(full_scale.torch.cuda.is_available(), reason="about machines without a GPU")
def test_an_experiment_is_tried_and_estimated(tmp_path, monkeypatch, capsys):
    path = write_experiment(
        tmp_path, families={"lstm": {"arch": "lstm_seq2seq_tiny", "options": ["--fp16"]}}, seeds=[3, 4]
    )
    content = yaml.safe_load(path.read_text())
    content["data"] |= {"shards": 2, "subword": {"vocab_size": 300}}
    content["train"]["options"] += ["--update-freq", 2]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    monkeypatch.setattr(stand_in, "TYPES", 200)
    monkeypatch.setattr(batch_words, "MOST", 1000)
    stand_in.lexicon.cache_clear()
    monkeypatch.chdir(tmp_path)
    options = ["--updates", "4", "--pairs", "300", "--max-tokens", "300", "--output", "out"]
    assert full_scale.main(["--config", path.name, *options]) == 0
    stand_in.lexicon.cache_clear()
    table = (tmp_path / "out/full_scale.md").read_text()
    assert table in capsys.readouterr().out
    assert (
        "# toy on one CPU" in table and "Float32 instead of --fp16, as there is no GPU; batches of up to 300" in table
    )
    assert re.search(
        r"All 4 models, 2 of each: 0 hours .*\. They read 0\.0 billion .* at 50,000 words/s take 0 hours", table
    )
    found = json.loads((tmp_path / "out/full_scale.json").read_text())
    assert [(one["family"], one["setting"]) for one in found["estimates"]] == [
        ("lstm", "single"),
        ("lstm", "multitask"),
    ]
    for one in found["estimates"]:
        assert len(one["words_per_second"]) == 2 and min(one["words_per_second"]) > 0
        directory = tmp_path / f"out/runs/toy/models/lstm.{one['setting']}.seed3"
        log = (directory / "train.log").read_text()
        assert "'fp16': False" in log and "'update_freq': [2]" in log and "'max_tokens': 300" in log
        assert not list(directory.glob("*.pt"))
        assert 0 < one["cores"] < 3
    single, multitask = (one["words_per_update"] for one in found["estimates"])
    assert 400 < single["en-de"] < 2 * 400 and multitask["en-de"] < single["en-de"]
    assert not (tmp_path / "runs").exists()


def test_the_committed_table_is_that_of_its_figures_and_of_the_file():
    folder = ROOT / "benchmarks/results/full_scale"
    found = json.loads((folder / "full_scale.json").read_text(encoding="utf-8"))
    hours = [one.pop("hours") for one in found["estimates"]]
    estimates = [full_scale.Estimate(**one) for one in found["estimates"]]
    experiment = load_translation(WMT14)
    assert hours == [pytest.approx(one.hours) for one in estimates]
    assert [(one.family, one.setting) for one in estimates] == [
        (cell.family, cell.setting) for cell in experiment.cells() if cell.seed == 1
    ]
    assert {one.updates for one in estimates} == {full_scale.Plan.of(experiment, experiment.cells()[0]).updates}
    written = (folder / "full_scale.md").read_text(encoding="utf-8")
    assert written == full_scale.report(experiment, estimates, found)


def test_mixed_precision_is_kept_on_a_gpu(monkeypatch):
    experiment = load_translation(WMT14)
    monkeypatch.setattr(full_scale.torch.cuda, "is_available", lambda: True)
    tried = full_scale.stand_in_experiment(experiment, 5, None, None)
    assert (tried.seeds, tried.threads, "--fp16" in tried.options) == ([1], 4, True)
    arguments = tried.train_arguments(Cell("lstm", "single", 1))
    assert full_scale.option(arguments, "--max-tokens") == 3584 and full_scale.option(arguments, "--max-update") == 5
    monkeypatch.setattr(full_scale.torch.cuda, "is_available", lambda: False)
    assert "--fp16" not in full_scale.stand_in_experiment(experiment, 5, None, None).options

"""The benchmarks' arithmetic, verifier, memory tool, command lines and figures; no time is asserted."""

import csv
import sys
from dataclasses import replace

import pytest
import torch

from benchmarks import (
    authors,
    config,
    memory,
    models,
    passes,
    plot,
    preparation,
    registry,
    results,
    run,
    timing,
    verify,
)
from benchmarks.config import LayerConfig
from rims_nlp.ops import rim as op
from rims_nlp.ops.rim import naive
from tests.plugin import toy

TINY = ("steps=4", "batch=3", "input_size=5", "hidden_size=12", "num_units=3", "num_active=2")
TINY_CONFIG = config.parse_changes(TINY, LayerConfig())


class FakeClock:
    """A machine that gets slower from round to round; ``costs`` are seconds of each call on a free machine."""

    def __init__(self, costs):
        self.costs, self.order, self.calls = costs, [], 0

    def call(self, name):
        return lambda *_: self.order.append(name)

    def __call__(self, call):
        before = len(self.order)
        call()
        self.calls += 1
        slowness = 1 + (self.calls - 1) // len(self.costs)
        return slowness * sum(self.costs[name] for name in self.order[before:])


def test_ratios_within_a_round_are_exact_on_a_machine_that_slows_down():
    clock = FakeClock({"a": 1.0, "b": 3.0})
    times = timing.interleave({name: clock.call(name) for name in "ab"}, rounds=4, clock=clock, warmup=0)
    assert times == {"a": [1, 2, 3, 4], "b": [3, 6, 9, 12]}
    assert clock.order == ["a", "b", "b", "a", "a", "b", "b", "a"]
    assert timing.ratios(times["b"], times["a"]) == timing.Spread(3, 3, 3, 3)
    assert timing.Spread.of(times["a"]) == timing.Spread(median=2.5, low=1.75, high=3.25, largest=4)
    assert timing.Spread.of([7.0]) == timing.Spread(7, 7, 7, 7)


def test_short_calls_are_repeated_within_a_timing():
    order = []
    times = timing.interleave(
        {"short": lambda: order.append(1)}, rounds=1, warmup=1, least=1.0, clock=lambda call: call() or 0.25
    )
    assert len(order) == 1 + 4
    assert times == {"short": [0.25 / 4]}


def test_all_get_the_same_items():
    seen = {"a": [], "b": []}
    timing.interleave_over([1, 2], {name: seen[name].append for name in seen})
    assert seen == {"a": [1, 2], "b": [1, 2]}


def test_memory_tool_finds_a_known_peak():
    def call():
        torch.ones(80 * 2**18)  # 80 MiB, freed at once
        return torch.ones(40 * 2**18)

    call()
    assert all(abs(peak / memory.MIB - 80) < 2 for peak in memory.peaks(call, 3))
    assert memory.peaks(lambda: None, 1)[0] < 2 * memory.MIB


def test_memory_tool_counts_what_a_call_leaves_behind():
    kept = []
    found = memory.peaks(lambda: kept.append(torch.ones(40 * 2**18)), 2)
    assert [round(peak / memory.MIB / 20) for peak in found] == [2, 4]


def test_memory_tool_says_when_an_earlier_peak_hides_the_new_one(monkeypatch):
    monkeypatch.setattr(memory, "start_new_peak", lambda: None)
    torch.ones(80 * 2**18)
    with pytest.raises(memory.MemoryUnknown, match="an earlier peak hides it"):
        memory.peaks(lambda: torch.ones(2**18), 1)


def test_memory_in_a_fresh_process():
    large = replace(TINY_CONFIG, steps=50, batch=64, hidden_size=600)
    output = 50 * 64 * 600 * 4 / memory.MIB
    assert all(output < peak < 40 * output for peak in memory.measure("nn.LSTM", large, passes=2))
    with pytest.raises(memory.MemoryUnknown, match="memory of nobody: KeyError: 'nobody'"):
        memory.measure("nobody", TINY_CONFIG, passes=1)


def wrong_gradient(*arguments, **options):
    output, state, activity = naive.sequence(*arguments, **options)
    return output + 1e-3 * (output - output.detach()), state, activity


def wrong_without_gradients(*arguments, **options):
    output, state, activity = naive.sequence(*arguments, **options)
    return output if torch.is_grad_enabled() else output + 1e-3, state, activity


def crashing_on_long(x, *arguments, **options):
    if len(x) > 1:
        raise IndexError("out of range")
    return naive.sequence(x, *arguments, **options)


def missing(*arguments, **options):
    raise RuntimeError("no compiler")


def add_backend(monkeypatch, name, backend):
    """Register a backend that "auto" does not take, as it stands first."""
    monkeypatch.setattr(op, "BACKENDS", {name: backend, **op.BACKENDS})


@pytest.mark.parametrize(
    ("backend", "reason"),
    [
        (wrong_gradient, "tiny, float64: gradient of x: differs by"),
        (wrong_without_gradients, "tiny, float64: output, no_grad: differs by"),
        (crashing_on_long, "tiny, float64: out of range"),
    ],
)
def test_verifier_bites(monkeypatch, backend, reason):
    add_backend(monkeypatch, "wrong", backend)
    known = registry.contestants()
    assert "rim:wrong" not in verify.unavailable(known.values(), TINY_CONFIG)
    chosen = [known[name] for name in ("rim", "RIMCell", "rim:wrong", "nn.LSTM")]
    verdicts = verify.verify(chosen, [verify.Case("tiny", TINY_CONFIG)])
    assert [(v.contestant, v.dtype) for v in verdicts[:3]] == [
        ("rim", "float64"), ("RIMCell", "float64"), ("rim:wrong", "float64"),
    ]  # fmt: skip
    failures = verify.failed(verdicts)
    assert list(failures) == ["rim:wrong"] and failures["rim:wrong"].startswith(reason)


def test_a_refusal_is_no_failure(monkeypatch):
    add_backend(monkeypatch, "single", naive.sequence)
    monkeypatch.setitem(op.REFUSALS, "single", lambda x, *_: "float64 input" if x.dtype == torch.float64 else None)
    verdicts = verify.verify([registry.contestants()["rim:single"]], [verify.Case("tiny", TINY_CONFIG)])
    assert "float64 input" in verdicts[0].refusal and not verdicts[1].refusal and not verify.failed(verdicts)
    assert "float64 input" in verify.table(verdicts)
    double = replace(TINY_CONFIG, dtype="float64")
    assert "float64 input" in verify.unavailable(registry.contestants().values(), double)["rim:single"]


def test_verified_sequences_are_far_from_ties():
    trial = verify.make_trial(verify.Case("", TINY_CONFIG), "float64")
    kept = verify.margins(trial.reference, trial.x, torch.stack(trial.state))
    assert kept.shape == (3,) and (kept > 1e-4).all()


def test_every_awkward_case_is_a_config_that_builds():
    for case in verify.AWKWARD:
        assert registry.build_rim(case.config, backend="naive").hidden_size == case.config.hidden_size


@pytest.fixture
def quick_verifier(monkeypatch):
    monkeypatch.setattr(verify, "AWKWARD", verify.AWKWARD[2:3])


def run_tiny(tmp_path, *arguments):
    return run.main([*arguments, "--rounds", "2", "--threads", "1", "--output", str(tmp_path), "--set", *TINY])


@pytest.mark.usefixtures("quick_verifier")
def test_run_writes_rows_that_can_be_read_and_drawn(tmp_path, capsys, monkeypatch):
    threads = torch.get_num_threads()
    add_backend(monkeypatch, "missing", missing)
    measures = ["--measures", "forward", "forward_backward", "step", "new_shape"]
    assert run_tiny(tmp_path, "--quick", *measures) == 0
    assert torch.get_num_threads() == threads
    printed = capsys.readouterr().out
    assert "rim:missing cannot run here: no compiler" in printed
    assert "Forward + backward: median [quartiles], and ratio\n  rim " in printed
    assert [path.name for path in tmp_path.iterdir()] == ["quick.csv"]
    rows = results.read_csv(tmp_path / "quick.csv")
    assert {row["what"] for row in rows} == set(measures[1:])
    of_lstm = next(row for row in rows if row["contestant"] == "nn.LSTM" and row["what"] == "forward")
    assert (of_lstm["ratio"], of_lstm["steps"], of_lstm["samples"], of_lstm["threads"]) == ("1", "4", "2", "1")
    assert int(of_lstm["parameters"]) == 4 * 12 * (5 + 12 + 2)
    steps = {row["contestant"]: row for row in rows if row["what"] == "step"}
    assert steps["rim"]["batch"] == "5" and {row["rival"] for row in steps.values()} <= {"nn.LSTMCell", "rim"}
    assert {"rim", "rim:naive", "RIMCell", "nn.GRUCell"} <= set(steps)
    assert f"rim:{of_lstm['auto_backend']}" not in steps
    assert all(float(row["low"]) <= float(row["median"]) <= float(row["high"]) for row in rows)


@pytest.mark.usefixtures("quick_verifier")
def test_nothing_is_reported_of_an_implementation_that_differs(tmp_path, capsys, monkeypatch):
    add_backend(monkeypatch, "wrong", wrong_gradient)
    assert run_tiny(tmp_path, "--measures", "forward", "--contestants", "rim:wrong", "rim:hoisted") == 1
    assert "rim:wrong differs from rim:naive, nothing is reported of it: one step" in capsys.readouterr().err
    rows = results.read_csv(tmp_path / "layer.csv")
    assert [row["contestant"] for row in rows] == ["rim:hoisted", "nn.LSTM"]


def test_sweep_and_figures(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(config.SWEEPS, "K", config.Sweep("num_units", (2, 3, 6)))
    assert run_tiny(tmp_path, "--sweep", "K") == 0
    rows = results.read_csv(tmp_path / "sweep_K.csv")
    assert {(row["sweep"], row["num_units"], row["num_active"]) for row in rows} == {
        ("K", "2", "1"), ("K", "3", "2"), ("K", "6", "4"),
    }  # fmt: skip
    assert plot.main(["--results", str(tmp_path), "--format", "png", "svg"]) == 0
    assert (tmp_path / "growth.png").stat().st_size > 10_000
    assert "sequence length" not in (tmp_path / "growth.svg").read_text()
    (tmp_path / "sweep_K.csv").rename(tmp_path / "layer.csv")
    assert plot.main(["--results", str(tmp_path)]) == 0
    assert (tmp_path / "ratios.png").stat().st_size > 10_000
    assert plot.main(["--results", str(tmp_path / "nowhere")]) == 2
    assert "has no results to draw; python -m benchmarks.run writes them" in capsys.readouterr().err


def test_a_file_that_is_no_result_is_refused(tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,2\n")
    with pytest.raises(ValueError, match=r"a.csv: is not a results file, it has no column 'what'"):
        results.read_csv(tmp_path / "a.csv")
    with pytest.raises(ValueError, match="no such results file"):
        results.read_csv(tmp_path / "b.csv")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--quick", "--models"], "--quick measures the layer only"),
        (["--rounds", "0"], "--rounds must be at least 1, got 0"),
        (["--threads", "-1"], "--threads must be at least 1, got -1"),
        (["--data", "nowhere"], "--data gives sentences to the models; add --models or --all"),
        (["--models", "--dtype", "float64"], "the models are float32"),
        (["--models", "--data", "nowhere"], "--data nowhere: has no dict.*.txt; expected a folder of binarised data"),
        (["--set", "batch"], "expected KEY=VALUE with one of the keys steps, batch,"),
        (["--set", "batches=3"], "got 'batches=3'"),
        (["--set", "batch=many"], "batch must be a whole number, got 'many'"),
        (["--set", "num_units=7"], "hidden_size=600 must be a multiple of num_units=7"),
        (["--set", "num_active=7"], "num_active=7 must be at most num_units=6"),
        (["--set", "cell=rnn"], "cell must be one of lstm, gru, got 'rnn'"),
        (["--contestants", "nn.RNN"], "unknown contestant 'nn.RNN'; expected some of rim,"),
        (["--authors-code", "nowhere"], "--authors-code nowhere: has no event_based/blocks_core.py"),
        (["--device", "tpu"], "device must be cpu or cuda, got 'tpu'"),
        pytest.param(["--device", "cuda"], "device 'cuda': torch sees no CUDA device here",
                     marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has a device")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)  # fmt: skip
def test_bad_options_are_explained(arguments, message, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(verify, "verify", lambda known, todo: [])
    assert run.main([*arguments, "--output", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_output_that_cannot_be_written_is_named_before_anything_is_measured(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run.main(["--output", str(tmp_path / "file" / "folder")]) == 2
    assert "file/folder: cannot be written to (Not a directory)" in capsys.readouterr().err


CORE = """
import torch
from attention import SCALE  # a name that others use too

class BlocksCore(torch.nn.Module):
    def __init__(self, ninp, nhid, num_blocks_in, num_blocks_out, topkval, step_att, do_gru):
        super().__init__()
        self.linear, self.blockified = torch.nn.Linear(ninp, nhid), 0

    def blockify_params(self):
        self.blockified += 1

    def forward(self, inp, hx, cx, step):
        return SCALE * self.linear(inp) + hx, cx + step, None
"""


def test_authors_core_is_called_step_by_step_and_its_modules_are_forgotten(tmp_path):
    folder = tmp_path / "event_based"
    folder.mkdir()
    (folder / "blocks_core.py").write_text(CORE)
    (folder / "attention.py").write_text("SCALE = 2.0\n")
    path = list(sys.path)
    contestant = registry.contestants(tmp_path)["authors"]
    layer = contestant.build(TINY_CONFIG)
    assert not layer.training and sys.path == path
    assert not {"attention", "blocks_core"} & set(sys.modules)
    output, (h, c) = layer(torch.randn(4, 3, 5))
    assert output.shape == (4, 3, 12) and torch.equal(output[-1], h) and (c == 0 + 1 + 2 + 3).all()
    assert layer.core.blockified == 1
    passes.forward_backward(contestant, TINY_CONFIG)()
    with pytest.raises(ValueError, match="the authors' core takes part with comm_key_size=16 only, got 8"):
        contestant.build(replace(TINY_CONFIG, comm_key_size=8))


def test_authors_core_that_does_not_load_is_explained(tmp_path):
    (tmp_path / "blocks_core.py").write_text("import torch_of_old\n")
    with pytest.raises(ValueError, match=r"BlocksCore cannot be loaded: .*No module named 'torch_of_old'"):
        authors.load_class(tmp_path)


def test_models_are_measured_on_the_same_sentences(tmp_path):
    data = toy.binarise(tmp_path, train=40, valid=20, test=5)
    rows = models.measure(models.Plan("tiny", rounds=1, data=data))
    against_lstm = [row for row in rows if row.rival == "lstm_seq2seq_tiny"]
    families = ["rims_seq2seq", "lstm_seq2seq", "rmc_seq2seq", "fairseq_lstm", "transformer_seq2seq"]
    names = [f"{family}_tiny" for family in families]
    assert [(row.what, row.contestant) for row in against_lstm] == [
        *(("training", name) for name in names), *(("generation", name) for name in names),
    ]  # fmt: skip
    assert all(row.value.median > 0 for row in rows)
    assert rows[0].config["data"] == "data, 24 dictionary entries"


def test_preparation_beside_the_minimum(tmp_path):
    for lang in ("en", "de"):
        (tmp_path / f"text.{lang}").write_text("".join(f"a sentence of {lang}, number {n}\n" for n in range(40)))
    text = ["--text", str(tmp_path / "text.en"), str(tmp_path / "text.de")]
    options = ["--pairs", "120", "--vocabulary", "60", "--workers", "1", "--output", str(tmp_path / "figures.csv")]
    assert preparation.main([*text, *options]) in (0, 1)  # so small a text says nothing about speed
    with open(tmp_path / "figures.csv", newline="") as file:
        rows = {row["what"]: row for row in csv.DictReader(file)}
    assert float(rows["data_prep prepare"]["memory"]) > 20
    ratio = float(rows["data_prep prepare"]["seconds"]) / float(rows["minimum"]["seconds"])
    assert float(rows["data_prep prepare"]["ratio"]) == pytest.approx(ratio, rel=0.01)
    assert {"stage: clean en-de", "stage: encode en-de"} <= rows.keys()
    assert rows["extrapolated to 36,000,000 pairs"]["pairs"] == "120"


def test_a_command_that_fails_is_shown(tmp_path):
    with pytest.raises(RuntimeError, match="no such thing"):
        preparation.measured([sys.executable, "-c", "raise SystemExit('no such thing')"], tmp_path)


def test_the_committed_figures_of_the_preparation_meet_their_targets():
    with open(preparation.RESULTS, newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["pairs"] for row in table} == {"500000", "2000000"}
    assert preparation.missed_targets(table) == []
    slow = [{**row, "ratio": "1.4"} if row["ratio"] else row for row in table]
    assert len(preparation.missed_targets(slow)) == 2
    fat = [{**row, "memory": str(1e-6 * int(row["pairs"]) * 900)} for row in table]
    assert [line.split()[0] for line in preparation.missed_targets(fat)] == ["2000000", "memory"]

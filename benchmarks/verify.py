"""Whether every implementation computes the same as the naive rung: no speed-up is reported of one that does not.

    python -m benchmarks.verify

Outputs, final states and all gradients are compared under random upstream gradients, in float32 and float64, and the
outputs without gradients too, which a backend may compute in another way. Sequences on which two units nearly tie are
left out: there a difference in the last bit may choose another unit, and all that follows differs with it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks import authors
from benchmarks.config import DTYPES, LayerConfig
from benchmarks.passes import forward
from benchmarks.registry import MEMORY, NAIVE, OURS, Contestant, build_rim, build_rim_cell, contestants, running_backend
from rims_nlp import RIM
from rims_nlp.testing import assert_close, difference

Values = dict[str, Tensor]
SMALL = {"input_size": 7, "num_comm_heads": 2, "comm_key_size": 3, "comm_value_size": 5}


@dataclass(frozen=True)
class Case:
    """Sizes to compare at; ``padded``: the sequences end at different steps."""

    label: str
    config: LayerConfig
    padded: bool = False


def awkward(**sizes: Any) -> LayerConfig:
    """A small config with sizes that fill no tile."""
    return LayerConfig(
        **{**SMALL, "steps": 9, "batch": 3, "hidden_size": 185, "num_units": 5, "num_active": 3, **sizes}
    )


AWKWARD = (
    Case("T=63, D=37", awkward(steps=63)),
    Case("T=63, padded", awkward(steps=63), padded=True),
    Case("one step", awkward(steps=1, batch=5)),
    Case("one sequence", awkward(batch=1)),
    Case("one unit active", awkward(num_active=1)),
    Case("all units active", awkward(num_active=5)),
    Case("one unit", awkward(num_units=1, num_active=1, hidden_size=13)),
    Case("four input heads", awkward(num_input_heads=4, hidden_size=180)),
    Case("GRU units, padded", awkward(cell="gru"), padded=True),
)


def cases(config: LayerConfig) -> list[Case]:
    """The awkward sizes and the measured config itself, on the device of ``config``."""
    small = [replace(case, config=replace(case.config, device=config.device)) for case in AWKWARD]
    return [*small, Case("as measured", config)]


def width_only(config: LayerConfig) -> list[Case]:
    """The width of a config with few short sequences: enough for a point of a sweep."""
    return [Case("as measured, short", replace(config, steps=min(config.steps, 7), batch=min(config.batch, 9)))]


@dataclass(frozen=True)
class Verdict:
    """What came of one comparison: the largest relative difference; the reason of a failure or a refusal ("": none)."""

    contestant: str
    case: str
    dtype: str
    difference: float = 0.0
    failure: str = ""
    refusal: str = ""


@dataclass(frozen=True)
class Trial:
    """Weights and input that all implementations get: our layer on the naive rung, and what it is run on."""

    reference: RIM
    x: Tensor  # (T, B, input_size)
    state: tuple[Tensor, ...]  # (1, B, hidden_size) each
    lengths: Tensor | None  # (B,)


def make_trial(case: Case, dtype: str) -> Trial:
    """Draw weights, input and initial state; of twice the sequences keep those furthest from a tie."""
    config = replace(case.config, dtype="float64")
    torch.manual_seed(1)
    reference = build_rim(config, backend="naive")
    batch, like = 2 * config.batch, {"dtype": torch.float64}
    x = torch.randn(config.steps, batch, config.input_size, **like).to(config.device)  # type: ignore[call-overload]
    shape = (reference.options.num_states, 1, batch, config.hidden_size)
    state = (0.1 * torch.randn(*shape, **like)).to(config.device)  # type: ignore[call-overload]
    kept = margins(reference, x, state).argsort(descending=True)[: config.batch]
    lengths = torch.arange(config.batch) * config.steps // config.batch + 1 if case.padded else None
    wanted = DTYPES[dtype]
    return Trial(reference.to(wanted), x[:, kept].to(wanted), tuple(state[:, :, kept].to(wanted)), lengths)


@torch.no_grad()
def margins(reference: RIM, x: Tensor, state: Tensor) -> Tensor:
    """How far each sequence stays from a tie ``(B,)``: the least gap at any step between chosen and refused units."""
    _, _, activity = reference(x, as_hidden(tuple(state)), return_activity=True)
    null, active = activity.input_attention[0][..., 0].mean(2), activity.active_mask[0]  # (T, B, K) both
    gap = null.masked_fill(active, 2).amin(-1) - null.masked_fill(~active, -1).amax(-1)
    return gap.amin(0)


def as_hidden(state: tuple[Tensor, ...]) -> Any:
    """The state as a layer takes it: a pair, or the one tensor of GRU units."""
    return state if len(state) == 2 else state[0]


def as_tuple(hidden: Any) -> tuple[Tensor, ...]:
    """The other way round."""
    return hidden if isinstance(hidden, tuple) else (hidden,)


Run = Callable[[Tensor, tuple[Tensor, ...]], tuple[Tensor, tuple[Tensor, ...]]]
"""Output and final state from input and initial state."""


def observe(run: Run, trial: Trial, parameters: Mapping[str, Tensor]) -> Values:
    """Everything that is compared: values with and without gradients, and the gradients."""
    x = trial.x.clone().requires_grad_()
    state = tuple(part.clone().requires_grad_() for part in trial.state)
    output, final = run(x, state)
    torch.manual_seed(2)
    loss = sum((part * torch.randn(part.shape).to(part)).sum() for part in (output, *final))
    inputs = {"x": x, **{f"state {index}": part for index, part in enumerate(state)}, **parameters}
    gradients = torch.autograd.grad(loss, list(inputs.values()))  # type: ignore[arg-type]
    with torch.no_grad():
        output_alone, final_alone = run(trial.x, trial.state)
    return {
        "output": output.detach(),
        "output, no_grad": output_alone,
        **{f"final state {index}": part.detach() for index, part in enumerate(final)},
        **{f"final state {index}, no_grad": part for index, part in enumerate(final_alone)},
        **{f"gradient of {name}": part for name, part in zip(inputs, gradients, strict=True)},
    }


def observe_rim(layer: RIM, trial: Trial) -> Values:
    """Of one of our layers with the trial's weights."""
    layer.load_state_dict(trial.reference.state_dict())

    def run(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        output, final = layer(x, as_hidden(state), lengths=trial.lengths)
        return output, as_tuple(final)

    return observe(run, trial, dict(layer.named_parameters()))


def observe_cell(config: LayerConfig, trial: Trial) -> Values:
    """Of our cell, step by step."""
    cell = build_rim_cell(config)
    cell.load_state_dict(trial.reference.cells[0].state_dict())

    def run(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        hidden, outputs = tuple(part[0] for part in state), []
        for step in x.unbind(0):
            hidden = as_tuple(cell(step, as_hidden(hidden)))
            outputs.append(hidden[0])
        return torch.stack(outputs), tuple(part.unsqueeze(0) for part in hidden)

    return observe(run, trial, {f"cells.0.{name}": part for name, part in cell.named_parameters()})


def observe_authors(contestant: Contestant, config: LayerConfig, trial: Trial) -> Values:
    """Of the published core, without the gradients of the weights, which have another form there."""
    layer = contestant.build(config)
    assert isinstance(layer, authors.AuthorsLayer)
    authors.copy_weights(trial.reference.cells[0].weights(), layer)  # type: ignore[operator]

    def run(x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, tuple[Tensor, ...]]:
        output, final = layer(x, (state[0][0], state[1][0]))
        return output, tuple(part.unsqueeze(0) for part in final)

    return observe(run, trial, {})


def observe_contestant(contestant: Contestant, config: LayerConfig, trial: Trial) -> Values:
    """What a contestant makes of a trial."""
    if contestant.backend is not None:
        layer = contestant.build(config)
        assert isinstance(layer, RIM)
        return observe_rim(layer, trial)
    if contestant.name == authors.NAME:
        return observe_authors(contestant, config, trial)
    return observe_cell(config, trial)


def is_verified(contestant: Contestant) -> bool:
    """Whether a contestant computes RIMs, so that there is something to compare; torch's own layers do not."""
    return contestant.name != NAIVE and not contestant.name.startswith(("nn.", MEMORY))


def can_run(contestant: Contestant, case: Case) -> bool:
    """Whether a case is in reach: our cell knows no padding, the published core few sizes."""
    if contestant.is_cell:
        return not case.padded
    if contestant.name != authors.NAME:
        return True
    return not case.padded and all(getattr(case.config, name) == value for name, value in authors.FIXED.items())


def unavailable(known: Iterable[Contestant], config: LayerConfig) -> dict[str, str]:
    """Backends that cannot run a config on this machine, each with the reason."""
    single, reasons = replace(config, steps=1, batch=1), {}
    for contestant in known:
        if contestant.backend is not None and contestant.name not in (OURS, NAIVE):
            try:
                forward(contestant, single)()
            except Exception as error:  # a missing compiler, a missing device: only the backend knows
                reasons[contestant.name] = str(error) or repr(error)
    return reasons


def refusal(contestant: Contestant, config: LayerConfig) -> str:
    """Why a backend refuses a config, as it may, saying so; "" if it does not."""
    try:
        running_backend(config, contestant.backend or "auto")
    except ValueError as error:
        return str(error)
    return ""


def verify_one(contestant: Contestant, case: Case, dtype: str, trial: Trial, expected: Values) -> Verdict:
    """Compare a contestant with what the naive rung gave; an exception is a failure too."""
    config, largest = replace(case.config, dtype=dtype), 0.0
    refused = refusal(contestant, config)
    if refused:
        return Verdict(contestant.name, case.label, dtype, refusal=refused)
    try:
        found = observe_contestant(contestant, config, trial)
        for name, value in found.items():
            assert_close(name, expected[name], value, DTYPES[dtype])
            largest = max(largest, difference(expected[name], value))
    except Exception as error:  # whatever goes wrong in a backend is its failure, and is shown
        return Verdict(contestant.name, case.label, dtype, largest, str(error) or repr(error))
    return Verdict(contestant.name, case.label, dtype, largest)


def verify(known: Iterable[Contestant], todo: Iterable[Case]) -> list[Verdict]:
    """Compare all contestants that compute RIMs with the naive rung, case by case, in float64 and float32."""
    checked = [contestant for contestant in known if is_verified(contestant)]
    verdicts = []
    for case in todo:
        able = [contestant for contestant in checked if can_run(contestant, case)]
        for dtype in ("float64", "float32") if able else ():
            trial = make_trial(case, dtype)
            expected = observe_rim(trial.reference, trial)
            verdicts += [verify_one(contestant, case, dtype, trial, expected) for contestant in able]
    return verdicts


def failed(verdicts: Iterable[Verdict]) -> dict[str, str]:
    """The first failure of each contestant that has one."""
    failures: dict[str, str] = {}
    for verdict in verdicts:
        if verdict.failure:
            failures.setdefault(verdict.contestant, f"{verdict.case}, {verdict.dtype}: {verdict.failure}")
    return failures


def table(verdicts: list[Verdict]) -> str:
    """A line for each comparison."""
    lines = [(v.contestant, v.case, v.dtype, f"{v.difference:.1e}", v.failure or v.refusal or "same") for v in verdicts]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(f"{cell:<{width}}" for cell, width in zip(line, [*widths, 0], strict=True)) for line in lines
    )


def main(argv: list[str] | None = None) -> int:
    """Compare all, print the table; 1 if anything differs, 2 for wrong options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.verify",
        description="Compare every implementation of RIMs with the naive rung.",
        epilog="example: python -m benchmarks.verify --device cuda",
    )
    parser.add_argument("--device", default="cpu", help="where (default: %(default)s)")
    parser.add_argument("--authors-code", type=Path, metavar="DIR", help="a checkout of the authors' published code")
    arguments = parser.parse_args(argv)
    try:
        config = LayerConfig(device=arguments.device)
        known = contestants(arguments.authors_code)
        left_out = unavailable(known.values(), config)
        verdicts = verify((known[name] for name in known if name not in left_out), cases(config))
    except ValueError as error:
        print(f"benchmarks.verify: error: {error}", file=sys.stderr)
        return 2
    print(table(verdicts))
    failures = failed(verdicts)
    for name, reason in left_out.items():
        print(f"{name} cannot run here: {reason}")
    for name, reason in failures.items():
        print(f"{name} differs from {NAIVE}: {reason}", file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())

"""The measures of a layer; each gives rows for all contestants at one config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from benchmarks import authors, memory
from benchmarks.config import LayerConfig
from benchmarks.passes import Call, forward, forward_backward, forward_backward_of, one_step
from benchmarks.registry import CELL_RIVAL, NAIVE, OURS, RIVAL, Contestant, parameters
from benchmarks.results import Row, compare
from benchmarks.timing import clock_of, interleave, rotated

Contestants = Mapping[str, Contestant]
STEP_BATCH = 5  # one sentence, beam 5
LEAST_SECONDS = 0.005  # a timing shorter than this repeats its call
SLOWER = (NAIVE, authors.NAME)
WARM_CALL = "own warm call"


@dataclass(frozen=True)
class Effort:
    """How much is measured.

    Args:
        rounds: of the timings; five times as many of the short one, a step.
        passes: passes for each contestant's memory.
        new_shapes: shapes never seen before.
    """

    rounds: int = 15
    passes: int = 5
    new_shapes: int = 8


@dataclass(frozen=True)
class Setting:
    """What all measures take beside the contestants."""

    config: LayerConfig
    effort: Effort = Effort()
    authors_code: Path | None = None


def layers_only(contestants: Contestants) -> Contestants:
    """Without the cells."""
    return {name: contestant for name, contestant in contestants.items() if not contestant.is_cell}


def with_rivals(
    what: str, figures: Mapping[str, list[float]], rival: str, contestants: Contestants, config: LayerConfig, unit: str
) -> list[Row]:
    """Ratios of all to torch's layer or cell, and of the slower implementations of RIMs to ours."""
    counts = {name: parameters(contestants[name].build(config)) for name in figures}
    about = {"unit": unit, "config": asdict(config), "parameters": counts}
    return [
        *compare(what, figures, rival, **about),  # type: ignore[arg-type]
        *compare(what, figures, OURS, names=SLOWER, **about),  # type: ignore[arg-type]
    ]


def milliseconds(seconds: Mapping[str, list[float]]) -> dict[str, list[float]]:
    """Seconds to ms."""
    return {name: [1000 * value for value in values] for name, values in seconds.items()}


def timed(
    what: str,
    build: Callable[[Contestant, LayerConfig], Call],
    contestants: Contestants,
    setting: Setting,
    *,
    rival: str = RIVAL,
    rounds: int | None = None,
) -> list[Row]:
    """Interleaved timing of the calls that ``build`` makes, in the effort's rounds or as many as given."""
    config = setting.config
    calls = {name: build(contestant, config) for name, contestant in contestants.items()}
    times = interleave(
        calls, rounds=rounds or setting.effort.rounds, clock=clock_of(config.device), least=LEAST_SECONDS
    )
    return with_rivals(what, milliseconds(times), rival, contestants, config, "ms")


def measure_forward(contestants: Contestants, setting: Setting) -> list[Row]:
    """Forward alone."""
    return timed("forward", forward, layers_only(contestants), setting)


def measure_forward_backward(contestants: Contestants, setting: Setting) -> list[Row]:
    """Forward and backward."""
    return timed("forward_backward", forward_backward, layers_only(contestants), setting)


def measure_step(contestants: Contestants, setting: Setting) -> list[Row]:
    """One step of decoding, layers and cells alike."""
    single = replace(setting, config=replace(setting.config, steps=1, batch=STEP_BATCH))
    return timed("step", one_step, contestants, single, rival=CELL_RIVAL, rounds=5 * setting.effort.rounds)


def measure_memory(contestants: Contestants, setting: Setting) -> list[Row]:
    """Peak memory of forward and backward."""
    known = layers_only(contestants)
    about = {"passes": setting.effort.passes, "authors_code": setting.authors_code}
    figures = {name: memory.measure(name, setting.config, **about) for name in known}  # type: ignore[arg-type]
    return with_rivals("memory", figures, RIVAL, known, setting.config, "MiB")


def unseen_shapes(config: LayerConfig, count: int) -> list[LayerConfig]:
    """Configs that differ from the given one and from each other in both T and B; a little smaller than it."""
    return [
        replace(config, steps=max(1, config.steps - 1 - 2 * index), batch=max(1, config.batch - 1 - 3 * index))
        for index in range(count)
    ]


def measure_new_shape(contestants: Contestants, setting: Setting) -> list[Row]:
    """Forward and backward on a shape for the first time, as a ratio to the next calls on it.

    Real batches change their shape all the time; the largest pause over all shapes is in the note.
    """
    config = setting.config
    known = {name: one for name, one in layers_only(contestants).items() if name not in SLOWER}
    clock = clock_of(config.device)
    modules = {name: contestant.build(config) for name, contestant in known.items()}
    for module in modules.values():
        clock(forward_backward_of(module, config))
    first: dict[str, list[float]] = {name: [] for name in known}
    warm: dict[str, list[float]] = {name: [] for name in known}
    for index, shape in enumerate(unseen_shapes(config, setting.effort.new_shapes)):
        for name in rotated(list(known), index):
            call = forward_backward_of(modules[name], shape)
            first[name].append(clock(call))
            warm[name].append(min(clock(call) for _ in range(2)))
    rows = []
    for name in known:
        pause = max(a - b for a, b in zip(first[name], warm[name], strict=True))
        note = f"largest pause {1000 * pause:.1f} ms"
        pair = milliseconds({name: first[name], WARM_CALL: warm[name]})
        rows += compare(
            "new_shape", pair, WARM_CALL, unit="ms", names=[name], config=asdict(config), notes={name: note}
        )
    return rows


Measure = Callable[[Contestants, Setting], list[Row]]
MEASURES: dict[str, Measure] = {
    "forward": measure_forward,
    "forward_backward": measure_forward_backward,
    "step": measure_step,
    "new_shape": measure_new_shape,
    "memory": measure_memory,
}
TITLES = {
    "forward": "Forward, no gradients",
    "forward_backward": "Forward + backward",
    "step": f"One step, B = {STEP_BATCH} (decoding)",
    "new_shape": "Forward + backward, first call on a new shape",
    "memory": "Peak memory of forward + backward",
    "training": "Training of whole models, target words a second",
    "generation": "Beam-5 generation of whole models, sentences a second",
}
SWEPT = ("forward", "forward_backward")

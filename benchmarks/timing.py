"""Interleaved timing: in every round each contestant runs once, so that what slows the machine slows all of them.

A ratio is taken between times of the same round and only then summarised: on a shared machine it varies far less than
the times do.
"""

from __future__ import annotations

import gc
import math
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import torch

Item = TypeVar("Item")
Call = Callable[[], object]
Clock = Callable[[Call], float]
"""Runs a call and gives the seconds it took."""


@dataclass(frozen=True)
class Spread:
    """Median, quartiles and largest of some values."""

    median: float
    low: float
    high: float
    largest: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        enough = values if len(values) > 1 else [*values, *values]
        low, median, high = statistics.quantiles(enough, n=4, method="inclusive")
        return cls(median, low, high, max(values))


def ratios(times: Sequence[float], rival: Sequence[float]) -> Spread:
    """Spread of the ratios round by round; both have one value a round."""
    return Spread.of([time / other for time, other in zip(times, rival, strict=True)])


def wall_seconds(call: Call) -> float:
    """The clock of a CPU."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def cuda_seconds(call: Call) -> float:
    """The clock of a CUDA device: from the first kernel's start to the last one's end, launching included."""
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    start.record()
    call()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000


def clock_of(device: str) -> Clock:
    """The clock that suits a device."""
    return cuda_seconds if torch.device(device).type == "cuda" else wall_seconds


def interleave(
    calls: Mapping[str, Call], *, rounds: int, clock: Clock = wall_seconds, warmup: int = 2, least: float = 0.0
) -> dict[str, list[float]]:
    """Time calls in rounds; the order rotates by one from round to round.

    Args:
        calls: by name.
        rounds: how many times each is timed.
        clock: how.
        warmup: calls of each before the first round, not counted.
        least: seconds that one timing should take at least: a call that is shorter is repeated within it.

    Returns:
        Seconds a call, one for each round, by name.
    """
    repeats = {name: _repeats(call, clock, warmup, least) for name, call in calls.items()}
    repeated = {name: partial(_repeat, call, repeats[name]) for name, call in calls.items()}
    times = interleave_over(range(rounds), repeated, clock=clock)
    return {name: [time / repeats[name] for time in values] for name, values in times.items()}


def interleave_over(
    items: Iterable[Item], calls: Mapping[str, Callable[[Item], object]], *, clock: Clock = wall_seconds
) -> dict[str, list[float]]:
    """Time calls on one item after the other, all of them on the same items; the order rotates.

    Returns:
        Seconds for each item, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    with collector_off():
        for number, item in enumerate(items):
            for name in rotated(list(calls), number):
                times[name].append(clock(partial(calls[name], item)))
    return times


def rotated(names: Sequence[str], number: int) -> list[str]:
    """``names`` with the first ``number`` at the end; goes round."""
    start = number % max(len(names), 1)
    return [*names[start:], *names[:start]]


@contextmanager
def collector_off() -> Iterator[None]:
    """Keep Python's garbage collector from running within a timing."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _repeats(call: Call, clock: Clock, warmup: int, least: float) -> int:
    """Warm a call up, and say how often it is to run within one timing."""
    last = math.inf
    for _ in range(warmup):
        last = clock(call)
    return max(1, math.ceil(least / last)) if last > 0 else 1


def _repeat(call: Call, count: int, _round: int) -> None:
    for _ in range(count):
        call()

"""Learning curves of the seeds of one model, drawn with matplotlib."""

from __future__ import annotations

import statistics
from typing import Any

LINE_STYLES = ("-", "--", ":", "-.")


def draw_runs(
    axis: Any, runs: list[list[tuple[int, float]]], number: int, label: str, colour: str | None = None
) -> None:
    """Draw the mean of the seeds, each of them thin behind it.

    Args:
        axis: of matplotlib.
        runs: of each seed, updates and value; the mean is over the updates that all of them have.
        number: of the model in its table, which gives colour and line style.
        label: the model's name in the legend.
        colour: None: by the number.
    """
    style = {"color": colour or f"C{number % 10}", "linestyle": LINE_STYLES[number // 10 % len(LINE_STYLES)]}
    for run in runs if len(runs) > 1 else []:
        axis.plot(*zip(*run, strict=True), alpha=0.3, linewidth=0.8, **style)
    common = set.intersection(*(set(dict(run)) for run in runs))
    means = [(update, statistics.fmean(dict(run)[update] for run in runs)) for update in sorted(common)]
    axis.plot(*zip(*means, strict=True), label=label, **style)
    axis.set_xlabel("updates")
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.spines[["top", "right"]].set_visible(False)

"""The report's plotly figures; colours of text and grid are set in the page, which has a light and a dark form."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable
from typing import Any

import plotly.graph_objects as go
from cells import Cell
from families import COLOURS
from report_data import system_name
from translation_experiment import TranslationExperiment

MORE_COLOURS = ("#CC79A7", "#D55E00", "#56B4E9", "#B8A500", "#7F7F7F")
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "diamond-open", "square", "triangle-up-open", "x", "star-open", "cross", "hexagon-open")
DIGITS = (1, 2, 5)  # that the labels of an axis begin with
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
MARGIN = {"l": 56, "r": 12, "t": 16, "b": 64}


def plain(text: str) -> str:
    """Text for plotly, which would read tags in it."""
    return html.escape(text, quote=False)


def line_styles(experiment: TranslationExperiment) -> dict[tuple[str, str], dict[str, Any]]:
    """(family, setting) -> options of its line: colour and mark tell the family, dashes the setting."""
    more = [family for family in experiment.families if family not in COLOURS]
    colours = {**COLOURS, **{f: MORE_COLOURS[i % len(MORE_COLOURS)] for i, f in enumerate(more)}}
    styles = {}
    for place, setting in enumerate(experiment.settings):
        for number, family in enumerate(experiment.families):
            mark = number + place // len(DASHES)
            styles[family, setting] = {
                "mode": "lines+markers",
                "line": {"color": colours[family], "dash": DASHES[place % len(DASHES)]},
                "marker": {"symbol": MARKERS[mark % len(MARKERS)], "size": 7},
            }
    return styles


def round_ticks(values: Iterable[float]) -> list[float]:
    """Places of the labels of a logarithmic axis: over less than a decade about five of them, evenly spaced."""
    found = list(values) or [1.0]
    low, high = min(found), max(found)
    if high >= 10 * low:
        return [digit * 10.0**power for power in range(math.floor(math.log10(high)) + 1) for digit in DIGITS]
    wanted = (high - low) / 5 or high / 10
    power = math.floor(math.log10(wanted))
    step = next(digit * 10.0**power for digit in (*DIGITS, 10) if digit * 10.0**power >= wanted)
    return [float(f"{n * step:.6g}") for n in range(max(1, math.floor(low / step)), math.ceil(high / step) + 1)]


def draw_curves(experiment: TranslationExperiment, curves: dict[Cell, list[tuple[int, float]]]) -> dict[str, Any]:
    """Validation perplexity over updates: a line per model; the seeds of one share their entry in the legend.

    A perplexity that is no finite number leaves a gap.
    """
    figure = go.Figure()
    for (family, setting), style in line_styles(experiment).items():
        for seed in experiment.seeds:
            points = curves[Cell(family, setting, seed)]
            name = system_name(experiment, Cell(family, setting, seed))
            figure.add_scatter(
                x=[update for update, _ in points],
                y=[perplexity if math.isfinite(perplexity) else None for _, perplexity in points],
                name=plain(name),
                meta=f"{name}, seed {seed}",
                legendgroup=f"{family} {setting}",
                showlegend=seed == experiment.seeds[0],
                hovertemplate=f"update %{{x}}: %{{y}} (seed {seed})<extra>{plain(name)}</extra>",
                **style,
            )
    perplexities = (perplexity for points in curves.values() for _, perplexity in points)
    ticks = round_ticks(filter(math.isfinite, perplexities))
    figure.update_xaxes(title={"text": "updates", "standoff": 12}, rangemode="tozero")
    figure.update_yaxes(title=f"perplexity, {plain(experiment.target_pair)}", type="log", tickvals=ticks)
    return plain_figure(figure)


def draw_lengths(experiment: TranslationExperiment, found: dict[str, Any]) -> dict[str, Any]:
    """BLEU by length of the source, for one test set."""
    figure = go.Figure()
    names = [f"{name}<br>({count})" for name, count in zip(found["buckets"], found["sentences"], strict=True)]
    for (family, setting), style in line_styles(experiment).items():
        name = system_name(experiment, Cell(family, setting, experiment.seeds[0]))
        template = f"BLEU %{{y:.2f}}<extra>{plain(name)}</extra>"
        bleu = [bucket["mean"] for bucket in found["bleu"][family, setting]]
        deviations = [bucket["std"] for bucket in found["bleu"][family, setting]]
        bars = {"array": deviations, "thickness": 1} if None not in deviations else None
        figure.add_scatter(x=names, y=bleu, error_y=bars, name=plain(name), meta=name, hovertemplate=template, **style)
    figure.update_xaxes(title={"text": "words of the source (sentences)", "standoff": 12}, type="category")
    figure.update_yaxes(title=f"BLEU, {plain(experiment.target_pair)}", rangemode="tozero")
    return plain_figure(figure)


def plain_figure(figure: go.Figure) -> dict[str, Any]:
    """A figure as data, without the template of colours."""
    figure.update_layout(template="none", legend=LEGEND, margin=MARGIN)
    content: dict[str, Any] = figure.to_plotly_json()
    del content["layout"]["template"]
    return content

"""The report's plotly figures; colours of text and grid are set in the page, which has a light and a dark form."""

from __future__ import annotations

import html
from typing import Any

import plotly.graph_objects as go
import table8
from cells import Cell
from report_data import label
from translation_experiment import TranslationExperiment

MORE_COLOURS = ("#CC79A7", "#D55E00", "#56B4E9", "#B8A500", "#7F7F7F")
DASHES = ("solid", "dash", "dot", "dashdot")
MARKERS = ("circle", "diamond-open", "square", "triangle-up-open")
TICKS = [digit * 10**power for power in range(6) for digit in (1, 2, 5)]  # of perplexity
LEGEND = {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0}
MARGIN = {"l": 56, "r": 12, "t": 16, "b": 64}


def plain(text: str) -> str:
    """Text for plotly, which would read tags in it."""
    return html.escape(text, quote=False)


def line_styles(experiment: TranslationExperiment) -> dict[tuple[str, str], dict[str, Any]]:
    """(family, setting) -> options of its line: colour tells the family, dashes and marks the setting."""
    more = [family for family in experiment.families if family not in table8.COLOURS]
    colours = {**table8.COLOURS, **{f: MORE_COLOURS[i % len(MORE_COLOURS)] for i, f in enumerate(more)}}
    return {
        (family, setting): {
            "mode": "lines+markers",
            "name": plain(f"{label(family)}, {' + '.join(pairs)}"),
            "line": {"color": colours[family], "dash": DASHES[place % len(DASHES)]},
            "marker": {"symbol": MARKERS[place % len(MARKERS)], "size": 7},
        }
        for place, (setting, pairs) in enumerate(experiment.settings.items())
        for family in experiment.families
    }


def draw_curves(experiment: TranslationExperiment, curves: dict[Cell, list[tuple[int, float]]]) -> dict[str, Any]:
    """Validation perplexity over updates: a line per model; the seeds of one share their entry in the legend."""
    figure = go.Figure()
    for (family, setting), style in line_styles(experiment).items():
        for seed in experiment.seeds:
            points = curves[Cell(family, setting, seed)]
            figure.add_scatter(
                x=[update for update, _ in points],
                y=[perplexity for _, perplexity in points],
                legendgroup=f"{family} {setting}",
                showlegend=seed == experiment.seeds[0],
                hovertemplate=f"update %{{x}}: %{{y}} (seed {seed})<extra>{style['name']}</extra>",
                **style,
            )
    figure.update_xaxes(title={"text": "updates", "standoff": 12}, rangemode="tozero")
    figure.update_yaxes(title=f"perplexity, {plain(experiment.target_pair)}", type="log", tickvals=TICKS)
    return plain_figure(figure)


def draw_lengths(experiment: TranslationExperiment, found: dict[str, Any]) -> dict[str, Any]:
    """BLEU by length of the source, for one test set."""
    figure = go.Figure()
    names = [f"{name}<br>({count})" for name, count in zip(found["buckets"], found["sentences"], strict=True)]
    for key, style in line_styles(experiment).items():
        template = f"BLEU %{{y:.2f}}<extra>{style['name']}</extra>"
        figure.add_scatter(x=names, y=found["bleu"][key], hovertemplate=template, **style)
    figure.update_xaxes(title={"text": "words of the source (sentences)", "standoff": 12}, type="category")
    figure.update_yaxes(title=f"BLEU, {plain(experiment.target_pair)}", rangemode="tozero")
    return plain_figure(figure)


def plain_figure(figure: go.Figure) -> dict[str, Any]:
    """A figure as data, without the template of colours."""
    figure.update_layout(template="none", legend=LEGEND, margin=MARGIN)
    content: dict[str, Any] = figure.to_plotly_json()
    del content["layout"]["template"]
    return content

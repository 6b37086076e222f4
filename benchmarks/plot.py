"""Figures of the results, drawn from the CSV files alone: ``python -m benchmarks.plot``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.registry import NAIVE, OURS, RIVAL
from benchmarks.results import read_csv
from benchmarks.run import RESULTS

Row = dict[str, str]
COLOURS = {OURS: "#0b62a4", NAIVE: "#8fbce0", RIVAL: "#222222", "nn.GRU": "#8a8a8a", "authors": "#d1495b"}
OTHER, MODEL = "#5a9bd0", "#b9bec4"
AXES = {
    "T": ("sequence length T", "steps"),
    "B": ("batch size B", "batch"),
    "K": ("units K, hidden size fixed", "num_units"),
    "hidden": ("hidden size", "hidden_size"),
}
PANELS = {
    "forward": ("Forward", "time"),
    "forward_backward": ("Forward + backward", "time"),
    "step": ("One decoding step, B = 5", "time"),
    "memory": ("Peak memory, forward + backward", "memory"),
    "training": ("Training", "words/s"),
    "generation": ("Beam-5 generation", "sentences/s"),
}
BEHIND_TEXT: Any = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
STYLE: Any = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "svg.hashsalt": "benchmarks",
}


def colour(name: str) -> str:
    """Of a contestant: ours stands out."""
    if name.startswith("rims_"):
        return COLOURS[OURS]
    if name.endswith(("_tiny", "_small", "_base")):
        return MODEL
    return COLOURS.get(name, OTHER if name.startswith(("rim", "RIM")) else COLOURS["nn.GRU"])


def main_rows(rows: Sequence[Row]) -> list[Row]:
    """The rows with ratios to the main rival, that of the measure's first row; the naive rung's to ours go."""
    rival = {what: next(row["rival"] for row in rows if row["what"] == what) for what in {row["what"] for row in rows}}
    return [row for row in rows if row["rival"] == rival[row["what"]]]


def draw_growth(results: dict[str, list[Row]], what: str = "forward_backward") -> Figure | None:
    """Time and ratio to ``nn.LSTM`` as each size grows; None without a sweep of the measure."""
    sweeps = {
        name: [row for row in main_rows(results.get(f"sweep_{name}", [])) if row["what"] == what] for name in AXES
    }
    found = {name: rows for name, rows in sweeps.items() if rows}
    if not found:
        return None
    figure, grid = plt.subplots(2, len(found), figsize=(3.1 * len(found) + 0.6, 5.4), squeeze=False, sharey="row")
    for column, (name, rows) in enumerate(found.items()):
        for axes, keys in zip(
            grid[:, column], (("median", "low", "high"), ("ratio", "ratio_low", "ratio_high")), strict=True
        ):
            draw_lines(axes, rows, AXES[name][1], keys)
        grid[0, column].set(title=AXES[name][0])
        grid[1, column].set(xlabel=AXES[name][0])
        grid[1, column].axhline(1, color=COLOURS[RIVAL], linewidth=0.8, linestyle=":")
    for axes, label in zip(grid[:, 0], ("ms", f"time / {RIVAL}"), strict=True):
        axes.set(yscale="log", ylabel=label)
        axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
        axes.yaxis.set_minor_formatter(ticker.NullFormatter())
    handles, labels = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="upper right", ncols=len(labels), frameon=False)
    return finish(figure, f"{PANELS[what][0]}: median and quartiles", next(iter(found.values())))


def draw_lines(axes: Axes, rows: Sequence[Row], key: str, keys: tuple[str, str, str]) -> None:
    """A line with a band for each contestant, over the sizes in column ``key``."""
    for name in dict.fromkeys(row["contestant"] for row in rows):
        points = sorted(
            (float(row[key]), *(float(row[part]) for part in keys)) for row in rows if row["contestant"] == name
        )
        x, middle, low, high = zip(*points, strict=True)
        axes.plot(
            x, middle, marker="o", markersize=3.5, color=colour(name), label=name, linewidth=2 if name == OURS else 1.3
        )
        axes.fill_between(x, low, high, color=colour(name), alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    sizes = sorted({int(row[key]) for row in rows})
    axes.set_xticks(sizes, [str(size) for size in sizes])
    axes.minorticks_off()
    axes.grid(axis="y", color="#e4e4e4", linewidth=0.7)
    axes.set_axisbelow(True)


def draw_ratios(results: dict[str, list[Row]]) -> Figure | None:
    """Ratio bars of the layer (``layer``, or else ``quick``) and of the models; None without either."""
    rows = [*(results.get("layer") or results.get("quick") or []), *results.get("models", [])]
    rows = main_rows([row for row in rows if row["what"] in PANELS])
    found = [what for what in PANELS if any(row["what"] == what for row in rows)]
    if not found:
        return None
    columns = min(2, len(found))
    bars = [sum(row["what"] == what for row in rows) for what in found]
    heights = [0.26 * max(bars[start : start + columns]) + 0.95 for start in range(0, len(found), columns)]
    figure, grid = plt.subplots(
        len(heights), columns, figsize=(5 * columns, sum(heights) + 0.6), height_ratios=heights, squeeze=False
    )
    for axes, what in zip(grid.flat, found, strict=False):
        draw_bars(axes, [row for row in rows if row["what"] == what], what)
    for axes in grid.flat[len(found) :]:
        axes.set_visible(False)
    return finish(figure, "Ratios in one run: median and quartiles", rows)


def draw_bars(axes: Axes, rows: Sequence[Row], what: str) -> None:
    """A bar for each contestant, its quartiles as a whisker, its median as a number."""
    title, quantity = PANELS[what]
    names = [row["contestant"] for row in rows]
    middle, low, high = ([float(row[key]) for row in rows] for key in ("ratio", "ratio_low", "ratio_high"))
    spread = [[m - a for m, a in zip(middle, low, strict=True)], [b - m for m, b in zip(middle, high, strict=True)]]
    places = range(len(rows))
    axes.axvline(1, color=COLOURS[RIVAL], linewidth=0.8, linestyle=":", zorder=0)
    shades = [COLOURS[RIVAL] if name == row["rival"] else colour(name) for name, row in zip(names, rows, strict=True)]
    axes.barh(places, middle, color=shades, height=0.72)
    axes.errorbar(middle, places, xerr=spread, fmt="none", ecolor="#e08e0b", elinewidth=1.4, capsize=2.5)
    for place, value, end in zip(places, middle, high, strict=True):
        where = (max(value, end), place)
        axes.annotate(f"{value:.2f}", where, (5, 0), textcoords="offset points", va="center", bbox=BEHIND_TEXT)
    axes.set(yticks=places, yticklabels=names, title=title, xlim=(0, 1.14 * max(high)))
    better = "more" if quantity.endswith("/s") else "less"
    axes.set_xlabel(f"{quantity}, {rows[0]['rival']} = 1; {better} is better", loc="right")
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)


def finish(figure: Figure, title: str, rows: Sequence[Row]) -> Figure:
    """Title, environment and margins."""
    first = rows[0]
    where = first["device_name"] if first["device_name"] != "cpu" else f"{first['machine']}, {first['threads']} threads"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    about = f"{where}; torch {first['torch']}; revision {first['revision']}; {first['date']}"
    figure.text(0.01, 0.008, about, fontsize=7, color="#666666")
    figure.tight_layout(rect=(0, 0.02, 1, 1))
    return figure


DRAWINGS: dict[str, Callable[[dict[str, list[Row]]], Figure | None]] = {"growth": draw_growth, "ratios": draw_ratios}


def draw_all(results: Path, output: Path, formats: Sequence[str]) -> list[Path]:
    """Draw what the results folder has; returns the files.

    Raises:
        ValueError: if the folder has nothing to draw.
    """
    rows = {path.stem: read_csv(path) for path in sorted(results.glob("*.csv"))}
    written = []
    with plt.rc_context(STYLE):
        for name, draw in DRAWINGS.items():
            figure = draw(rows)
            if figure is None:
                continue
            output.mkdir(parents=True, exist_ok=True)
            for kind in formats:
                written.append(output / f"{name}.{kind}")
                figure.savefig(written[-1], dpi=160)
            plt.close(figure)
    if not written:
        raise ValueError(f"{results}: has no results to draw; python -m benchmarks.run writes them")
    return written


def main(argv: list[str] | None = None) -> int:
    """Command line; 2 for wrong options."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.plot",
        description="Draw growth.* and ratios.* from the CSV files of a results folder.",
        epilog="example: python -m benchmarks.plot --format png svg",
    )
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="default: benchmarks/results")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: the results folder")
    parser.add_argument("--format", nargs="+", choices=("png", "svg", "pdf"), default=["png"], help="default: png")
    arguments = parser.parse_args(argv)
    try:
        for path in draw_all(arguments.results, arguments.output or arguments.results, arguments.format):
            print(f"wrote {path}")
    except (ValueError, OSError) as error:
        print(f"benchmarks.plot: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Compare an experiment's models on the validation text: validation.md, .json and .png, to choose what is then tested.

No test set is looked at, so models need not be scored.
"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import Any

from cells import Cell
from curve_chart import draw_runs
from experiment import TranslationExperiment, load_translation
from families import COLOURS, label
from figures import duration, plus_minus, read_json, spread
from files import write_json, write_text, written_whole
from learning_curves import learning_curves

LEGEND_LINE = 0.19  # inches
MODEL_KEYS = ("arch", "parameters", "updates", "training_seconds")

Curve = list[tuple[int, float | None]]
"""Updates and perplexity; None where that was NaN or infinite."""


def finite(curve: Curve) -> list[tuple[int, float]]:
    """The points that have a perplexity."""
    return [(update, perplexity) for update, perplexity in curve if perplexity is not None]


def read_curves(experiment: TranslationExperiment) -> dict[Cell, Curve]:
    """The learning curve of every cell.

    Raises:
        ValueError: if a log is missing, or has no perplexity of the target pair that is a number.
    """
    curves: dict[Cell, Curve] = {}
    for cell, curve in learning_curves(experiment).items():
        curves[cell] = [(update, value if math.isfinite(value) else None) for update, value in curve]
        if not finite(curves[cell]):
            raise ValueError(f"{experiment.model_dir(cell) / 'train.log'}: has no perplexity that is a number, so the "
                             "training has diverged; give the family other options")  # fmt: skip
    return curves


def table_row(
    experiment: TranslationExperiment, family: str, setting: str, curves: dict[Cell, Curve]
) -> dict[str, Any]:
    """One row: the lowest perplexity of the target pair, over the seeds, and the curves that it is read from.

    Raises:
        ValueError: if a model is missing or damaged.
    """
    cells = [Cell(family, setting, seed) for seed in experiment.seeds]
    models = [read_json(experiment.model_dir(cell) / "model.json", MODEL_KEYS) for cell in cells]
    return {
        "family": family,
        "setting": setting,
        "pairs": experiment.settings[setting],
        "arch": models[0]["arch"],
        "options": experiment.families[family]["options"],
        "perplexity": spread([min(perplexity for _, perplexity in finite(curves[cell])) for cell in cells]),
        "parameters": models[0]["parameters"],
        "updates": spread([model["updates"] for model in models]),
        "training_seconds": spread([model["training_seconds"] for model in models]),
        "curves": {cell.name: curves[cell] for cell in cells},
    }


def collect(experiment: TranslationExperiment) -> dict[str, Any]:
    """Everything the table shows, as it goes to validation.json."""
    curves = read_curves(experiment)
    return {
        "experiment": experiment.name,
        "target_pair": experiment.target_pair,
        "seeds": experiment.seeds,
        "options": experiment.options,
        "rows": [
            table_row(experiment, family, setting, curves)
            for setting in experiment.settings
            for family in experiment.families
        ],
    }


def markdown(table: dict[str, Any]) -> str:
    """The table as Markdown."""
    header = ["trained on", "model", "architecture and own options", "valid ppl", "parameters", "updates", "training"]
    lines = [f"| {' | '.join(header)} |", "|---|---|---|" + "---:|" * (len(header) - 3)]
    for row in table["rows"]:
        cells = [
            ", ".join(row["pairs"]),
            label(row["family"]),
            f"`{shlex.join([row['arch'], *row['options']])}`",
            plus_minus(row["perplexity"]),
            f"{row['parameters']:,}",
            f"{row['updates']['mean']:,.0f}",
            duration(row["training_seconds"]["mean"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    broken = [
        f"{label(row['family'])} ({', '.join(row['pairs'])})"
        for row in table["rows"]
        if any(perplexity is None for curve in row["curves"].values() for _, perplexity in curve)
    ]
    notes = [
        f"valid ppl: the lowest perplexity of a subword of the validation text, {table['target_pair']}; "
        f"{'mean ± standard deviation over the seeds' if len(table['seeds']) > 1 else 'one seed'}, "
        f"{', '.join(map(str, table['seeds']))}.",
        f"Options of all: `{shlex.join(table['options'])}`.",
        "training: wall time, validation included.",
        *([f"NaN or infinite at some validations, which do not count: {', '.join(broken)}."] if broken else []),
    ]
    return "\n".join(
        [f"# {table['experiment']}, on the validation text", "", *lines, "", *(f"- {n}" for n in notes), ""]
    )


def draw(table: dict[str, Any], path: Path) -> None:
    """Validation perplexity over updates, a panel for each setting; the perplexity's axis is logarithmic."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    settings = {row["setting"]: ", ".join(row["pairs"]) for row in table["rows"]}
    height = max(3.6, 0.5 + LEGEND_LINE * len(table["rows"]) / len(settings))
    figure, axes = pyplot.subplots(1, len(settings), figsize=(4.2 * len(settings) + 1.5, height), layout="constrained",
                                   squeeze=False, sharey=True)  # fmt: skip
    for axis, setting in zip(axes[0], settings, strict=True):
        for number, row in enumerate(row for row in table["rows"] if row["setting"] == setting):
            draw_runs(
                axis,
                [finite(curve) for curve in row["curves"].values()],
                number,
                label(row["family"]),
                COLOURS.get(row["family"]),
            )
        axis.set_title(settings[setting], fontsize=10)
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.yaxis.set_minor_formatter("{x:g}")
        axis.tick_params(axis="y", which="both", labelsize=8)
    axes[0][0].set_ylabel(f"validation perplexity, {table['target_pair']}")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(path, dpi=150, format="png")
    pyplot.close(figure)


def write_tables(experiment: TranslationExperiment) -> str:
    """Write the three files, each in full or not at all; returns the Markdown."""
    table = collect(experiment)
    text = markdown(table)
    write_json(experiment.root / "validation.json", table)
    write_text(experiment.root / "validation.md", text)
    with written_whole(experiment.root / "validation.png") as picture:
        draw(table, picture)
    return text


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the table and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/validation_table.py --config configs/table8_formal_tuning.yaml",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file whose cells are all trained")
    try:
        print(write_tables(load_translation(parser.parse_args(argv).config)), end="")
    except ValueError as error:
        print(f"validation_table.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Put the scores of an experiment on sequences in a table: table.md, .json, .csv, and the learning curves as .png."""

from __future__ import annotations

import argparse
import csv
import io
import math
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cells import Cell
from curve_chart import draw_runs
from experiment import SequenceExperiment, load_sequences
from figures import duration, plus_minus, read_json, spread
from files import write_json, write_text, written_whole
from train import parse_log

MODEL_KEYS = ("parameters", "updates", "training_seconds", "arch")
NAMES = {
    "loss": "loss", "accuracy": "accuracy", "perplexity": "perplexity per word",
    "character_accuracy": "characters right", "exact_match": "answers right",
}  # fmt: skip
DECIMALS = {"loss": 3, "perplexity": 2}
MORE_IS_BETTER = {"accuracy", "character_accuracy", "exact_match"}


def chance_level(experiment: SequenceExperiment, setting: str, test: str) -> float | None:
    """What the best constant answer gets on a test; None where the facts of the data do not say."""
    facts = experiment.facts(setting)
    splits = facts.get("splits", {test: {}})
    return {**facts.get("chance", {}), **splits[test].get("chance", {})}.get(experiment.metric)


def curve(experiment: SequenceExperiment, cell: Cell) -> list[tuple[int, float]]:
    """Updates and validation loss in nats, or squared error; after a resumption the later figures count."""
    unit = 1 if experiment.description(cell)["task"] == "sequence_prediction" else math.log(2)  # fairseq logs bits
    log = (experiment.model_dir(cell) / "train.log").read_text(encoding="utf-8", errors="replace")
    points = {
        int(values["valid_num_updates"]): unit * float(values["valid_loss"])
        for stage, values in parse_log(log) if stage == "valid"
    }  # fmt: skip
    return sorted(points.items())


def _scores(experiment: SequenceExperiment, cell: Cell, test: str) -> dict[str, float]:
    """The scores of a cell on a test."""
    path = experiment.score_file(cell)
    scores = read_json(path, (test,))[test]
    if experiment.metric not in scores:
        raise ValueError(f"{path}: has no {experiment.metric}; {test} has {', '.join(scores)}")
    return dict(scores)


def table_row(experiment: SequenceExperiment, family: str) -> dict[str, Any]:
    """One row: the scores of each column over the seeds, and what training took.

    Raises:
        ValueError: if a model or score is missing or damaged.
    """
    columns = {}
    for column, (setting, test) in experiment.columns.items():
        cells = [Cell(family, setting, seed) for seed in experiment.seeds]
        scores = [_scores(experiment, cell, test) for cell in cells]
        columns[column] = {
            **{metric: spread([score[metric] for score in scores]) for metric in scores[0]},
            "paper": experiment.paper.get(family, {}).get(column),
        }
    cells = [cell for cell in experiment.cells() if cell.family == family]
    models = [read_json(experiment.model_dir(cell) / "model.json", MODEL_KEYS) for cell in cells]
    return {
        "family": family,
        "arch": models[0]["arch"],
        "options": experiment.families[family]["options"],
        "columns": columns,
        "parameters": models[0]["parameters"],
        "updates": spread([model["updates"] for model in models]),
        "training_seconds": spread([model["training_seconds"] for model in models]),
        "curves": {cell.name: curve(experiment, cell) for cell in cells},
    }


def collect(experiment: SequenceExperiment) -> dict[str, Any]:
    """Everything the table shows, as it goes to table.json."""
    return {
        "experiment": experiment.name,
        "metric": experiment.metric,
        "seeds": experiment.seeds,
        "paper": experiment.paper_source,
        "data": {setting: " ".join(words) for setting, words in experiment.settings.items()},
        "chance": {column: chance_level(experiment, *place) for column, place in experiment.columns.items()},
        "rows": [table_row(experiment, family) for family in experiment.families],
    }


def figure_text(metric: str, value: dict[str, Any] | float) -> str:
    """A score for a reader: shares in percent, losses with three decimals, or more to show two digits."""
    scale = 100 if metric in MORE_IS_BETTER else 1
    mean, deviation = (value["mean"], value["std"]) if isinstance(value, dict) else (value, None)
    digits = DECIMALS.get(metric, 1)
    if metric == "loss" and 0 < mean < 0.01:
        digits = 1 - math.floor(math.log10(mean))
    shown = {"mean": scale * mean, "std": None if deviation is None else scale * deviation}
    return plus_minus(shown, f"{{:.{digits}f}}")


def markdown(table: dict[str, Any], columns: dict[str, tuple[str, str]]) -> str:
    """The table as Markdown; the paper's figures are beside ours where there are any."""
    metric = table["metric"]
    has_paper = {column for row in table["rows"] for column in columns if row["columns"][column]["paper"] is not None}
    header = ["model"]
    for column in columns:
        header += [column, *(["paper"] if column in has_paper else [])]
    header += ["parameters", "updates", "training"]
    lines = [f"| {' | '.join(header)} |", "|---|" + "---:|" * (len(header) - 1)]
    lines += [_row_text(row, metric, columns, has_paper) for row in table["rows"]]
    return "\n".join([f"# {table['experiment']}", "", *lines, "", *(f"- {note}" for note in _notes(table)), ""])


def _row_text(row: dict[str, Any], metric: str, columns: dict[str, tuple[str, str]], has_paper: set[str]) -> str:
    cells = [row["family"]]
    for column in columns:
        result = row["columns"][column]
        cells.append(figure_text(metric, result[metric]))
        if column in has_paper:
            cells.append("–" if result["paper"] is None else f"{result['paper']:.{2 if metric == 'loss' else 1}f}")
    cells.append(f"{row['parameters']:,}")
    cells += [f"{row['updates']['mean']:,.0f}", duration(row["training_seconds"]["mean"])]
    return f"| {' | '.join(cells)} |"


def _notes(table: dict[str, Any]) -> Iterator[str]:
    seeds = table["seeds"]
    averaged = f"mean ± standard deviation over the seeds {', '.join(map(str, seeds))}"
    unit = ", in percent" if table["metric"] in MORE_IS_BETTER else ""
    of_steps = ", mean of the steps that count" if table["metric"] == "loss" else ""
    better = "more" if table["metric"] in MORE_IS_BETTER else "less"
    over = averaged if len(seeds) > 1 else f"one seed ({seeds[0]})"
    yield f"{NAMES[table['metric']]}{unit}{of_steps}, {better} is better; {over}."
    levels = {c: figure_text(table["metric"], level) for c, level in table["chance"].items() if level is not None}
    if levels:
        alike = len(set(levels.values())) == 1
        each = [next(iter(levels.values()))] if alike else [f"{column} {text}" for column, text in levels.items()]
        yield f"Chance level, the best constant answer: {', '.join(each)}."
    if table["paper"]:
        yield f"paper: {table['paper']}."
    yield "training: wall time of a model, validation included."


def comma_separated(table: dict[str, Any]) -> str:
    """One line per model, column, seed and metric."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["family", "column", "metric", "seed", "value", "paper", "parameters", "updates"])
    for row in table["rows"]:
        for column, result in row["columns"].items():
            for metric, value in result.items():
                if metric == "paper":
                    continue
                paper = result["paper"] if metric == table["metric"] and result["paper"] is not None else ""
                for seed, figure in zip(table["seeds"], value["values"], strict=True):
                    writer.writerow([row["family"], column, metric, seed, figure, paper, row["parameters"],
                                     round(row["updates"]["mean"])])  # fmt: skip
    return stream.getvalue()


def draw(experiment: SequenceExperiment, table: dict[str, Any], path: Path) -> None:
    """Validation loss over updates, a panel for each data set: the mean of the seeds, each of them thin behind it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    settings = list(experiment.settings)
    figure, axes = pyplot.subplots(1, len(settings), figsize=(4.2 * len(settings) + 1.5, 3.4), layout="constrained",
                                   squeeze=False)  # fmt: skip
    for axis, setting in zip(axes[0], settings, strict=True):
        for number, row in enumerate(table["rows"]):
            runs = [row["curves"][Cell(row["family"], setting, seed).name] for seed in experiment.seeds]
            draw_runs(axis, runs, number, row["family"])
        level = chance_level(experiment, setting, experiment.tests[0])
        if experiment.metric == "loss" and level is not None:
            axis.axhline(level, color="black", linestyle=":", linewidth=1, label="chance")
        axis.set_title(setting if len(settings) > 1 else experiment.name, fontsize=10)
    has_values = experiment.facts(settings[0]).get("target_kind") == "values"
    axes[0][0].set_ylabel(f"validation loss ({'squared error' if has_values else 'nats'})")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    figure.savefig(path, dpi=150, format="png")
    pyplot.close(figure)


def write_tables(experiment: SequenceExperiment) -> str:
    """Write the four files, each in full or not at all; returns the Markdown."""
    table = collect(experiment)
    text = markdown(table, experiment.columns)
    write_text(experiment.root / "table.csv", comma_separated(table))
    write_json(experiment.root / "table.json", table)
    write_text(experiment.root / "table.md", text)
    with written_whole(experiment.root / "table.png") as picture:
        draw(experiment, table, picture)
    return text


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the table and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/sequence_table.py --config configs/copying.yaml",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file whose cells are all scored")
    try:
        print(write_tables(load_sequences(parser.parse_args(argv).config)), end="")
    except ValueError as error:
        print(f"sequence_table.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

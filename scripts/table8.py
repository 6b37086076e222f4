"""Put an experiment's scores in a table beside the paper's Table 8: table8.md, .json, .csv and .png."""

from __future__ import annotations

import argparse
import csv
import io
import logging
import sys
from pathlib import Path
from typing import Any

from cells import Cell
from experiment import TranslationExperiment, load_translation
from families import COLOURS, label, paper_bleu
from figures import duration, plus_minus, spread
from files import write_json, write_text, written_whole

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

import comparisons  # noqa: E402
from scored_cells import METRICS, MODEL_KEYS, SIGNATURES, ScoredCell, read_cell  # noqa: E402

from fairseq_plugins.scoring import read_lines  # noqa: E402


def decided(experiment: TranslationExperiment) -> dict[str, Any]:
    """What the experiment file decides of the content of table8.json."""
    return {
        "experiment": experiment.name,
        "target_pair": experiment.target_pair,
        "settings": dict(experiment.settings),
        "families": dict(experiment.families),
        "options": experiment.options,
        "setting_options": experiment.setting_options,
        "seeds": experiment.seeds,
        "search": {"beam": experiment.beam, "max_len_a": experiment.max_len_a, "max_len_b": experiment.max_len_b},
        "bootstrap_samples": experiment.bootstrap,
    }


def common_signature(experiment: TranslationExperiment, results: dict[Cell, ScoredCell], metric: str) -> str:
    """The sacreBLEU signature of all scores.

    Raises:
        ValueError: if they have different ones.
    """
    key = f"{metric}_signature"
    seen = {scores[key] for result in results.values() for scores in result.scores.values()}
    if len(seen) > 1:
        raise ValueError(f"the scores were made with different {metric} signatures ({', '.join(sorted(seen))}); "
                         f"remove {experiment.root / 'scores'} and run the workflow again")  # fmt: skip
    return seen.pop()


def table_row(
    experiment: TranslationExperiment, results: dict[Cell, ScoredCell], family: str, setting: str
) -> dict[str, Any]:
    """One row of the table."""
    cells, pairs = [results[Cell(family, setting, seed)] for seed in experiment.seeds], experiment.settings[setting]
    models = [cell.model for cell in cells]
    speeds = [model["words_per_second"] for model in models if model["words_per_second"]]
    decoded = [_total(cell, "lines") / _total(cell, "seconds") for cell in cells]
    tests = {
        test: {metric: spread([cell.scores[test][metric] for cell in cells]) for metric in METRICS}
        for test in experiment.tests
    }
    first, *others = experiment.tests
    gaps = {
        test: spread([round(cell.scores[test]["bleu"] - cell.scores[first]["bleu"], 2) for cell in cells])
        for test in others
    }
    return {
        "family": family,
        "setting": setting,
        "pairs": pairs,
        "tests": tests,
        "gaps": gaps,
        "paper_bleu": paper_bleu(family, len(pairs)),
        "parameters": models[0]["parameters"],
        "updates": spread([model["updates"] for model in models]),
        "training_seconds": spread([model["training_seconds"] for model in models]),
        "words_per_second": spread(speeds) if speeds else None,
        "sentences_per_second": spread(decoded),
        "models": [
            {**{key: cell.model[key] for key in MODEL_KEYS}, "hypotheses_sha256": cell.digests} for cell in cells
        ],
    }


def _total(cell: ScoredCell, key: str) -> float:
    """A figure of a model's scores, summed over the test sets."""
    return float(sum(scores[key] for scores in cell.scores.values()))


def collect(experiment: TranslationExperiment) -> dict[str, Any]:
    """Everything the table shows, as it goes to table8.json.

    Raises:
        ValueError: if a model or score is missing or damaged, a translation is not aligned with its reference, or
            scores were made with different sacreBLEU signatures.
    """
    references = {test: read_lines(experiment.test_files(test)[1]) for test in experiment.tests}
    results = {cell: read_cell(experiment, cell, references) for cell in experiment.cells()}
    signatures = {metric: common_signature(experiment, results, metric) for metric in SIGNATURES}
    return {
        **decided(experiment),
        "signatures": signatures,
        "rows": [
            table_row(experiment, results, family, setting)
            for setting in experiment.settings
            for family in experiment.families
        ],
        "comparisons": comparisons.comparisons(experiment, results, references),
    }


def markdown(table: dict[str, Any], tests: list[str]) -> str:
    """The table as Markdown."""
    names = [test.replace("_", " ") for test in tests]
    header = [
        "trained on", "model", *(f"BLEU {n}" for n in names), *(f"{n} − {names[0]}" for n in names[1:]), "BLEU paper",
        *(f"chrF {n}" for n in names), *(f"length {n}" for n in names), "parameters", "training", "words/s",
        "sentences/s",
    ]  # fmt: skip
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * 2 + "---:|" * (len(header) - 2)]
    for row in table["rows"]:
        results = [row["tests"][test] for test in tests]
        speed = row["words_per_second"]
        cells = [
            ", ".join(row["pairs"]),
            label(row["family"]),
            *(plus_minus(result["bleu"]) for result in results),
            *(plus_minus(gap, "{:+.2f}") for gap in row["gaps"].values()),
            "–" if row["paper_bleu"] is None else f"{row['paper_bleu']:.2f}",
            *(plus_minus(result["chrf"]) for result in results),
            *(plus_minus(result["length_ratio"]) for result in results),
            f"{row['parameters']:,}",
            duration(row["training_seconds"]["mean"]),
            plus_minus(speed, "{:,.0f}") if speed else "–",
            plus_minus(row["sentences_per_second"], "{:,.1f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    seeds, search = table["seeds"], table["search"]
    averaged = f"mean ± standard deviation over the seeds {', '.join(map(str, seeds))}"
    notes = [
        f"{averaged if len(seeds) > 1 else f'one seed ({seeds[0]})'}; detokenised {table['target_pair']}.",
        f"BLEU: `{table['signatures']['bleu']}`. chrF: `{table['signatures']['chrf']}`.",
        "length: words of the translation for each of the reference. Below 1 BLEU has a brevity penalty, above it "
        f"precision falls. Search: beam {search['beam']}, at most {search['max_len_a']:g} subwords for each of the "
        f"source, and {search['max_len_b']}.",
        "BLEU paper: Goyal et al. (2021), Table 8, trained on WMT and tested on IWSLT14; other data and other sizes, "
        "so compare the order, not the figures; after a short training the order says little too.",
        "training: wall time, validation included. words/s: target subword tokens in training, the median. "
        "sentences/s: beam search over all test sets. All three depend on what else the machine did; benchmarks/ "
        "compares speeds.",
    ]
    parts = [f"# {table['experiment']}", "", *lines, "", *(f"- {note}" for note in notes), ""]
    return "\n".join([*parts, *comparisons.markdown(table, tests)])


def comma_separated(table: dict[str, Any]) -> str:
    """One line per model, setting, test set and seed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["family", "setting", "pairs", "test", "seed", *METRICS, "paper_bleu", "parameters",
         "updates", "training_seconds", "words_per_second", "hypothesis_sha256"]
    )  # fmt: skip
    for row in table["rows"]:
        for test, result in row["tests"].items():
            for index, (seed, model) in enumerate(zip(table["seeds"], row["models"], strict=True)):
                writer.writerow(
                    [row["family"], row["setting"], " ".join(row["pairs"]), test, seed,
                     *(result[metric]["values"][index] for metric in METRICS), row["paper_bleu"] or "",
                     model["parameters"], model["updates"], model["training_seconds"], model["words_per_second"],
                     model["hypotheses_sha256"][test]]
                )  # fmt: skip
    return stream.getvalue()


def draw(table: dict[str, Any], tests: list[str], path: Path) -> None:
    """A panel per test set and one for the paper: BLEU by setting, a bar per family, error bars over the seeds."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = table["rows"]
    settings = list(dict.fromkeys(row["setting"] for row in rows))
    families = list(dict.fromkeys(row["family"] for row in rows))
    labels = {row["setting"]: "\n+ ".join(row["pairs"]) for row in rows}
    panels = [(test.replace("_", " "), [_mean_and_std(row["tests"][test]["bleu"]) for row in rows]) for test in tests]
    panels.append(("the paper, Table 8\n(other data and sizes)", [(row["paper_bleu"], None) for row in rows]))
    figure, axes = pyplot.subplots(1, len(panels), figsize=(3.4 * len(panels), 3.6), layout="constrained")
    width = 0.8 / len(families)
    for axis, (title, values) in zip(axes, panels, strict=True):
        for row, (mean, deviation) in zip(rows, values, strict=True):
            if mean is None:
                continue
            place = settings.index(row["setting"]) + (families.index(row["family"]) - (len(families) - 1) / 2) * width
            colour = COLOURS.get(row["family"], "#666666")
            axis.bar(place, mean, 0.92 * width, yerr=deviation, capsize=3, color=colour)
            text = (0, 3 if not deviation else 5)
            axis.annotate(f"{mean:.1f}", (place, mean + (deviation or 0)), text, textcoords="offset points",
                          ha="center", fontsize=8)  # fmt: skip
        axis.set_title(title, fontsize=10)
        axis.set_xticks(range(len(settings)), [labels[setting] for setting in settings], fontsize=9)
        axis.set_xlim(-0.5, len(settings) - 0.5)
        axis.margins(y=0.12)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel(f"BLEU, {table['target_pair']}")
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=COLOURS.get(family, "#666666")) for family in families]
    figure.legend(handles, [label(family) for family in families], loc="outside lower center",
                  ncols=len(families), frameon=False)  # fmt: skip
    figure.savefig(path, dpi=150, format="png")
    pyplot.close(figure)


def _mean_and_std(value: dict[str, Any]) -> tuple[float | None, float | None]:
    return value["mean"], value["std"]


def write_tables(experiment: TranslationExperiment) -> str:
    """Write the four files, each in full or not at all; returns the Markdown."""
    table = collect(experiment)
    text = markdown(table, experiment.tests)
    write_text(experiment.root / "table8.csv", comma_separated(table))
    write_json(experiment.root / "table8.json", table)
    write_text(experiment.root / "table8.md", text)
    with written_whole(experiment.root / "table8.png") as picture:
        draw(table, experiment.tests, picture)
    return text


def main(argv: list[str] | None = None) -> int:
    """Command line; prints the table and returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/table8.py --config configs/demo.yaml",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file whose cells are all scored")
    try:
        print(write_tables(load_translation(parser.parse_args(argv).config)), end="")
    except ValueError as error:
        print(f"table8.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Put an experiment's scores in a table beside the paper's Table 8: table8.md, .json, .csv and .png."""

from __future__ import annotations

import argparse
import csv
import io
import itertools
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cells import Cell
from experiment import TranslationExperiment, load_translation
from figures import duration, plus_minus, read_json, spread
from files import sha256, write_json, write_text, written_whole

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)

from fairseq_plugins.scoring import check_line_counts, paired_bootstrap, read_lines  # noqa: E402

METRICS = ("bleu", "chrf")
SCORE_KEYS = (*METRICS, *(f"{metric}_signature" for metric in METRICS), "lines", "seconds")
MODEL_KEYS = (
    "arch", "parameters", "updates", "training_seconds", "words_per_second", "threads", "machine", "data",
    "versions",
)  # fmt: skip
BASELINE = "lstm"
SIGNIFICANT = 0.025  # of each side: sacreBLEU's p-value has one tail where a difference is clear
# Goyal et al. (2021), Recurrent Independent Mechanisms, Appendix F, Table 8: BLEU of models trained on WMT,
# tested on IWSLT14 en-de; by family, then by the number of pairs trained on (en-de; en-de and en-fr).
PAPER = {
    "transformer": {1: 22.89, 2: 22.92},
    "lstm": {1: 21.32, 2: 20.37},
    "rims": {1: 23.71, 2: 24.23},
}
LABELS = {"rims": "RIMs", "lstm": "LSTM", "transformer": "Transformer"}
COLOURS = {"rims": "#0072B2", "lstm": "#E69F00", "transformer": "#009E73"}


@dataclass(frozen=True)
class Finished:
    """What training and scoring left of one cell.

    Attributes:
        model: the content of its model.json.
        scores: test set -> its scores.
        hypotheses: test set -> the translation, a segment a line.
        digests: test set -> SHA-256 of the file of the translation.
    """

    model: dict[str, Any]
    scores: dict[str, dict[str, Any]]
    hypotheses: dict[str, list[str]]
    digests: dict[str, str]


def label(family: str) -> str:
    """A family's name for people."""
    return LABELS.get(family, family)


def decided(experiment: TranslationExperiment) -> dict[str, Any]:
    """What the experiment file decides of the content of table8.json."""
    return {
        "experiment": experiment.name,
        "target_pair": experiment.target_pair,
        "options": experiment.options,
        "setting_options": experiment.setting_options,
        "family_options": {name: how["options"] for name, how in experiment.families.items()},
        "seeds": experiment.seeds,
        "bootstrap_samples": experiment.bootstrap,
    }


def read_hypotheses(experiment: TranslationExperiment, cell: Cell, test: str, reference: list[str]) -> list[str]:
    """A translation of a test set, checked to be aligned with the reference."""
    path = experiment.hypothesis_file(cell, test)
    lines = read_lines(path)
    check_line_counts(lines, reference, path, experiment.test_files(test)[1])
    return lines


def read_cell(experiment: TranslationExperiment, cell: Cell, references: dict[str, list[str]]) -> Finished:
    """Read one cell; its translations are checked to be aligned with the references."""
    model = read_json(experiment.model_dir(cell) / "model.json", MODEL_KEYS)
    scores = {test: read_json(experiment.score_file(cell, test), SCORE_KEYS) for test in experiment.tests}
    hypotheses = {test: read_hypotheses(experiment, cell, test, references[test]) for test in experiment.tests}
    digests = {test: sha256(experiment.hypothesis_file(cell, test)) for test in experiment.tests}
    return Finished(model, scores, hypotheses, digests)


def p_values(
    experiment: TranslationExperiment, results: dict[Cell, Finished], references: list[str], setting: str, test: str
) -> dict[str, dict[int, float]]:
    """Family -> seed -> p-value of its BLEU against the LSTM of the same setting and seed."""
    families = [family for family in experiment.families if family != BASELINE]
    values: dict[str, dict[int, float]] = {family: {} for family in experiment.families}
    if BASELINE not in experiment.families or not families:
        return values
    for seed in experiment.seeds:
        baseline = results[Cell(BASELINE, setting, seed)].hypotheses[test]
        systems = {family: results[Cell(family, setting, seed)].hypotheses[test] for family in families}
        found = paired_bootstrap(baseline, systems, references, samples=experiment.bootstrap)
        for family, value in found.items():
            values[family][seed] = value
    return values


def common_signature(experiment: TranslationExperiment, results: dict[Cell, Finished], metric: str) -> str:
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


def differences(cells: dict[int, Finished], others: dict[int, Finished], test: str) -> dict[int, float]:
    """Seed -> BLEU on a test set, less that of another model."""
    return {
        seed: round(cells[seed].scores[test]["bleu"] - other.scores[test]["bleu"], 2) for seed, other in others.items()
    }


def table_row(
    experiment: TranslationExperiment, results: dict[Cell, Finished], family: str, setting: str, p: dict[str, Any]
) -> dict[str, Any]:
    """One row of the table; ``p`` is test set -> seed -> p-value."""
    by_seed = {seed: results[Cell(family, setting, seed)] for seed in experiment.seeds}
    compared = BASELINE in experiment.families and family != BASELINE
    baseline = {seed: results[Cell(BASELINE, setting, seed)] for seed in experiment.seeds if compared}
    cells, pairs = list(by_seed.values()), experiment.settings[setting]
    models = [cell.model for cell in cells]
    speeds = [model["words_per_second"] for model in models if model["words_per_second"]]
    decoded = [_total(cell, "lines") / _total(cell, "seconds") for cell in cells]
    tests = {
        test: {
            **{metric: spread([cell.scores[test][metric] for cell in cells]) for metric in METRICS},
            "p_values": p[test],
            "differences": differences(by_seed, baseline, test),
        }
        for test in p
    }
    first, *others = p
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
        "paper_bleu": PAPER.get(family, {}).get(len(pairs)),
        "parameters": models[0]["parameters"],
        "updates": spread([model["updates"] for model in models]),
        "training_seconds": spread([model["training_seconds"] for model in models]),
        "words_per_second": spread(speeds) if speeds else None,
        "sentences_per_second": spread(decoded),
        "models": [
            {**{key: cell.model[key] for key in MODEL_KEYS}, "hypotheses_sha256": cell.digests} for cell in cells
        ],
    }


def _total(cell: Finished, key: str) -> float:
    """A figure of a model's scores, summed over the test sets."""
    return float(sum(scores[key] for scores in cell.scores.values()))


def effect(
    couples: dict[int, tuple[Finished, Finished]], test: str, references: list[str], samples: int
) -> dict[str, Any]:
    """What changes on a test set from the first to the second model of each seed: BLEU, and the p-values of that."""
    first, second = ({seed: couple[place] for seed, couple in couples.items()} for place in (0, 1))
    changes = differences(second, first, test)
    return {
        "bleu": spread(list(changes.values())),
        "differences": changes,
        "p_values": {
            seed: paired_bootstrap(
                before.hypotheses[test], {"new": after.hypotheses[test]}, references, samples=samples
            )["new"]
            for seed, (before, after) in couples.items()
        },
    }


def effects(
    experiment: TranslationExperiment, results: dict[Cell, Finished], references: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """What more language pairs change: each setting against the first one, family by family, over the seeds."""
    first, *others = experiment.settings
    rows = []
    for setting, family in itertools.product(others, experiment.families):
        couples = {
            seed: (results[Cell(family, first, seed)], results[Cell(family, setting, seed)])
            for seed in experiment.seeds
        }
        paper = [PAPER.get(family, {}).get(len(experiment.settings[name])) for name in (first, setting)]
        known = [figure for figure in paper if figure is not None]
        rows.append(
            {
                "family": family,
                "setting": setting,
                "than": first,
                "tests": {
                    test: effect(couples, test, lines, experiment.bootstrap) for test, lines in references.items()
                },
                "paper_bleu": round(known[1] - known[0], 2) if len(known) == 2 else None,
            }
        )
    return rows


def collect(experiment: TranslationExperiment) -> dict[str, Any]:
    """Everything the table shows, as it goes to table8.json.

    Raises:
        ValueError: if a model or score is missing or damaged, a translation is not aligned with its reference, or
            scores were made with different sacreBLEU signatures.
    """
    references = {test: read_lines(experiment.test_files(test)[1]) for test in experiment.tests}
    results = {cell: read_cell(experiment, cell, references) for cell in experiment.cells()}
    signatures = {metric: common_signature(experiment, results, metric) for metric in METRICS}
    rows = []
    for setting in experiment.settings:
        p = {test: p_values(experiment, results, lines, setting, test) for test, lines in references.items()}
        for family in experiment.families:
            rows.append(table_row(experiment, results, family, setting, {test: p[test][family] for test in p}))
    return {
        **decided(experiment),
        "signatures": signatures,
        "rows": rows,
        "effects": effects(experiment, results, references),
    }


def is_significant(result: dict[str, Any]) -> bool:
    """Whether the same side is ahead at every seed, by more than chance explains."""
    signs = {difference > 0 for difference in result["differences"].values()}
    return len(signs) == 1 and max(result["p_values"].values()) < SIGNIFICANT


def bleu_text(result: dict[str, Any]) -> str:
    """BLEU with a star where the difference to the LSTM is significant."""
    return plus_minus(result["bleu"]) + ("*" if is_significant(result) else "")


def p_text(result: dict[str, Any]) -> str:
    """The largest p-value over the seeds."""
    return f"{max(result['p_values'].values()):.3f}" if result["p_values"] else "–"


def markdown(table: dict[str, Any], tests: list[str]) -> str:
    """The table as Markdown."""
    names = [test.replace("_", " ") for test in tests]
    header = [
        "trained on", "model", *(f"BLEU {n}" for n in names), *(f"{n} − {names[0]}" for n in names[1:]), "BLEU paper",
        *(f"chrF {n}" for n in names), *(f"p {n}" for n in names), "parameters", "training", "words/s", "sentences/s",
    ]  # fmt: skip
    lines = [f"| {' | '.join(header)} |", "|" + "---|" * 2 + "---:|" * (len(header) - 2)]
    for row in table["rows"]:
        results = [row["tests"][test] for test in tests]
        speed = row["words_per_second"]
        cells = [
            ", ".join(row["pairs"]),
            label(row["family"]),
            *(bleu_text(result) for result in results),
            *(plus_minus(gap, "{:+.2f}") for gap in row["gaps"].values()),
            "–" if row["paper_bleu"] is None else f"{row['paper_bleu']:.2f}",
            *(plus_minus(result["chrf"]) for result in results),
            *(p_text(result) for result in results),
            f"{row['parameters']:,}",
            duration(row["training_seconds"]["mean"]),
            plus_minus(speed, "{:,.0f}") if speed else "–",
            plus_minus(row["sentences_per_second"], "{:,.1f}"),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    seeds = table["seeds"]
    averaged = f"mean ± standard deviation over the seeds {', '.join(map(str, seeds))}"
    notes = [
        f"{averaged if len(seeds) > 1 else f'one seed ({seeds[0]})'}; detokenised {table['target_pair']}.",
        f"BLEU: `{table['signatures']['bleu']}`. chrF: `{table['signatures']['chrf']}`.",
        "p: sacreBLEU's paired bootstrap of BLEU against the LSTM trained on the same pairs with the same seed "
        f"({table['bootstrap_samples']} samples), the largest over the seeds; it has one tail, so * marks what is "
        f"better, or worse, at every seed with p below {SIGNIFICANT}.",
        "BLEU paper: Goyal et al. (2021), Table 8, trained on WMT and tested on IWSLT14; other data and other sizes, "
        "so compare the order, not the figures; after a short training the order says little too.",
        "training: wall time, validation included. words/s: target subword tokens in training, the median. "
        "sentences/s: beam search over all test sets. All three depend on what else the machine did; benchmarks/ "
        "compares speeds.",
    ]
    parts = [f"# {table['experiment']}", "", *lines, "", *(f"- {note}" for note in notes), ""]
    return "\n".join([*parts, *(effects_markdown(table, tests) if table["effects"] else [])])


def effects_markdown(table: dict[str, Any], tests: list[str]) -> list[str]:
    """What more language pairs change, as lines of Markdown."""
    names = [test.replace("_", " ") for test in tests]
    header = ["more pairs", "model", *(f"BLEU {n}" for n in names), "BLEU paper", *(f"p {n}" for n in names)]
    pairs = {row["setting"]: ", ".join(row["pairs"]) for row in table["rows"]}
    lines = [f"| {' | '.join(header)} |", "|---|---|" + "---:|" * (len(header) - 2)]
    for row in table["effects"]:
        results = [row["tests"][test] for test in tests]
        cells = [
            f"{pairs[row['setting']]} − {pairs[row['than']]}",
            label(row["family"]),
            *(plus_minus(result["bleu"], "{:+.2f}") + ("*" if is_significant(result) else "") for result in results),
            "–" if row["paper_bleu"] is None else f"{row['paper_bleu']:+.2f}",
            *(p_text(result) for result in results),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    note = (
        "- The difference that more pairs make to a family at the options of the experiment; p and * as above, against "
        "the same family and seed. In an update with more pairs there are fewer sentences of each."
    )
    return [*lines, "", note, ""]


def comma_separated(table: dict[str, Any]) -> str:
    """One line per model, setting, test set and seed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(
        ["family", "setting", "pairs", "test", "seed", "bleu", "chrf", "p_value", "paper_bleu", "parameters",
         "updates", "training_seconds", "words_per_second", "hypothesis_sha256"]
    )  # fmt: skip
    for row in table["rows"]:
        for test, result in row["tests"].items():
            for index, (seed, model) in enumerate(zip(table["seeds"], row["models"], strict=True)):
                writer.writerow(
                    [row["family"], row["setting"], " ".join(row["pairs"]), test, seed,
                     result["bleu"]["values"][index], result["chrf"]["values"][index],
                     result["p_values"].get(seed, ""), row["paper_bleu"] or "", model["parameters"],
                     model["updates"], model["training_seconds"], model["words_per_second"],
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

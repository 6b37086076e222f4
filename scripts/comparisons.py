"""How far two models of an experiment are apart in BLEU and chrF, over seeds and over the sentences of a test set."""

from __future__ import annotations

import itertools
import math
from typing import Any

from cells import Cell
from families import label, paper_bleu
from figures import plus_minus, spread
from scored_cells import ScoredCell
from translation_experiment import TranslationExperiment

from fairseq_plugins.scoring import paired_bootstrap

METRICS = {"bleu": "BLEU", "chrf": "chrF"}
SIGNIFICANT = 0.025  # of each side: sacreBLEU's p-value has one tail where a difference is clear

Side = tuple[str, str]
"""Family and setting: the models of all seeds."""


def sides(experiment: TranslationExperiment) -> list[tuple[Side, Side]]:
    """What is compared: the families of a setting with each other, then each setting with the first one."""
    families = [
        ((family, setting), (other, setting))
        for setting in experiment.settings
        for family, other in itertools.combinations(experiment.families, 2)
    ]
    first, *others = experiment.settings
    return families + [((family, setting), (family, first)) for setting in others for family in experiment.families]


def compare(
    models: list[ScoredCell], others: list[ScoredCell], test: str, metric: str, references: list[str], samples: int
) -> dict[str, Any]:
    """Compare two sides on a test set.

    Returns:
        ``mean``: difference of the means; ``std``: the standard deviation of the difference between two seeds, one of
        each side (the variances add up), None with one seed; ``p_value``: paired bootstrap of the two models, one of
        each side, that are closest, or None where the sides overlap: not every seed of one is ahead of every one of
        the other.
    """
    one, two = (spread([model.scores[test][metric] for model in side]) for side in (models, others))
    return {
        "mean": round(one["mean"] - two["mean"], 4),
        "std": None if one["std"] is None else round(math.hypot(one["std"], two["std"]), 4),
        "p_value": _p_value(models, others, test, metric, references, samples),
    }


def _p_value(
    models: list[ScoredCell], others: list[ScoredCell], test: str, metric: str, references: list[str], samples: int
) -> float | None:
    def value(model: ScoredCell) -> float:
        return float(model.scores[test][metric])

    behind, ahead = sorted((models, others), key=lambda side: min(map(value, side)))
    best, worst = max(behind, key=value), min(ahead, key=value)
    if value(best) >= value(worst):
        return None
    systems = {"ahead": worst.hypotheses[test]}
    return paired_bootstrap(best.hypotheses[test], systems, references, samples=samples, metric=metric)["ahead"]


def comparisons(
    experiment: TranslationExperiment, results: dict[Cell, ScoredCell], references: dict[str, list[str]]
) -> list[dict[str, Any]]:
    """All comparisons, in the order of :func:`sides`; ``paper_bleu`` is the paper's difference."""
    rows = []
    for side, other in sides(experiment):
        models, others = ([results[Cell(*name, seed)] for seed in experiment.seeds] for name in (side, other))
        paper = [paper_bleu(family, len(experiment.settings[setting])) for family, setting in (side, other)]
        known = [figure for figure in paper if figure is not None]
        rows.append(
            {
                "side": list(side),
                "other": list(other),
                "tests": {
                    test: {
                        metric: compare(models, others, test, metric, lines, experiment.bootstrap) for metric in METRICS
                    }
                    for test, lines in references.items()
                },
                "paper_bleu": round(known[0] - known[1], 2) if len(known) == 2 else None,
            }
        )
    return rows


def is_significant(result: dict[str, Any]) -> bool:
    """Whether all seeds of one side are ahead, by more than the choice of the sentences explains."""
    return result["p_value"] is not None and result["p_value"] < SIGNIFICANT


def difference(result: dict[str, Any]) -> str:
    """A difference for a reader, with its p-value."""
    p_value = "overlap" if result["p_value"] is None else f"{result['p_value']:.3f}"
    return f"{plus_minus(result, '{:+.2f}')}{'*' if is_significant(result) else ''} ({p_value})"


def names(row: dict[str, Any], pairs: dict[str, str]) -> tuple[str, str]:
    """What a comparison's models were trained on, and which models they are, each as a difference where it is one."""
    (family, setting), (other, than) = row["side"], row["other"]
    trained = pairs[setting] if setting == than else f"{pairs[setting]} − {pairs[than]}"
    return trained, label(family) if family == other else f"{label(family)} − {label(other)}"


def markdown(table: dict[str, Any], tests: list[str]) -> list[str]:
    """The comparisons as lines of Markdown, with notes; none where there is nothing to compare."""
    if not table["comparisons"]:
        return []
    columns = {(metric, test): f"{METRICS[metric]} {test.replace('_', ' ')}" for metric in METRICS for test in tests}
    header = ["trained on", "difference", *columns.values(), "BLEU paper"]
    pairs = {row["setting"]: ", ".join(row["pairs"]) for row in table["rows"]}
    lines = [f"| {' | '.join(header)} |", "|---|---|" + "---:|" * (len(header) - 2)]
    for row in table["comparisons"]:
        cells = [
            *names(row, pairs),
            *(difference(row["tests"][test][metric]) for metric, test in columns),
            "–" if row["paper_bleu"] is None else f"{row['paper_bleu']:+.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    several = len(table["seeds"]) > 1
    notes = [
        "±: standard deviation of the difference between two seeds, one of each side." if several else "",
        f"In brackets: p of sacreBLEU's paired bootstrap ({table['bootstrap_samples']} samples, so it cannot be below "
        f"{1 / (table['bootstrap_samples'] + 1):.2g}) of the two models, one of each side, that are closest; "
        "overlap: not every seed of one side is ahead of every one of the other. It says what other sentences could "
        "change, not what other seeds could.",
        f"*: all seeds of one side are ahead, with p below {SIGNIFICANT}, as p has one tail.",
        "In an update with more pairs there are fewer sentences of each.",
    ]
    return [*lines, "", *(f"- {note}" for note in notes if note), ""]

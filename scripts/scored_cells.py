"""What training and scoring left of the cells of an experiment in translation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cells import Cell
from figures import read_json
from files import sha256
from translation_experiment import TranslationExperiment

from fairseq_plugins.scoring import check_line_counts, read_lines

METRICS = ("bleu", "chrf", "length_ratio")
SIGNATURES = ("bleu", "chrf")
SCORE_KEYS = (*METRICS, *(f"{metric}_signature" for metric in SIGNATURES), "lines", "seconds", "checkpoint_sha256")
MODEL_KEYS = (
    "arch", "parameters", "updates", "training_seconds", "words_per_second", "threads", "machine", "data",
    "versions", "checkpoint_sha256",
)  # fmt: skip


@dataclass(frozen=True)
class ScoredCell:
    """A model and its translations.

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


def read_hypotheses(experiment: TranslationExperiment, cell: Cell, test: str, reference: list[str]) -> list[str]:
    """A translation of a test set, checked to be aligned with the reference."""
    path = experiment.hypothesis_file(cell, test)
    lines = read_lines(path)
    check_line_counts(lines, reference, path, experiment.test_files(test)[1])
    return lines


def read_cell(experiment: TranslationExperiment, cell: Cell, references: dict[str, list[str]]) -> ScoredCell:
    """Read one cell.

    Raises:
        ValueError: if a file is missing or damaged, a translation is not aligned with its reference, or was made by
            another checkpoint than the model's.
    """
    model = read_json(experiment.model_dir(cell) / "model.json", MODEL_KEYS)
    scores = {test: read_json(experiment.score_file(cell, test), SCORE_KEYS) for test in experiment.tests}
    for test, found in scores.items():
        if found["checkpoint_sha256"] != model["checkpoint_sha256"]:
            raise ValueError(
                f"{experiment.score_file(cell, test)}: is of another checkpoint than the one that "
                f"{experiment.model_dir(cell)} has now; remove it and run the workflow, it makes it again"
            )
    hypotheses = {test: read_hypotheses(experiment, cell, test, references[test]) for test in experiment.tests}
    digests = {test: sha256(experiment.hypothesis_file(cell, test)) for test in experiment.tests}
    return ScoredCell(model, scores, hypotheses, digests)

"""The validation perplexity that models in translation had while they were trained."""

from __future__ import annotations

from cells import Cell
from train import parse_log
from translation_experiment import TranslationExperiment


def learning_curve(log: str, pair: str) -> list[tuple[int, float]]:
    """Updates and validation perplexity of a language pair; after a resumption the later figures count.

    Args:
        log: the text of train.log.
        pair: a model of several pairs logs each by its name.
    """
    points = {}
    for stage, values in parse_log(log):
        perplexity = values.get(f"valid_{pair}_ppl", values.get("valid_ppl"))
        if stage == "valid" and perplexity is not None:
            points[int(values["valid_num_updates"])] = float(perplexity)
    return sorted(points.items())


def learning_curves(experiment: TranslationExperiment) -> dict[Cell, list[tuple[int, float]]]:
    """The learning curve of every cell.

    Raises:
        ValueError: if a log is missing, or has no figure of the target pair.
    """
    curves = {}
    for cell in experiment.cells():
        path = experiment.model_dir(cell) / "train.log"
        if not path.is_file():
            raise ValueError(f"{path}: not found, so there is no learning curve; copy the complete model directory, "
                             "or train the cell again")  # fmt: skip
        curves[cell] = learning_curve(path.read_text(encoding="utf-8", errors="replace"), experiment.target_pair)
        if not curves[cell]:
            raise ValueError(f"{path}: has no validation of {experiment.target_pair}; remove the directory to train "
                             "anew")  # fmt: skip
    return curves

"""Score one trained cell of an experiment on sequences on all its tests."""

from __future__ import annotations

import argparse
import logging
import sys
import warnings
from pathlib import Path

from files import write_json

# First, as fairseq would otherwise log everything.
logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING)
warnings.filterwarnings("ignore", "'pin_memory' argument is set")  # fairseq sets it, GPU or not

from experiment import Cell, SequenceExperiment, load_sequences  # noqa: E402
from fairseq.models import FairseqLanguageModel  # noqa: E402

from fairseq_plugins import perplexity  # noqa: E402
from fairseq_plugins.answers import score_answers  # noqa: E402
from fairseq_plugins.inspection import Subject, load_subject  # noqa: E402

BATCH_SIZE = 100


def score_split(subject: Subject, folder: Path, split: str) -> dict[str, float]:
    """All that is to be known of a model on a split: loss, and what the kind of the task adds.

    Raises:
        ValueError: if there is no such split, or nothing in it to score.
    """
    if isinstance(subject.model, FairseqLanguageModel):
        dictionary = subject.task.dictionary
        tokens = perplexity.split_tokens(str(folder), split, dictionary)
        losses = perplexity.token_losses(subject.model, tokens, perplexity.longest_unroll(subject.model))
        score = perplexity.total(losses, tokens[1:], dictionary, perplexity.find_subwords(dictionary))
        return {"loss": score.loss / score.tokens, "perplexity": score.per_word}
    scores = subject.evaluate(subject.split_samples(split, batch_size=BATCH_SIZE))
    if subject.pair is not None:
        scores |= score_answers(subject, subject.split_samples(split, batch_size=BATCH_SIZE))
    return scores


def score_cell(experiment: SequenceExperiment, cell: Cell) -> Path:
    """Write the scores of a cell; returns the file.

    Raises:
        ValueError: if there is no such cell, it is not trained, or lacks the metric that the table shows.
    """
    experiment.check_cell(cell)
    folder = experiment.folders[cell.setting]
    subject = load_subject(experiment.model_dir(cell), data=folder)
    scores = {test: score_split(subject, folder, test) for test in experiment.tests}
    for test, found in scores.items():
        if experiment.metric not in found:
            known = ", ".join(found)
            raise ValueError(f"{experiment.path}: evaluate.metric is {experiment.metric}, but {test} has {known}")
    path = experiment.score_file(cell)
    write_json(path, {test: {name: float(f"{value:.6g}") for name, value in s.items()} for test, s in scores.items()})
    return path


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="example:\n  python scripts/score_sequences.py --config configs/copying.yaml --family rims_6_4 "
        "--setting delay50 --seed 1",
    )
    parser.add_argument("--config", required=True, metavar="YAML", help="experiment file")
    parser.add_argument("--family", required=True, help="a key of train.families")
    parser.add_argument("--setting", required=True, help="a key of data.synthetic, or 'text'")
    parser.add_argument("--seed", required=True, type=int, help="a member of train.seeds")
    arguments = parser.parse_args(argv)
    try:
        cell = Cell(arguments.family, arguments.setting, arguments.seed)
        print(score_cell(load_sequences(arguments.config), cell))
    except ValueError as error:
        print(f"score_sequences.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Experiment files: one YAML file in configs/ describes all that a workflow does."""

from __future__ import annotations

import os
from pathlib import Path

from cells import Cell, Experiment
from experiment_reader import Reader
from sequence_experiment import SequenceExperiment, read_sequences
from translation_experiment import TranslationExperiment, read_translation

__all__ = [
    "Cell",
    "Experiment",
    "SequenceExperiment",
    "TranslationExperiment",
    "load_experiment",
    "load_sequences",
    "load_translation",
]


def load_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read and check an experiment file; ``data:`` tells what kind it is.

    Raises:
        ValueError: if the file is absent or no mapping, or what it says is wrong; the message names file and key.
    """
    reader = Reader(Path(path))
    content = reader.load()
    data = content.get("data")
    has_sequences = isinstance(data, dict) and ("synthetic" in data or "text" in data)
    return (read_sequences if has_sequences else read_translation)(reader, content)


def load_translation(path: str | os.PathLike[str]) -> TranslationExperiment:
    """Read and check an experiment in translation.

    Raises:
        ValueError: as :func:`load_experiment`, and if it is one on sequences.
    """
    experiment = load_experiment(path)
    if not isinstance(experiment, TranslationExperiment):
        raise ValueError(f"{path}: is no experiment in translation; run it with scripts/sequences.smk")
    return experiment


def load_sequences(path: str | os.PathLike[str]) -> SequenceExperiment:
    """Read and check an experiment on sequences.

    Raises:
        ValueError: as :func:`load_experiment`, and if it is one in translation.
    """
    experiment = load_experiment(path)
    if not isinstance(experiment, SequenceExperiment):
        raise ValueError(f"{path}: is an experiment in translation; run it with scripts/Snakefile")
    return experiment

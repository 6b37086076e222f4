"""Example sentences for the report's explorer: what the units of trained RIMs do, and where the decoder attends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from activity_report import Track, observe
from cells import Cell
from report_data import Material, first_seed, spread_out, system_name
from torch import nn

from fairseq_plugins.inspection import Subject, load_subject

LONGEST = 80
"""Subwords of an example: more steps do not fit in a picture."""


def rim_cells(material: Material) -> list[Cell]:
    """The models of the first seed that have RIM layers, by their architecture."""
    experiment = material.experiment
    return [cell for cell in first_seed(experiment) if "rims_" in experiment.architecture(cell)]


def subword_counts(subject: Subject, lines: list[str]) -> list[int]:
    """Subwords of each line.

    Raises:
        ValueError: if the model has no SentencePiece model.
    """
    if subject.subwords is None:
        raise ValueError(f"{subject.path}: needs its spm.model beside it; copy the complete model directory")
    return [len(pieces) for pieces in subject.subwords.encode(lines)]


def choose_examples(sources: list[int], translations: list[int], count: int) -> list[int]:
    """Numbers of at most ``count`` sentences, from short to long ones, in the order of the text.

    Args:
        sources: subwords of each source; one without any is not chosen, nor is one of more than ``LONGEST``.
        translations: the same of what was written for it.
        count: how many to choose.
    """
    lengths = zip(sources, translations, strict=True)
    fitting = [number for number, pair in enumerate(lengths) if min(pair) > 0 and max(pair) <= LONGEST]
    by_length = sorted(fitting, key=lambda number: (sources[number], number))
    return sorted(by_length[place] for place in spread_out(len(by_length), count))


@contextlib.contextmanager
def attention_recorded(model: nn.Module) -> Iterator[list[np.ndarray]]:
    """Collect the decoder's attention ``(B, T, S)`` of every call of a model while the context is open."""
    found: list[np.ndarray] = []

    def keep(module: nn.Module, inputs: Any, output: Any) -> None:
        found.append(output[1]["attn"][0].detach().float().cpu().numpy())

    handle = model.register_forward_hook(keep)
    try:
        yield found
    finally:
        handle.remove()


def look_into(subject: Subject, numbers: list[int], sources: list[str], targets: list[str]) -> list[dict[str, Any]]:
    """Run a model over sentences and what it wrote for them, one by one, so that none is padded.

    Args:
        subject: a model that translates.
        numbers: of the sentences in their text.
        sources: the sentences.
        targets: its translations; a sentence without one is left out.

    Returns:
        for each sentence ``line`` (from 1), ``source``, ``written``, ``layers`` (title, tokens read, ``(T, K)`` what
        the units read: 1 - attention to the null element, None where inactive), ``reads`` and ``writes`` (tokens),
        ``attention`` ``(T, S)``.

    Raises:
        ValueError: if the model's attention is not finite.
    """
    with attention_recorded(subject.model) as attention:
        tracks = observe(subject, subject.text_samples(sources, targets, batch_size=1), len(sources))
    if not all(np.isfinite(weights).all() for weights in attention):
        raise ValueError(f"{subject.path}: has attention that is no number, so its training has diverged; train it "
                         "with other options, or make the page without examples (--examples 0)")  # fmt: skip
    shown = sorted(tracks[0].tokens)
    source, target = (next(t for t in tracks if t.module.startswith(side)) for side in ("encoder", "decoder"))
    return [
        {
            "line": numbers[index] + 1,
            "source": sources[index],
            "written": targets[index],
            "layers": [_layer(track, index) for track in tracks],
            "reads": source.tokens[index],
            "writes": [*target.tokens[index][1:], subject.task.target_dictionary.eos_word],
            "attention": np.round(weights[0].astype(float), 3).tolist(),
        }
        for index, weights in zip(shown, attention, strict=True)
    ]


def _layer(track: Track, index: int) -> dict[str, Any]:
    active, reads = track.active[index], np.round(track.reads[index].astype(float), 3)
    values = [[float(v) if on else None for v, on in zip(*row, strict=True)] for row in zip(reads, active, strict=True)]
    return {"title": track.title, "tokens": track.tokens[index], "reads": values}


def explorer(material: Material, count: int) -> list[dict[str, Any]]:
    """The models with RIMs of the first seed: ``name``, and ``tests``: test set -> examples; none for a count of 0.

    Raises:
        ValueError: if a checkpoint is missing, or its model has diverged.
    """
    models = []
    for cell in rim_cells(material) if count else []:
        target = material.experiment.target_pair.split("-")[1]
        subject = load_subject(material.experiment.model_dir(cell), target_lang=target)
        tests = {}
        for test in material.experiment.tests:
            lines, written = material.sources[test], material.hypotheses[cell][test]
            numbers = choose_examples(subword_counts(subject, lines), subword_counts(subject, written), count)
            chosen = [[text[number] for number in numbers] for text in (lines, written)]
            tests[test] = look_into(subject, numbers, *chosen) if numbers else []
        models.append({"name": system_name(material.experiment, cell), "tests": tests})
    return models

"""How well a translation model answers questions that have one right answer: programs, memorisation."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterable
from typing import Any

from torch import Tensor

from fairseq_plugins.inspection import Sample, Subject


def score_answers(subject: Subject, samples: Iterable[Sample]) -> dict[str, float]:
    """Compare what a model writes by itself, the best token at each step, with what is right.

    Args:
        subject: a translation model.
        samples: batches as of :meth:`Subject.split_samples`.

    Returns:
        ``character_accuracy``: the share of all right characters that stand in their place, the end of the answer
        counted as one; ``exact_match``: the share of answers that are right as a whole.

    Raises:
        ValueError: if the model does not translate, or there are no questions.
    """
    if subject.pair is None:
        raise ValueError(f"{subject.path}: does not translate")
    pad = subject.task.target_dictionary.pad()
    characters = right = answers = exact = 0
    for sample in samples:
        for wanted, written in zip(sample["target"], _write(subject, sample), strict=True):
            wanted = wanted[wanted != pad]
            length = min(len(wanted), len(written))
            same = int((wanted[:length] == written[:length]).sum())
            characters, right = characters + len(wanted), right + same
            answers, exact = answers + 1, exact + (same == len(wanted) == len(written))
    if not answers:
        raise ValueError("there are no questions in this data, so there is no score")
    return {"character_accuracy": right / characters, "exact_match": exact / answers}


def _write(subject: Subject, sample: Sample) -> list[Tensor]:
    """The model's answers, each ending with the end of sentence; none is longer than the longest right one by more
    than one."""
    longest = Namespace(beam=1, max_len_a=0, max_len_b=sample["target"].shape[1])
    generator: Any = subject.task.build_generator([subject.model], longest)
    found = subject.task.inference_step(generator, [subject.model], sample)
    return [hypotheses[0]["tokens"] for hypotheses in found]

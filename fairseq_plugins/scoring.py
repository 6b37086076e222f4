"""Scores of a translation, all of them sacreBLEU's own: BLEU and chrF with their signatures, and paired bootstrap."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from sacrebleu.metrics import BLEU, CHRF
from sacrebleu.metrics.bleu import BLEUScore
from sacrebleu.significance import PairedTest, Result

Pathlike = str | os.PathLike[str]
BOOTSTRAPPED = {"bleu": BLEU, "chrf": CHRF}


def split_lines(text: str) -> list[str]:
    """The lines of a text, divided at line feeds alone; a carriage return before one belongs to the line end.

    ``str.splitlines`` would also divide at characters such as U+2028, which occur inside segments.
    """
    lines = text.split("\n")
    return [line.removesuffix("\r") for line in (lines[:-1] if lines[-1] == "" else lines)]


def read_lines(path: Pathlike) -> list[str]:
    """The segments of a UTF-8 text file, one a line.

    Raises:
        ValueError: if there is no such file, it cannot be read or it is not UTF-8.
    """
    path = Path(path)
    try:
        return split_lines(path.read_bytes().decode("utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such file") from None
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from None


def check_line_counts(lines: Sequence[str], others: Sequence[str], name: Pathlike, other_name: Pathlike) -> None:
    """Refuse two texts that cannot be aligned.

    Raises:
        ValueError: if they differ in their number of lines; the message names both and gives both counts.
    """
    if len(lines) != len(others):
        raise ValueError(
            f"{os.fspath(name)} has {len(lines)} lines but {os.fspath(other_name)} has {len(others)}: they must be "
            "aligned line by line; make the first one again from the complete source"
        )


def corpus_bleu(hypotheses: Sequence[str], references: Sequence[str]) -> tuple[BLEUScore, str]:
    """Corpus BLEU of detokenised text as everything here counts it, and sacreBLEU's signature of that."""
    bleu = BLEU()
    return bleu.corpus_score(hypotheses, [references]), str(bleu.get_signature())


def score(hypotheses: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    """Corpus BLEU and chrF of detokenised text, in percent, with sacreBLEU's signatures.

    Returns:
        ``bleu``, ``chrf``, their ``bleu_signature``, ``chrf_signature``, and ``length_ratio``: tokens of the hypotheses
        for each of the reference. Below 1 BLEU has a brevity penalty; far above 1 the hypotheses repeat themselves.

    Raises:
        ValueError: if the texts differ in length or are empty.
    """
    check_line_counts(hypotheses, references, "the hypotheses", "the reference")
    if not references:
        raise ValueError("the reference is empty, so there is nothing to score")
    bleu, signature = corpus_bleu(hypotheses, references)
    chrf = CHRF()
    return {
        "bleu": round(bleu.score, 2),
        "length_ratio": round(bleu.sys_len / bleu.ref_len, 3),
        "chrf": round(chrf.corpus_score(hypotheses, [references]).score, 2),
        "bleu_signature": signature,
        "chrf_signature": str(chrf.get_signature()),
    }


def paired_bootstrap(
    baseline: Sequence[str],
    systems: Mapping[str, Sequence[str]],
    references: Sequence[str],
    *,
    samples: int = 1000,
    metric: str = "bleu",
) -> dict[str, float]:
    """Paired bootstrap resampling of BLEU or chrF (Koehn, 2004), as sacreBLEU does it.

    Args:
        baseline: the translation that the others are compared with.
        systems: name -> translation.
        references: the reference.
        samples: how many times the test set is resampled.
        metric: "bleu" or "chrf".

    Returns:
        name -> p-value of the difference to the baseline. It has one tail: the share of samples whose
        difference is that much larger than the average sample's. sacreBLEU fixes its seed, so it is repeatable.

    Raises:
        ValueError: if a translation has another number of lines than the reference, or the metric is another one.
    """
    if metric not in BOOTSTRAPPED:
        raise ValueError(f"metric must be one of {', '.join(BOOTSTRAPPED)}, got {metric!r}")
    for name, lines in {"the baseline": baseline, **systems}.items():
        check_line_counts(lines, references, name, "the reference")
    named: list[tuple[str, Sequence[str]]] = [
        ("baseline", list(baseline)),
        *((name, list(lines)) for name, lines in systems.items()),
    ]
    test = PairedTest(named, {metric: BOOTSTRAPPED[metric]()}, [list(references)], test_type="bs", n_samples=samples)
    _, results = test()
    (figures,) = (column for name, column in results.items() if name != "System")
    baseline_result, *found = cast(list[Result], figures)
    return {name: _p_value(result, baseline_result) for name, result in zip(systems, found, strict=True)}


def _p_value(result: Result, baseline: Result) -> float:
    """sacreBLEU's p-value, but 1 without a difference: it counts only larger ones, so equal scores get the smallest."""
    assert result.p_value is not None, "only the baseline has none"
    return 1.0 if result.score == baseline.score else float(result.p_value)

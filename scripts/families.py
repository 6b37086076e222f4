"""What is known of a family by its name: a name for people, a colour, the paper's figures."""

from __future__ import annotations

LABELS = {"rims": "RIMs", "lstm": "LSTM", "transformer": "Transformer"}
COLOURS = {"rims": "#0072B2", "lstm": "#E69F00", "transformer": "#009E73"}
# Goyal et al. (2021), Recurrent Independent Mechanisms, Appendix F, Table 8: BLEU of models trained on WMT,
# tested on IWSLT14 en-de; by family, then by the number of pairs trained on (en-de; en-de and en-fr).
PAPER = {
    "transformer": {1: 22.89, 2: 22.92},
    "lstm": {1: 21.32, 2: 20.37},
    "rims": {1: 23.71, 2: 24.23},
}


def label(family: str) -> str:
    """A family's name for people."""
    return LABELS.get(family, family)


def paper_bleu(family: str, pairs: int) -> float | None:
    """The paper's BLEU of a family trained on so many pairs; None where it has none."""
    return PAPER.get(family, {}).get(pairs)

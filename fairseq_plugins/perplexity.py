"""Perplexity of a trained language model: unrolled over a whole text, or from a new start every few tokens."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary, data_utils
from fairseq.models import FairseqLanguageModel
from torch import Tensor

from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel, StreamState
from fairseq_plugins.tasks.token_streams import TokenStream

ROWS = 64  # pieces of a text that are read side by side
SCORES = 2**25  # numbers that a call of the model may give, its tokens times the vocabulary
# Smallest and largest count in the training text, as in Table 3 of Santoro et al. (2018), its last row divided.
FREQUENCIES = ((10_001, math.inf), (1_000, 10_000), (10, 999), (0, 9))
SUBWORDS = ("sentencepiece", "bpe")


@dataclass(frozen=True)
class Score:
    """Total loss (natural logarithm) of some tokens, which make up so many words."""

    loss: float
    tokens: int
    words: int

    @property
    def per_token(self) -> float:
        """Perplexity of a token."""
        return math.exp(self.loss / self.tokens)

    @property
    def per_word(self) -> float:
        """Perplexity of a word; the end of a line is one."""
        return math.exp(self.loss / self.words)


def load_language_model(checkpoint: str, data: str | None) -> tuple[FairseqLanguageModel, Any]:
    """A checkpoint's model, onto the GPU where there is one, and its task.

    Args:
        checkpoint: file that ``fairseq-train`` wrote.
        data: folder with the dictionary; None: the one that the model was trained on.

    Raises:
        ValueError: if there is no such file, or it holds no language model.
    """
    if not os.path.isfile(checkpoint):
        raise ValueError(f"{checkpoint}: no such checkpoint")
    utils.import_user_module(Namespace(user_dir=str(Path(__file__).parent)))
    overrides = {} if data is None else {"data": data}
    models, _, task = checkpoint_utils.load_model_ensemble_and_task([checkpoint], arg_overrides=overrides)
    if not isinstance(models[0], FairseqLanguageModel):
        raise ValueError(f"{checkpoint}: expected a language model, got {type(models[0]).__name__}")
    return models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval(), task


def split_tokens(folder: str, split: str, dictionary: Dictionary) -> Tensor:
    """All tokens of a binarised split.

    Raises:
        ValueError: if there is none of that name.
    """
    path = os.path.join(folder, split)
    lines = data_utils.load_indexed_dataset(path, dictionary)
    if lines is None:
        raise ValueError(f"{path}.idx: not found; the folder has no binarised text of that name")
    stream = TokenStream(lines, split)
    return stream.read(0, len(stream)) if len(stream) else torch.empty(0, dtype=torch.long)


def text_tokens(lines: Sequence[str], dictionary: Dictionary) -> Tensor:
    """All tokens of a text that is written like the training text: with spaces between tokens, ``</s>`` added."""
    encoded = [dictionary.encode_line(line, add_if_not_exist=False).long() for line in lines]
    return torch.cat(encoded) if encoded else torch.empty(0, dtype=torch.long)


def longest_unroll(model: FairseqLanguageModel) -> int | None:
    """Tokens that a model reads at most from one start; None: any number."""
    return None if isinstance(model, RecurrentLanguageModel) else int(model.max_positions())


@torch.no_grad()
def token_losses(model: FairseqLanguageModel, tokens: Tensor, unroll: int | None) -> Tensor:
    """Negative log-likelihood of every token but the first, float64 ``(tokens - 1,)``.

    Args:
        model: the model.
        tokens: the text.
        unroll: start anew after so many tokens; None: read the text in one piece.

    Raises:
        ValueError: if there is nothing to score, or the model cannot read so many tokens from one start.
    """
    targets = len(tokens) - 1
    if targets < 1:
        raise ValueError(f"nothing to score: the text has {len(tokens)} tokens, and the first one is not predicted")
    limit = longest_unroll(model)
    if limit is not None and (unroll is None or unroll > limit):
        raise ValueError(
            f"--unroll {unroll or 'all'}: {type(model).__name__} carries no state and takes {limit} tokens at once; "
            f"give numbers up to {limit}"
        )
    length = min(unroll or targets, targets)
    pad = model.decoder.dictionary.pad()
    fill = -targets % length
    source, target = (
        torch.nn.functional.pad(part, (0, fill), value=pad).view(-1, length) for part in (tokens[:-1], tokens[1:])
    )
    at_once = max(1, SCORES // len(model.decoder.dictionary))
    rows = min(ROWS, len(source)) if limit is None else max(1, at_once // length)
    steps = max(1, at_once // rows) if limit is None else length
    losses = [_losses(model, *part, steps) for part in zip(source.split(rows), target.split(rows), strict=True)]
    return torch.cat(losses).flatten()[:targets]


def _losses(model: FairseqLanguageModel, source: Tensor, target: Tensor, steps: int) -> Tensor:
    """The same for pieces ``(rows, length)``, read ``steps`` tokens at a time; on the CPU."""
    device = next(model.parameters()).device
    carried = {"stream": StreamState()} if isinstance(model, RecurrentLanguageModel) else {}
    losses = []
    for read, wanted in zip(source.split(steps, 1), target.split(steps, 1), strict=True):
        output = model(read.to(device), **carried)
        scores = model.get_normalized_probs(output, log_probs=True)
        losses.append(-scores.gather(2, wanted.to(device).unsqueeze(2)).squeeze(2).double().cpu())
    return torch.cat(losses, 1)


def total(losses: Tensor, targets: Tensor, dictionary: Dictionary, subwords: str | None) -> Score:
    """The score of some targets.

    Args:
        losses: of each, ``(N,)``.
        targets: their token numbers, ``(N,)``.
        dictionary: names the tokens.
        subwords: how words were divided, one of :data:`SUBWORDS`; None: every token is a word.
    """
    if subwords is None:
        words = len(targets)
    else:
        names = dictionary.symbols
        whole = [
            name.startswith("\u2581") or index == dictionary.eos() if subwords == "sentencepiece"
            else not name.endswith("@@")
            for index, name in enumerate(names)
        ]  # fmt: skip
        words = int(torch.tensor(whole)[targets].sum())
    return Score(float(losses.sum()), len(targets), words)


def training_counts(folder: str, dictionary: Dictionary) -> Tensor | None:
    """How often each entry of the dictionary occurs in the folder's training text; None where that is not there."""
    lines = data_utils.load_indexed_dataset(os.path.join(folder, "train"), dictionary)
    if lines is None:
        return None
    counts = np.zeros(len(dictionary), dtype=np.int64)
    stream = TokenStream(lines, "train")
    for start in range(0, len(stream), SCORES):
        piece = stream.read(start, min(start + SCORES, len(stream)))
        counts += np.bincount(piece.numpy(), minlength=len(dictionary))
    return torch.from_numpy(counts)


def by_frequency(losses: Tensor, targets: Tensor, counts: Tensor) -> list[tuple[str, Score | None]]:
    """Names and scores of :data:`FREQUENCIES`, by how often a target occurs in training; None: no target does."""
    scores: list[tuple[str, Score | None]] = []
    for least, most in FREQUENCIES:
        chosen = (counts[targets] >= least) & (counts[targets] <= most)
        number = int(chosen.sum())
        name = f"more than {least - 1:,}" if most == math.inf else f"{least:,} to {most:,.0f}"
        scores.append((name, Score(float(losses[chosen].sum()), number, number) if number else None))
    return scores

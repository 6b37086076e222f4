"""Perplexity of a trained language model: unrolled over a whole text, or from a new start every few tokens."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary, data_utils
from fairseq.models import FairseqLanguageModel
from fairseq.models.lstm_lm import LSTMLanguageModel
from fairseq.modules import AdaptiveSoftmax
from torch import Tensor

from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel, StreamState
from fairseq_plugins.tasks.token_streams import TokenStream

ROWS = 64  # pieces of a text that are read side by side,
TOKENS = 2**17  # unless they have more tokens than this together
SCORES = 2**25  # scores that are there at once: tokens times vocabulary
# Smallest and largest count in the training text, as in Table 3 of Santoro et al. (2018), its last row divided.
FREQUENCIES = ((10_001, math.inf), (1_000, 10_000), (10, 999), (0, 9))
SUBWORDS = ("sentencepiece", "bpe")
WORD_START, GOES_ON = "\u2581", "@@"  # how a token begins with which a word begins, or ends when the word goes on


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
        checkpoint: file that ``fairseq-train`` wrote, or a folder with a ``checkpoint_best.pt``.
        data: folder with the dictionary; None: the one that the model was trained on.

    Raises:
        ValueError: if there is no such file or dictionary, the file cannot be read, or it holds no language model.
    """
    if os.path.isdir(checkpoint):
        checkpoint = os.path.join(checkpoint, "checkpoint_best.pt")
    if not os.path.isfile(checkpoint):
        raise ValueError(f"{checkpoint}: no such checkpoint")
    utils.import_user_module(Namespace(user_dir=str(Path(__file__).parent)))
    overrides = {} if data is None else {"data": data}
    try:
        state = checkpoint_utils.load_checkpoint_to_cpu(checkpoint, overrides)
    except (EOFError, KeyError, RuntimeError) as error:
        raise ValueError(f"{checkpoint}: is damaged, or no checkpoint ({type(error).__name__}: {error})") from None
    try:
        models, _, task = checkpoint_utils.load_model_ensemble_and_task([checkpoint], state=state)
    except FileNotFoundError as error:
        raise ValueError(
            f"{checkpoint}: its dictionary is not there ({error}); give the folder of the binarised text with --data"
        ) from None
    if not isinstance(models[0], FairseqLanguageModel):
        raise ValueError(f"{checkpoint}: expected a language model, got {type(models[0]).__name__}")
    return models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval(), task


def split_tokens(folder: str, split: str, dictionary: Dictionary) -> Tensor:
    """All tokens of a binarised split.

    Raises:
        ValueError: if there is none of that name, or it has no tokens.
    """
    path = os.path.join(folder, split)
    if os.path.isfile(f"{path}.bin") and not os.path.getsize(f"{path}.bin"):
        raise ValueError(f"{path}.bin: is empty, there is nothing to score")
    lines = data_utils.load_indexed_dataset(path, dictionary)
    if lines is None:
        raise ValueError(f"{path}.idx: not found; the folder has no binarised text of that name")
    stream = TokenStream(lines, split)
    return stream.read(0, len(stream))


def text_tokens(lines: Sequence[str], dictionary: Dictionary) -> Tensor:
    """All tokens of a text that is written like the training text: with spaces between tokens, ``</s>`` added."""
    encoded = [dictionary.encode_line(line, add_if_not_exist=False).long() for line in lines]
    return torch.cat(encoded) if encoded else torch.empty(0, dtype=torch.long)


def longest_unroll(model: FairseqLanguageModel) -> int | None:
    """Tokens that a model reads at most from one start; None: any number, as it is recurrent."""
    recurrent = isinstance(model, RecurrentLanguageModel | LSTMLanguageModel)
    return None if recurrent else int(model.max_positions())


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
            f"--unroll {unroll or 'all'}: {type(model).__name__} is not recurrent and takes {limit} tokens at once; "
            f"give numbers up to {limit}"
        )
    length = min(unroll or targets, targets)
    pad = model.decoder.dictionary.pad()
    fill = -targets % length
    source, target = (F.pad(part, (0, fill), value=pad).view(-1, length) for part in (tokens[:-1], tokens[1:]))
    rows = max(1, min(ROWS, TOKENS // length, len(source)))
    steps = max(1, SCORES // len(model.decoder.dictionary) // rows)
    losses = [_losses(model, *part, steps) for part in zip(source.split(rows), target.split(rows), strict=True)]
    return torch.cat(losses).flatten()[:targets]


def _losses(model: FairseqLanguageModel, source: Tensor, target: Tensor, steps: int) -> Tensor:
    """The same for pieces ``(rows, length)``, with the scores of ``steps`` tokens at a time; on the CPU."""
    device = next(model.parameters()).device
    losses = []
    for features, wanted in zip(_features(model, source.to(device), steps), target.split(steps, 1), strict=True):
        losses.append(_target_losses(model, features, wanted.to(device)).double().cpu())
    return torch.cat(losses, 1)


def _target_losses(model: FairseqLanguageModel, features: Tensor, wanted: Tensor) -> Tensor:
    """The same for ``(rows, steps)`` targets, of whose steps the output layer takes ``features``."""
    softmax = getattr(model.decoder, "adaptive_softmax", None)
    if softmax is not None:
        return _adaptive_losses(softmax, features, wanted.contiguous())
    scores = model.get_normalized_probs((model.decoder.output_layer(features), None), log_probs=True)
    return -scores.gather(2, wanted.unsqueeze(2)).squeeze(2)


def _adaptive_losses(softmax: AdaptiveSoftmax, features: Tensor, wanted: Tensor) -> Tensor:
    """The same by the classes of an adaptive softmax: most words need no scores of the rare ones."""
    scores, targets = softmax(features, wanted)
    places = softmax.adapt_target(wanted)[1]
    losses = F.cross_entropy(scores[0].float(), targets[0], reduction="none")
    for place, score, target in zip(places, scores[1:], targets[1:], strict=True):
        if place is not None:
            losses[place] += F.cross_entropy(score.float(), target, reduction="none")
    return losses.view_as(wanted)


def _features(model: FairseqLanguageModel, source: Tensor, steps: int) -> Iterator[Tensor]:
    """What the output layer takes, of ``steps`` tokens at a time; fairseq's models read all tokens at once."""
    if not isinstance(model, RecurrentLanguageModel):
        yield from model.extract_features(source, encoder_out=None)[0].split(steps, 1)
        return
    stream = StreamState()
    for read in source.split(steps, 1):
        yield model.extract_features(read, stream=stream)[0]


def total(losses: Tensor, targets: Tensor, dictionary: Dictionary, subwords: str | None) -> Score:
    """The score of some targets.

    Args:
        losses: of each, ``(N,)``.
        targets: their token numbers, ``(N,)``.
        dictionary: names the tokens.
        subwords: how words were divided, one of :data:`SUBWORDS`; None: every token is a word.
    """
    if subwords is None:
        return Score(float(losses.sum()), len(targets), len(targets))
    if subwords == "sentencepiece":
        whole = [name.startswith(WORD_START) for name in dictionary.symbols]
        whole[dictionary.eos()] = True
    else:
        whole = [not name.endswith(GOES_ON) for name in dictionary.symbols]
    return Score(float(losses.sum()), len(targets), int(torch.tensor(whole)[targets].sum()))


def find_subwords(dictionary: Dictionary) -> str | None:
    """How the words of a dictionary's text were divided, one of :data:`SUBWORDS`; None: not at all."""
    if any(name.startswith(WORD_START) for name in dictionary.symbols):
        return "sentencepiece"
    return "bpe" if any(name.endswith(GOES_ON) for name in dictionary.symbols) else None


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

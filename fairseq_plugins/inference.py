"""Translate plain text with a trained model directory: SentencePiece in and out, no other file needed."""

from __future__ import annotations

import json
import logging
import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from fairseq import checkpoint_utils, utils
from torch import Tensor

logger = logging.getLogger(__name__)

Pathlike = str | os.PathLike[str]
MAKE_AGAIN = "remove the file and run the workflow again, or copy the complete model directory"


class Translator:
    """A trained model ready to translate; made by `load_translator`.

    Args:
        model: the trained model.
        task: its fairseq task, set to one language pair.
        subwords: the SentencePiece model of the training data.
        pair: source and target language, e.g. ``("en", "de")``.
        beam: hypotheses kept by the beam search.
        batch_size: lines translated at once; changes the speed, not the translation.
        max_len_a: a translation has at most ``max_len_a * S + max_len_b`` tokens, where the source has S. fairseq's own
            limit, 200 for all, is much for a short line and cuts a long one.
        max_len_b: see ``max_len_a``.

    Attributes:
        pair: as given.
        max_tokens: subword tokens the model takes at once, end of sentence included.
    """

    def __init__(
        self,
        model: torch.nn.Module,
        task: Any,
        subwords: sentencepiece.SentencePieceProcessor,
        *,
        pair: tuple[str, str],
        beam: int = 5,
        batch_size: int = 64,
        max_len_a: float = 2.0,
        max_len_b: int = 20,
    ) -> None:
        if beam < 1 or batch_size < 1:
            raise ValueError(f"beam and batch size must be at least 1, got {beam} and {batch_size}")
        if max_len_a < 0 or max_len_b < 1:
            raise ValueError(f"max_len_a must be at least 0 and max_len_b at least 1, got {max_len_a} and {max_len_b}")
        self.pair = pair
        self._model = model
        self._task = task
        self._subwords = subwords
        self._batch_size = batch_size
        limits = utils.resolve_max_positions(task.max_positions(), model.max_positions())  # type: ignore[operator]
        self.max_tokens = int((limits["-".join(pair)] if isinstance(limits, dict) else limits)[0])
        search = Namespace(beam=beam, max_len_a=max_len_a, max_len_b=max_len_b)
        self._generator = task.build_generator([model], search)

    def translate(self, lines: Sequence[str]) -> list[str]:
        """Translate one segment a line.

        Args:
            lines: source text as people write it. A line without any text stays empty; one that is longer than the
                model takes is translated in parts.

        Returns:
            as many translations, in the same order.
        """
        chunks = [(number, tokens) for number, line in enumerate(lines) for tokens in self._encode(line, number)]
        texts = [""] * len(chunks)
        by_length = sorted(range(len(chunks)), key=lambda index: len(chunks[index][1]))
        for start in range(0, len(by_length), self._batch_size):
            batch = by_length[start : start + self._batch_size]
            for index, text in zip(batch, self._translate_batch([chunks[i][1] for i in batch]), strict=True):
                texts[index] = text
        parts: list[list[str]] = [[] for _ in lines]
        for (number, _), text in zip(chunks, texts, strict=True):
            parts[number].append(text)
        return [" ".join(part) for part in parts]

    def _encode(self, line: str, number: int) -> Iterator[Tensor]:
        """Token numbers of a line, each part ``(S,)`` with its end of sentence; none for a line without text."""
        pieces = self._subwords.encode(line, out_type=str)
        room = self.max_tokens - 1
        if len(pieces) > room:
            logger.warning("line %d has %d tokens, translated in parts of %d", number + 1, len(pieces), room)
        dictionary = self._task.source_dictionary
        for start in range(0, len(pieces), room):
            part = pieces[start : start + room]
            yield torch.tensor([*(dictionary.index(piece) for piece in part), dictionary.eos()])

    def _translate_batch(self, tokens: list[Tensor]) -> list[str]:
        dataset = self._task.build_dataset_for_inference(tokens, [len(part) for part in tokens])
        dataset.ordered_indices()  # the dataset of several pairs cannot be read before
        sample = dataset.collater([dataset[index] for index in range(len(tokens))])
        device = next(self._model.parameters()).device
        if device.type == "cuda":
            sample = utils.move_to_cuda(sample, device)
        with torch.no_grad():
            hypotheses = self._task.inference_step(self._generator, [self._model], sample)
        # Rows are sorted by length; `id` says which sentence each of them was.
        texts = {int(i): self._decode(found[0]["tokens"]) for i, found in zip(sample["id"], hypotheses, strict=True)}
        return [texts[index] for index in range(len(tokens))]

    def _decode(self, tokens: Tensor) -> str:
        pieces = self._task.target_dictionary.string(tokens.cpu()).split(" ")
        return self._subwords.decode([piece for piece in pieces if piece])


def load_translator(
    model_dir: Pathlike,
    *,
    target_lang: str | None = None,
    checkpoint: str = "checkpoint_best.pt",
    **search: Any,
) -> Translator:
    """Load a model directory that the workflow (``scripts/train.py``) left, onto the GPU where there is one.

    Args:
        model_dir: the directory; it may have been moved, and the data it was trained on may be gone.
        target_lang: the language to translate to; None takes the pair that the experiment scores.
        checkpoint: which of the directory's checkpoints.
        **search: ``beam``, ``batch_size``, ``max_len_a`` and ``max_len_b`` of :class:`Translator`.

    Raises:
        ValueError: if the directory is not a finished model's, a file of it is missing, or the model does not
            translate to ``target_lang``.
    """
    directory = Path(model_dir).absolute()
    description = read_description(directory)
    source, target = choose_pair(description, target_lang, directory)
    dictionaries = [f"dict.{language}.txt" for language in (source, target)]
    for name in (checkpoint, "spm.model", *dictionaries):
        if not (directory / name).is_file():
            raise ValueError(f"{directory}: has no {name}; copy the complete model directory, or train it again")
    utils.import_user_module(Namespace(user_dir=str(Path(__file__).parent)))
    overrides = {"data": str(directory), "source_lang": source, "target_lang": target}
    # Without --eval-bleu's own generator and tokenizer, which would be built from the training set's options.
    models, config, task = checkpoint_utils.load_model_ensemble_and_task(
        [str(directory / checkpoint)], arg_overrides={**overrides, "eval_bleu": False}
    )
    model = models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval()
    model.prepare_for_inference_(config)
    subwords = sentencepiece.SentencePieceProcessor(model_file=str(directory / "spm.model"))
    return Translator(model, task, subwords, pair=(source, target), **search)


def read_description(directory: Path) -> dict[str, Any]:
    """The content of a model directory's model.json.

    Raises:
        ValueError: if the directory or the file is missing, or the file is damaged.
    """
    if not directory.is_dir():
        raise ValueError(f"{directory}: no such model directory; the workflow leaves them in runs/EXPERIMENT/models/")
    path = directory / "model.json"
    if not path.is_file():
        raise ValueError(
            f"{path}: not found, so this is no model directory or its training has not ended; "
            "run the workflow again, it goes on where it stopped"
        )
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: is damaged ({error}); {MAKE_AGAIN}") from None
    for key in ("target_pair", "lang_pairs"):
        if not isinstance(description, dict) or not description.get(key):
            raise ValueError(f"{path}: has no {key!r}; {MAKE_AGAIN}")
    return description


def choose_pair(description: dict[str, Any], target_lang: str | None, directory: Path) -> tuple[str, str]:
    """The source and target language to translate, by the target language asked for.

    Raises:
        ValueError: if the model was not trained to translate to it.
    """
    if target_lang is None:
        source, target = description["target_pair"].split("-")
        return source, target
    pairs = [pair.split("-") for pair in description["lang_pairs"]]
    for source, target in pairs:
        if target == target_lang:
            return source, target
    raise ValueError(
        f"{directory}: was not trained to translate to {target_lang!r}, "
        f"only to {', '.join(target for _, target in pairs)}"
    )

"""Trained models made ready to be looked into: a checkpoint of any task, run over text or over its own data."""

from __future__ import annotations

import math
import os
from argparse import Namespace
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from fairseq import checkpoint_utils, utils
from fairseq.data import Dictionary, data_utils
from fairseq.data.language_pair_dataset import collate
from fairseq.models import FairseqEncoderDecoderModel, FairseqLanguageModel, FairseqMultiModel
from torch import Tensor, nn

from fairseq_plugins.inference import Translator, choose_pair, read_description
from fairseq_plugins.tasks.stateful_language_modeling import StatefulLanguageModelingTask
from fairseq_plugins.tasks.stream_states import CarriedBatches

Pathlike = str | os.PathLike[str]
Sample = dict[str, Any]


@dataclass(frozen=True)
class Subject:
    """A trained model with what it takes to run it; made by :func:`load_subject`.

    Attributes:
        path: the checkpoint.
        model: in evaluation mode; of a model of several language pairs, the part for ``pair``.
        whole: the model as the checkpoint has it.
        task: its fairseq task.
        criterion: what it was trained with.
        pair: source and target language; None: it does not translate.
        subwords: the SentencePiece model of its text; None: text is divided at spaces.
    """

    path: Path
    model: nn.Module
    whole: nn.Module
    task: Any
    criterion: nn.Module
    pair: tuple[str, str] | None
    subwords: sentencepiece.SentencePieceProcessor | None

    @property
    def predicts_tokens(self) -> bool:
        """Whether it predicts tokens of a dictionary, so that its loss is one of a token and has a perplexity."""
        return isinstance(self.model, FairseqEncoderDecoderModel | FairseqLanguageModel)

    @property
    def reads_vectors(self) -> bool:
        """Whether it reads real numbers, not tokens."""
        form = getattr(self.task, "form", None)
        return form is not None and form.input_kind == "vectors"

    def translator(self, *, beam: int, batch_size: int, max_len_a: float, max_len_b: int) -> Translator:
        """A search with this very model; what it takes is told at :class:`~fairseq_plugins.inference.Translator`.

        Raises:
            ValueError: if it does not translate, or has no SentencePiece model.
        """
        if self.pair is None:
            raise ValueError(f"{self.path}: does not translate")
        if self.subwords is None:
            raise ValueError(f"{self.path}: needs its spm.model beside it to translate text")
        return Translator(self.whole, self.task, self.subwords, pair=self.pair, beam=beam, batch_size=batch_size,
                          max_len_a=max_len_a, max_len_b=max_len_b)  # fmt: skip

    def text_samples(
        self, lines: Sequence[str], targets: Sequence[str] | None = None, *, batch_size: int = 64
    ) -> Iterator[Sample]:
        """Batches of text, as fairseq's data sets give them; a language model predicts the lines themselves.

        Lines without text are left out, with their targets; ``id`` is the number of the line.

        Args:
            lines: what the model reads.
            targets: what a translation model is to write, aligned with the lines.
            batch_size: lines in a batch.

        Raises:
            ValueError: if the model does not take text, a target is missing, or a line is too long for the model.
        """
        if not self.predicts_tokens:
            raise ValueError(f"{self.path}: takes no text; give its data and a split of it")
        if (targets is None) != (self.pair is None):
            raise ValueError("targets must be given for a model that translates, and for no other")
        texts = [lines] if targets is None else [lines, targets]
        kept = [number for number, group in enumerate(zip(*texts, strict=True)) if all(map(str.strip, group))]
        for start in range(0, len(kept), batch_size):
            numbers = kept[start : start + batch_size]
            yield self._collate([self._example(number, *(text[number] for text in texts)) for number in numbers])

    def split_samples(self, split: str, *, batch_size: int = 64) -> Iterator[Sample]:
        """Batches of a split of the task's data, in its own order; ``id`` is the number of the sequence.

        With ``stateful_language_modeling`` the text is one stream, and a sequence is a block of it, which goes on from
        the state that the block before it left: run the model over every batch, once.

        Raises:
            ValueError: if there is no such split, or the task has several language pairs.
        """
        if isinstance(self.whole, FairseqMultiModel):
            raise ValueError(f"{self.path}: has data of several language pairs; give text in the place of a split")
        try:
            self.task.load_dataset(split)
        except FileNotFoundError as error:
            raise ValueError(f"there is no split {split!r}: {error}") from None
        is_stateful = isinstance(self.task, StatefulLanguageModelingTask)
        limits = utils.resolve_max_positions(self.task.max_positions(), self.model.max_positions())  # type: ignore[operator]
        batches = self.task.get_batch_iterator(
            self.task.dataset(split),
            max_sentences=1 if is_stateful else batch_size,
            max_positions=limits,
            ignore_invalid_inputs=True,
        ).next_epoch_itr(shuffle=False)
        samples = (self._move(sample) for sample in batches)
        if not is_stateful:
            yield from samples
            return
        for block, sample in enumerate(CarriedBatches(samples)):
            yield {**sample, "id": torch.tensor([block])}  # fairseq's is the stream's

    def dictionary(self, module: str) -> Dictionary | None:
        """The dictionary of what a module of the model reads; None where it reads vectors or bare numbers."""
        return self.task.target_dictionary if self._reads_target(module) else self.task.source_dictionary

    def tokens(self, sample: Sample, module: str) -> list[list[str]]:
        """What a module of the model reads at each step, padding left out; vectors are named by their step, from 1."""
        net_input, dictionary = sample["net_input"], self.dictionary(module)
        if dictionary is not None:
            rows = net_input["prev_output_tokens" if self._reads_target(module) else "src_tokens"].tolist()
            return [[dictionary[token] for token in row if token != dictionary.pad()] for row in rows]
        inputs: Tensor = net_input["inputs"]
        if self.reads_vectors:
            return [[str(step + 1) for step in range(inputs.shape[1])] for _ in inputs]
        return [[str(token) for token in row] for row in inputs.tolist()]

    def _reads_target(self, module: str) -> bool:
        """Whether a module reads the target, one step late: the decoder of a model that has an encoder too."""
        return isinstance(self.model, FairseqEncoderDecoderModel) and module.split(".")[0] == "decoder"

    def evaluate(self, samples: Iterable[Sample]) -> dict[str, float]:
        """Means over all that is predicted.

        Returns:
            ``loss``: the criterion's, without label smoothing, in nats (or squared error, of values); ``perplexity``
            where tokens are predicted; ``accuracy`` where the criterion counts what is correct.

        Raises:
            ValueError: if there is nothing to predict.
        """
        size, total, correct = 0, 0.0, None
        for sample in samples:
            with torch.no_grad():
                loss, count, log = self.criterion(self.model, sample)
            size, total = size + int(count), total + float(log.get("nll_loss", loss))
            if "correct" in log:
                correct = (correct or 0) + int(log["correct"])
        if not size:
            raise ValueError("there is nothing to predict in this text or data, so there is no loss")
        found = {"loss": total / size}
        if self.predicts_tokens:
            found["perplexity"] = math.exp(found["loss"])
        if correct is not None:
            found["accuracy"] = correct / size
        return found

    def _example(self, number: int, source: str, target: str | None = None) -> Sample:
        """One line as token numbers."""
        dictionary = self.task.source_dictionary
        tokens = self._encode(source, dictionary, number)
        if target is not None:
            return {"id": number, "source": tokens, "target": self._encode(target, self.task.target_dictionary, number)}
        return {"id": number, "source": torch.cat([tokens[-1:], tokens[:-1]]), "target": tokens}

    def _encode(self, line: str, dictionary: Dictionary, number: int) -> Tensor:
        """Token numbers, ending with that of the end of sentence."""
        pieces = line.split() if self.subwords is None else self.subwords.encode(line, out_type=str)
        limit = self.model.max_positions()  # type: ignore[operator]
        most = min(limit) if isinstance(limit, tuple) else limit
        if len(pieces) + 1 > most:
            raise ValueError(f"line {number + 1} has {len(pieces)} tokens, the model takes {most - 1}: divide the line")
        return torch.tensor([*(dictionary.index(piece) for piece in pieces), dictionary.eos()])

    def _collate(self, examples: list[Sample]) -> Sample:
        dictionary = self.task.source_dictionary
        translates = self.pair is not None
        return self._move(
            collate(examples, dictionary.pad(), dictionary.eos(), left_pad_source=translates, input_feeding=translates)
        )

    def _move(self, sample: Sample) -> Sample:
        device = next(self.model.parameters()).device
        return utils.move_to_cuda(sample, device) if device.type == "cuda" else sample


def load_subject(
    path: Pathlike,
    *,
    data: Pathlike | None = None,
    target_lang: str | None = None,
    checkpoint: str = "checkpoint_best.pt",
) -> Subject:
    """Load a model directory or a checkpoint of any task, onto the GPU where there is one.

    Args:
        path: a model directory of the workflow, a ``--save-dir`` of ``fairseq-train``, or a checkpoint.
        data: the folder with the dictionaries or the data; None: that of the checkpoint if it has dictionaries, else
            the one that the model was trained on.
        target_lang: for a model of several language pairs; None: the pair that the workflow scores, or the first.
        checkpoint: which checkpoint of a directory.

    Raises:
        ValueError: if a file or folder is missing, or the model does not translate to ``target_lang``.
    """
    file = Path(path).absolute()
    file = file / checkpoint if file.is_dir() else file
    if not file.is_file():
        raise ValueError(f"{file}: no such checkpoint; give a model directory or a checkpoint_*.pt")
    utils.import_user_module(Namespace(user_dir=str(Path(__file__).parent)))
    trained = checkpoint_utils.load_checkpoint_to_cpu(str(file))["cfg"]
    folder = _data_folder(file, data, trained.task)
    pair = _language_pair(file.parent, folder, trained.task, target_lang)
    overrides: dict[str, Any] = {"data": str(folder), "eval_bleu": False, "sentence_avg": False}
    if pair is not None:
        overrides |= {"source_lang": pair[0], "target_lang": pair[1]}
    models, config, task = checkpoint_utils.load_model_ensemble_and_task([str(file)], arg_overrides=overrides)
    whole = models[0].to("cuda" if torch.cuda.is_available() else "cpu").eval()
    assert pair is not None or not isinstance(whole, FairseqMultiModel)
    model = whole.models["-".join(pair)] if pair and isinstance(whole, FairseqMultiModel) else whole
    criterion = task.build_criterion(config.criterion).eval()
    return Subject(file, model, whole, task, criterion, pair, _subwords(file.parent, folder))


def _data_folder(checkpoint: Path, data: Pathlike | None, task: Any) -> Path:
    """Where the dictionaries and data are."""
    if data is not None:
        folder = Path(data)
    elif any(checkpoint.parent.glob("dict*.txt")):
        return checkpoint.parent
    else:
        folder = Path(utils.split_paths(str(task.data))[0])
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder of data; give the one that has the model's dictionaries or data")
    return folder.absolute()


def _language_pair(directory: Path, folder: Path, task: Any, target_lang: str | None) -> tuple[str, str] | None:
    """The pair to translate; None for a model that does not translate."""
    pairs = getattr(task, "lang_pairs", None)
    pairs = pairs.split(",") if isinstance(pairs, str) else list(pairs or ())
    if not pairs and hasattr(task, "source_lang"):
        found = (task.source_lang, task.target_lang)
        pairs = ["-".join(found if all(found) else data_utils.infer_language_pair(str(folder)))]  # as fairseq does
    if not pairs:
        if target_lang is not None:
            raise ValueError(f"{directory}: the model does not translate, so it has no target language {target_lang!r}")
        return None
    scored = pairs[0]
    if len(pairs) > 1 and (directory / "model.json").is_file():
        scored = read_description(directory)["target_pair"]
    return choose_pair({"target_pair": scored, "lang_pairs": pairs}, target_lang, directory)


def _subwords(*folders: Path) -> sentencepiece.SentencePieceProcessor | None:
    """The SentencePiece model of the first folder that has one."""
    for folder in folders:
        if (folder / "spm.model").is_file():
            return sentencepiece.SentencePieceProcessor(model_file=str(folder / "spm.model"))
    return None

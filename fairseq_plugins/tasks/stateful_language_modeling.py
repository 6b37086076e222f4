"""The task ``stateful_language_modeling``: recurrent models that read a text in order and remember what they read.

``--task stateful_language_modeling --batch-size 20 --tokens-per-sample 70 --arch rims_lm``

- The text is cut into ``--batch-size`` streams, which are read side by side in blocks of ``--tokens-per-sample``. The
  state is carried from block to block, the gradient is not (truncated back-propagation through time).
- An epoch reads every token and predicts each but the very first, once: the target after a block's last token is
  the next block's first one, and no tail is left out. Losses are divided by the number of targets.
- The state starts anew in every epoch and every validation, and is in the checkpoint: a resumed run goes on exactly.
- ``--update-freq N`` and several processes add streams: an update takes the same block of ``N * processes`` times
  ``--batch-size`` streams, so two processes, or ``--update-freq 2``, train like one process with twice the batch size.
- ``--max-tokens N`` takes as many streams as fit in, ``N / --tokens-per-sample``.
- Validation cuts its text into ``--batch-size-valid`` streams. ``--batch-size-valid 1``, ``fairseq-eval-lm`` without
  ``--batch-size``, and ``scripts/evaluate_lm.py`` read it in one piece.
"""

import os
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from fairseq import utils
from fairseq.data import Dictionary, data_utils, iterators
from fairseq.data.indexed_dataset import get_available_dataset_impl
from fairseq.dataclass import ChoiceEnum, FairseqDataclass
from fairseq.distributed import utils as distributed_utils
from fairseq.tasks import register_task
from fairseq.tasks.language_modeling import LanguageModelingTask
from omegaconf import II

from fairseq_plugins.models.recurrent_lm import RecurrentLanguageModel
from fairseq_plugins.tasks.stream_states import CarriedBatches, StreamStates
from fairseq_plugins.tasks.token_streams import StreamBlocks, TokenStream


@dataclass
class StatefulLanguageModelingConfig(FairseqDataclass):
    """Options of the task."""

    data: Optional[str] = field(default=None, metadata={"help": "folder with train, valid, test and dict.txt"})
    tokens_per_sample: int = field(
        default=70, metadata={"help": "tokens of a block, through which the gradient goes back (BPTT)"}
    )
    max_target_positions: Optional[int] = field(
        default=None, metadata={"help": "no limit; a Transformer would ask for one, and is refused"}
    )
    train_subset: str = II("dataset.train_subset")
    dataset_impl: Optional[ChoiceEnum(get_available_dataset_impl())] = II("dataset.dataset_impl")  # type: ignore[valid-type]
    update_freq: Any = II("optimization.update_freq")


@register_task("stateful_language_modeling", dataclass=StatefulLanguageModelingConfig)
class StatefulLanguageModelingTask(LanguageModelingTask):
    """See the module's text for what it does."""

    def __init__(self, args: Any, dictionary: Any, output_dictionary: Any = None, targets: Any = None) -> None:
        super().__init__(args, dictionary, output_dictionary, targets)
        self.train_states, self.valid_states = StreamStates(), StreamStates()
        self._train: Optional[StreamBlocks] = None
        self._shard = 0
        self._saved: dict[str, Any] = {}

    @classmethod
    def setup_dictionary(cls, args: Any, **unused: Any) -> tuple[Dictionary, Dictionary]:
        """The dictionary of what is read, which is that of what is predicted.

        Raises:
            FileNotFoundError: if there is none.
        """
        path = os.path.join(utils.split_paths(args.data)[0], "dict.txt")
        if not os.path.isfile(path):
            raise FileNotFoundError(f"{path} not found: expected a folder that fairseq-preprocess wrote")
        dictionary = Dictionary.load(path)
        return dictionary, dictionary

    @property
    def groups(self) -> int:
        """Batches of an update.

        Raises:
            ValueError: if their number changes from epoch to epoch.
        """
        frequencies = sorted(set(self.args.update_freq))
        if len(frequencies) > 1:
            raise ValueError(
                "stateful_language_modeling needs the same --update-freq in all epochs, "
                f"got {','.join(map(str, self.args.update_freq))}"
            )
        return int(frequencies[0])

    def build_model(self, args: Any, from_checkpoint: bool = False) -> RecurrentLanguageModel:
        """Build the model.

        Raises:
            ValueError: if it has no state to carry.
        """
        model = super().build_model(args, from_checkpoint)
        if not isinstance(model, RecurrentLanguageModel):
            raise ValueError(
                f"{type(model).__name__} carries no state from block to block; stateful_language_modeling needs a "
                "model of the families rims_lm, rmc_lm and stateful_lstm_lm, others train with --task language_modeling"
            )
        return model

    def load_dataset(self, split: str, epoch: int = 1, combine: bool = False, **unused: Any) -> None:
        """Load a split.

        Raises:
            FileNotFoundError: if there is none of that name.
        """
        folders = utils.split_paths(self.args.data)
        path = f"{folders[(epoch - 1) % len(folders)]}/{split}"
        lines = data_utils.load_indexed_dataset(path, self.dictionary, self.args.dataset_impl, combine=combine)
        if lines is None:
            raise FileNotFoundError(f"{path}.idx not found: no binarised text of that name")
        self.datasets[split] = TokenStream(lines, split, groups=self.groups if split == self.args.train_subset else 1)

    def get_batch_iterator(self, dataset: Any, **options: Any) -> iterators.EpochBatchIterator:
        """The batches of a text in order, or of the lines that ``fairseq-interactive`` is given."""
        if isinstance(dataset, TokenStream):
            return self._text_iterator(dataset, **options)
        return super().get_batch_iterator(dataset, **options)

    def _text_iterator(
        self,
        text: TokenStream,
        *,
        max_tokens: Optional[int] = None,
        max_sentences: Optional[int] = None,
        num_shards: int = 1,
        shard_id: int = 0,
        num_workers: int = 0,
        epoch: int = 1,
        data_buffer_size: int = 0,
        skip_remainder_batch: bool = False,
        **unused: Any,
    ) -> iterators.EpochBatchIterator:
        block_size = self.args.tokens_per_sample
        blocks = StreamBlocks(
            text,
            rows=streams_of_batch(max_sentences, max_tokens, block_size),
            num_shards=num_shards,
            block_size=block_size,
            pad=self.dictionary.pad(),
        )
        if text is self.datasets.get(self.args.train_subset):
            self._train, self._shard = blocks, shard_id
        return iterators.EpochBatchIterator(
            dataset=blocks,
            collate_fn=blocks.collater,
            batch_sampler=[[index] for index in range(len(blocks))],
            num_shards=num_shards,
            shard_id=shard_id,
            num_workers=num_workers,
            epoch=epoch,
            buffer_size=data_buffer_size,
            disable_shuffling=True,
            skip_remainder_batch=skip_remainder_batch,
        )

    def train_step(
        self, sample: Any, model: Any, criterion: Any, optimizer: Any, update_num: int, ignore_grad: bool = False
    ) -> tuple[torch.Tensor, int, dict]:
        """One block of one group of streams; a dummy batch (``ignore_grad``, the first one) leaves the states alone."""
        states = StreamStates() if ignore_grad else self.train_states
        with states.carry(sample) as carried:
            result = super().train_step(carried, model, criterion, optimizer, update_num, ignore_grad)
        assert self._train is not None
        if not ignore_grad and sample["group"] == self._train.text.groups - 1:
            self._saved = self.train_states.state_dict(gather)
        return result

    def valid_step(self, sample: Any, model: Any, criterion: Any) -> tuple[torch.Tensor, int, dict]:
        """One block of a validation."""
        with self.valid_states.carry(sample) as carried:
            return super().valid_step(carried, model, criterion)

    def eval_lm_dataloader(
        self, dataset: TokenStream, batch_size: Optional[int] = None, context_window: int = 0, **options: Any
    ) -> CarriedBatches:
        """The batches of ``fairseq-eval-lm``: one stream, or ``batch_size``.

        Raises:
            ValueError: for a context window.
        """
        if context_window:
            raise ValueError(
                f"--context-window {context_window} has no use here: the state carries all that was read; leave it out"
            )
        options = {**options, "max_tokens": None}
        batches = self.get_batch_iterator(dataset, max_sentences=batch_size or 1, **options)
        return CarriedBatches(batches.next_epoch_itr(shuffle=False))

    def inference_step(self, generator: Any, models: Any, sample: Any, **options: Any) -> list:
        """Go on with lines.

        Raises:
            ValueError: for blocks of a text.
        """
        if "block" in sample:
            raise ValueError(
                "fairseq-generate goes on with lines, and stateful_language_modeling reads blocks of a text: give "
                "--task language_modeling --sample-break-mode eos"
            )
        return super().inference_step(generator, models, sample, **options)

    def get_checkpoint_dict(self) -> dict[str, Any]:
        """What fairseq adds to a checkpoint: the states of all streams, unless the epoch is over."""
        if not self._saved or self._train is None or self._saved["block"] == self._train.num_blocks - 1:
            return {}
        parts = [part.cpu() for part in self._saved["parts"]]
        return {type(self).__name__: {"block": self._saved["block"], "parts": parts, "cut": self._train.cut}}

    def set_checkpoint_dict(self, state: dict[str, Any]) -> None:
        """Go on from the states of a checkpoint.

        Raises:
            ValueError: if it has other streams, or other blocks of them, than this run.
        """
        assert self._train is not None
        found, expected = state.get("cut"), self._train.cut
        if found != expected:
            raise ValueError(
                f"the checkpoint is in the middle of a text cut as {found}, and this run cuts it as {expected}: "
                "give the same --batch-size, --tokens-per-sample, --update-freq, number of processes and text, or "
                "begin the epoch anew with --reset-dataloader"
            )
        self.train_states.load_state_dict(
            state, groups=self._train.text.groups, num_shards=self._train.num_shards, shard=self._shard
        )


def streams_of_batch(max_sentences: Optional[int], max_tokens: Optional[int], block_size: int) -> int:
    """Streams that are read side by side: as many as both limits allow; one where there is no limit.

    Raises:
        ValueError: if there is not room for one.
    """
    if max_tokens is None:
        return max_sentences or 1
    if max_tokens < block_size:
        raise ValueError(
            f"--max-tokens {max_tokens} has no room for a block of --tokens-per-sample {block_size}: expected at least "
            "as many"
        )
    fit = max_tokens // block_size
    return min(max_sentences or fit, fit)


def gather(tensor: torch.Tensor) -> list[torch.Tensor]:
    """The tensors of all processes; only the first of them writes the checkpoint, and it may at any update."""
    group = distributed_utils.get_data_parallel_group() if torch.distributed.is_initialized() else None
    return [tensor] if group is None else distributed_utils.all_gather(tensor.contiguous(), group)

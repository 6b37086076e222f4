"""What a stateful model remembers between the blocks of its streams."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fairseq_plugins.models.recurrent_lm import StreamState
from rims_nlp.modules.recurrent import State

Sample = Mapping[str, Any]


class Visit(NamedTuple):
    """The last block that a group of streams went through, and the states before and after it."""

    block: int
    before: State | None
    after: State | None


class StreamStates:
    """The states of the streams of each group (``--update-freq``), from block to block.

    Block 0 starts anew, so that epochs and validations are separate. A block that comes twice (mixed precision repeats
    one whose gradient overflowed) starts twice from the same state.
    """

    def __init__(self) -> None:
        self._visits: dict[int, Visit] = {}

    @contextlib.contextmanager
    def carry(self, sample: Sample) -> Iterator[dict[str, Any]]:
        """The sample with the state that its block starts from; remembers at the end where the model left it.

        Raises:
            ValueError: if that state is not known.
        """
        block, group = sample["block"], sample["group"]
        before = self._before(block, group)
        stream = StreamState(before)
        yield {**sample, "net_input": {**sample["net_input"], "stream": stream}}
        self._visits[group] = Visit(block, before, stream.parts)

    def _before(self, block: int, group: int) -> State | None:
        if block == 0:
            return None
        last = self._visits.get(group)
        if last is None or last.block not in (block - 1, block):
            raise ValueError(
                f"the state that block {block} of the text starts from is not known, "
                f"as {'no block' if last is None else f'block {last.block}'} came before it. To resume a training that "
                "another task, or another number of processes, began, give --reset-dataloader"
            )
        return last.after if last.block == block - 1 else last.before

    def state_dict(self, gather: Callable[[Tensor], list[Tensor]]) -> dict[str, Any]:
        """The last block, and the states of all streams, in the order of the streams.

        Args:
            gather: gives, for a tensor of this process, those of all processes.
        """
        visits = [visit for _, visit in sorted(self._visits.items())]
        states = [visit.after for visit in visits if visit.after is not None]
        parts = [torch.cat([own for part in group for own in gather(part)], 1) for group in zip(*states, strict=True)]
        return {"block": visits[0].block, "parts": parts}

    def load_state_dict(self, state: Mapping[str, Any], *, groups: int, num_shards: int, shard: int) -> None:
        """Take the states of this process's streams out of those of all streams."""
        shares = [part.chunk(groups * num_shards, 1) for part in state["parts"]]
        for group in range(groups):
            own = tuple(share[group * num_shards + shard] for share in shares)
            self._visits[group] = Visit(state["block"], None, own)


class CarriedBatches:
    """The batches of an evaluation, each with the state that the one before it left."""

    def __init__(self, batches: Iterable[Sample]) -> None:
        self._batches = batches

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[dict[str, Any]]:
        states = StreamStates()
        for batch in self._batches:
            with states.carry(batch) as carried:
                yield carried

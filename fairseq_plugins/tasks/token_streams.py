"""A text as one stream of tokens, cut into streams of about equal length that are read side by side, block by block.

A token is predicted from all those before it in its stream, so each one but the very first of the text is a target
exactly once in an epoch: the last target of a block is the first token of the next, and the last target of a stream is
the first token of the stream after it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from fairseq.data import FairseqDataset, data_utils
from torch import Tensor


class TokenStream(FairseqDataset):
    """The lines of a split one after another, read from the disk where they are asked for.

    Args:
        lines: the split; its items are token numbers, with ``</s>`` at the end of a line.
        name: of the split, for messages.
        groups: batches that make an update together (``--update-freq``); each has streams of its own.
    """

    def __init__(self, lines: Any, name: str, *, groups: int = 1) -> None:
        self.lines, self.name, self.groups = lines, name, groups
        self._ends = np.cumsum(lines.sizes)

    def __len__(self) -> int:
        """Tokens of the text."""
        return int(self._ends[-1]) if len(self._ends) else 0

    def read(self, start: int, stop: int) -> Tensor:
        """The tokens ``[start, stop)``, int64; at least one."""
        first, last = np.searchsorted(self._ends, [start, stop - 1], side="right")
        before = int(self._ends[first - 1]) if first else 0
        return torch.cat([self.lines[line] for line in range(first, last + 1)])[start - before : stop - before].long()


class StreamBlocks(FairseqDataset):
    """The streams' blocks in the order in which they are read; every item is a complete batch.

    The order is by block, then group, then process. Stream ``(group * num_shards + shard) * rows + row`` is row ``row``
    of that group's batches in that process. Streams differ by one token at most, and the last block takes the odd
    token, so that every row of every batch has at least one.

    Args:
        text: what is cut.
        rows: streams of a batch.
        num_shards: processes that train together.
        block_size: tokens of a block.
        pad: fills up the last block.

    Raises:
        ValueError: if there is not at least one target for each stream.
    """

    def __init__(self, text: TokenStream, *, rows: int, num_shards: int, block_size: int, pad: int) -> None:
        self.text, self.rows, self.num_shards, self.block_size, self.pad = text, rows, num_shards, block_size, pad
        self.num_streams = text.groups * num_shards * rows
        self._length, self._longer = divmod(len(text) - 1, self.num_streams)  # the first streams have one more
        if self._length < 1:
            raise ValueError(
                f"{text.name!r} has {len(text)} tokens, too few for {self.num_streams} streams "
                "(--batch-size x --update-freq x processes); take a smaller --batch-size"
            )
        self.num_blocks = -(-self._length // block_size)

    def __len__(self) -> int:
        return self.num_blocks * self.text.groups * self.num_shards

    @property
    def cut(self) -> dict[str, int]:
        """What decides which tokens a stream's block has."""
        return {
            "streams": self.num_streams,
            "update_freq": self.text.groups,
            "tokens_per_sample": self.block_size,
            "text_tokens": len(self.text),
        }

    def span(self, stream: int, block: int) -> tuple[int, int]:
        """First and last token (exclusive) that a stream reads in a block; its targets are one further."""
        begin = stream * self._length + min(stream, self._longer)
        end = begin + self._length + (stream < self._longer)
        start = begin + block * self.block_size
        return start, end if block == self.num_blocks - 1 else start + self.block_size

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The batch's ``block`` and ``group``, its streams' numbers, and their tokens with the one that follows."""
        block, rest = divmod(index, self.text.groups * self.num_shards)
        streams = range(rest * self.rows, (rest + 1) * self.rows)
        spans = [self.span(stream, block) for stream in streams]
        return {
            "block": block,
            "group": rest // self.num_shards,
            "streams": list(streams),
            "tokens": [self.text.read(start, stop + 1) for start, stop in spans],
        }

    def collater(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The batch of an item, with ``src_tokens`` and ``target`` ``(rows, T)``."""
        (item,) = samples
        tokens = item["tokens"]
        lengths = torch.tensor([len(row) - 1 for row in tokens])
        return {
            "id": torch.tensor(item["streams"]),
            "block": item["block"],
            "group": item["group"],
            "nsentences": len(tokens),
            "ntokens": int(lengths.sum()),
            "net_input": {
                "src_tokens": data_utils.collate_tokens([row[:-1] for row in tokens], self.pad),
                "src_lengths": lengths,
            },
            "target": data_utils.collate_tokens([row[1:] for row in tokens], self.pad),
        }

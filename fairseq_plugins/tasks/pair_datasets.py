"""How the sentences of several language pairs are put together: in turn for training, once each for validation."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from fairseq.data import FairseqDataset, RoundRobinZipDatasets, data_utils


class RepeatShorter(RoundRobinZipDatasets):
    """Training data: every batch holds as many sentences of each pair, and an epoch is as long as the longest set.

    The shorter sets start again when they end. fairseq builds the batches once and keeps them for every epoch, but
    builds them anew, from the number of the epoch, when training resumes. Here they depend on ``seed`` alone, so that
    a run resumed in any epoch sees the batches of the uninterrupted one.

    Args:
        datasets: one dataset a language pair.
        seed: breaks ties between sentences of equal length when they are sorted into batches.
    """

    def __init__(self, datasets: Mapping[str, FairseqDataset], seed: int) -> None:
        super().__init__(OrderedDict(datasets))
        self.seed = seed

    def ordered_indices(self) -> np.ndarray:
        """Positions to batch, by length; shape ``(sentences of the longest set,)``."""
        with data_utils.numpy_seed(self.seed):
            return super().ordered_indices()


class OncePerSentence(RoundRobinZipDatasets):
    """Validation data: each sentence of each pair exactly once; a pair that has ended is absent from later batches.

    Item ``i`` maps each pair with more than ``i`` sentences to its ``i``-th one by length.
    """

    def _present(self, index: int) -> list[str]:
        """The pairs that have a sentence at ``index``."""
        return [pair for pair, order in self._ordered_indices.items() if index < len(order)]

    def __getitem__(self, index: int) -> dict[str, Any]:
        return OrderedDict((pair, self.datasets[pair][self._map_index(pair, index)]) for pair in self._present(index))

    def __len__(self) -> int:
        return max(len(order) for order in (self._ordered_indices or self.datasets).values())

    def collater(self, samples: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
        """Make one batch a pair; a pair without a sentence among ``samples`` is left out."""
        if len(samples) == 0:
            return None
        present = {pair: [sample[pair] for sample in samples if pair in sample] for pair in self.datasets}
        return OrderedDict((pair, self.datasets[pair].collater(own)) for pair, own in present.items() if own)

    def num_tokens(self, index: int) -> int:
        """Tokens of the longest sentence at ``index``: the pairs go through the model one after another."""
        return max(self.datasets[pair].num_tokens(self._map_index(pair, index)) for pair in self._present(index))

    def size(self, index: int) -> dict[str, Any]:
        """Source and target tokens of each pair's sentence at ``index``."""
        return {pair: self.datasets[pair].size(self._map_index(pair, index)) for pair in self._present(index)}

"""The core that the authors of the paper published, loaded from a checkout of theirs and left as it is.

Their step is called once for each input, with the block structure of its cell restored once a sequence, as their models
do. It differs from our layer in what it computes beside the result: its LSTM cell multiplies by the whole
block-diagonal matrix, zeros included. Dropout, 0.1 in the published core, is switched off by eval mode; nothing else
there depends on the mode.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.config import LayerConfig
from rims_nlp.ops.rim.types import RIMWeights

NAME = "authors"
FOLDER, MODULE, CLASS = "event_based", "blocks_core", "BlocksCore"
# The heads are written into the published class; with GRU units nothing here compares it to ours.
FIXED = {"num_input_heads": 1, "num_comm_heads": 4, "comm_key_size": 16, "comm_value_size": 16, "cell": "lstm"}


class AuthorsLayer(nn.Module):
    """The published core over a sequence, called as ``nn.LSTM``; the state is ``(B, hidden_size)`` each."""

    core: Any  # the published class, which has no types

    def __init__(self, core: nn.Module, hidden_size: int) -> None:
        super().__init__()
        self.core, self.hidden_size = core, hidden_size

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Outputs ``(T, B, hidden_size)`` and the final state for ``x`` ``(T, B, input_size)``."""
        zeros = x.new_zeros(x.shape[1], self.hidden_size)
        h, c = (zeros, zeros) if state is None else state
        self.core.blockify_params()
        outputs = []
        for t, step in enumerate(x.unbind(0)):
            h, c, _ = self.core(step, h, c, t)
            outputs.append(h)
        return torch.stack(outputs), (h, c)


def build(config: LayerConfig, *, core: type[nn.Module]) -> AuthorsLayer:
    """The published core at the sizes of ``config``, in eval mode.

    Raises:
        ValueError: if it does not take part with these sizes.
    """
    for name, value in FIXED.items():
        if getattr(config, name) != value:
            raise ValueError(f"the authors' core takes part with {name}={value} only, got {getattr(config, name)}")
    made = core(config.input_size, config.hidden_size, 1, config.num_units, config.num_active, True, False)
    return AuthorsLayer(made.to(config.device, config.torch_dtype), config.hidden_size).eval()


def load_class(directory: Path) -> type[nn.Module]:
    """The class of the published core.

    Args:
        directory: the checkout, or the folder of it that holds the core.

    Raises:
        ValueError: if the folder, the file or the class is not there, or importing it fails.
    """
    folder = next((path for path in (directory / FOLDER, directory) if (path / f"{MODULE}.py").is_file()), None)
    if folder is None:
        raise ValueError(
            f"--authors-code {directory}: has no {FOLDER}/{MODULE}.py; expected a checkout of the code published with "
            "the paper (github.com/anirudh9119/RIMs)"
        )
    with importing_from(folder):
        try:
            return getattr(importlib.import_module(MODULE), CLASS)
        except Exception as error:
            raise ValueError(f"--authors-code {folder}: {MODULE}.{CLASS} cannot be loaded: {error!r}") from error


@contextmanager
def importing_from(folder: Path) -> Iterator[None]:
    """Import from ``folder`` first; what came from there is forgotten afterwards, as its names are common words."""
    before, path = dict(sys.modules), list(sys.path)
    names = {file.stem for file in folder.glob("*.py")}
    for name in names & set(before):
        del sys.modules[name]
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = path
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update({name: module for name, module in before.items() if name in names})


@torch.no_grad()
def copy_weights(weights: RIMWeights, layer: AuthorsLayer) -> None:
    """Give the published core the weights of one of our LSTM layers (gated communication), to compare what they do."""
    read, cell, comm = layer.core.inp_att, layer.core.block_lstm.lstm, layer.core.mha
    pairs: list[tuple[Tensor, Tensor | None]] = [
        (read.GLN_qs.w, weights.input_query),
        (read.GLN_ks.w[1], weights.input_key),  # index 0 is the null element, whose input is 0
        (read.GLN_vs.w[1], weights.input_value),
        (cell.weight_ih, joined(weights.weight_ih)),
        (cell.weight_hh, joined(weights.weight_hh)),
        (cell.bias_ih, by_gate(weights.bias_ih)),
        (cell.bias_hh, by_gate(weights.bias_hh)),
        (comm.GLN_qs.w, weights.comm_query),
        (comm.GLN_ks.w, weights.comm_key),
        (comm.GLN_vs.w, weights.comm_value),
        (comm.fc.weight.T, weights.comm_out_weight),
        (comm.fc.bias, weights.comm_out_bias),
        (comm.gate_fc.weight.T, weights.comm_gate_weight),
        (comm.gate_fc.bias, weights.comm_gate_bias),
    ]
    for theirs, ours in pairs:
        assert ours is not None
        theirs.copy_(ours)


def joined(weight: Tensor) -> Tensor:
    """The units' weights ``(K, in, 4*D)`` as the one block-diagonal matrix ``(4*K*D, K*in)`` of torch's cell."""
    gates = weight.unflatten(-1, (4, -1)).unbind(2)  # (K, in, D) each
    return torch.cat([torch.block_diag(*gate.mT) for gate in gates])


def by_gate(bias: Tensor | None) -> Tensor:
    """The units' biases ``(K, 4*D)`` as the one of torch's cell ``(4*K*D,)``, gate by gate."""
    assert bias is not None
    return bias.unflatten(-1, (4, -1)).transpose(0, 1).flatten()

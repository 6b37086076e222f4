"""What is timed: the calls that a contestant makes with random input of a config's sizes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.config import LayerConfig
from benchmarks.registry import Contestant
from rims_nlp import RIM, RIMCell

Call = Callable[[], object]


def random_input(config: LayerConfig, *shape: int) -> Tensor:
    """Normal input ``(*shape, input_size)``, the same for every contestant."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, config.input_size, generator=generator).to(config.device, config.torch_dtype)


def forward(contestant: Contestant, config: LayerConfig) -> Call:
    """A layer over ``(T, B, input_size)`` without gradients, from a zero state."""
    module, x = contestant.build(config).eval(), random_input(config, config.steps, config.batch)

    def call() -> object:
        with torch.no_grad():
            return module(x)

    return call


def forward_backward(contestant: Contestant, config: LayerConfig) -> Call:
    """The same and the gradients of input and weights, for a random gradient of the output."""
    return forward_backward_of(contestant.build(config), config)


def forward_backward_of(module: nn.Module, config: LayerConfig) -> Call:
    """:func:`forward_backward` of a layer that is already there."""
    x = random_input(config, config.steps, config.batch).requires_grad_()
    wanted = [x, *module.parameters()]
    upstream = torch.randn(config.steps, config.batch, config.hidden_size).to(x)

    def call() -> object:
        output, _ = module(x)
        return torch.autograd.grad(output, wanted, upstream, allow_unused=True)

    return call


def one_step(contestant: Contestant, config: LayerConfig) -> Call:
    """One step of a layer (T = 1) or cell from a given state, without gradients: what decoding does for each token.

    Ours have their weights prepared beforehand, as a search does once for all its steps.
    """
    module = contestant.build(config).eval()
    x = random_input(config, *(() if contestant.is_cell else (1,)), config.batch)
    with torch.no_grad():
        result: Any = module(x)
    state = result if contestant.is_cell else result[1]
    ready = {"prepared": module.prepare()} if isinstance(module, RIM | RIMCell) else {}

    def call() -> object:
        with torch.no_grad():
            return module(x, state, **ready)

    return call

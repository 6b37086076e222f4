"""The skeleton of the ``*_predictor`` families for ``--task sequence_prediction``; only the core is exchanged.

Input layer (an embedding of tokens, or a linear layer on vectors), core, output layer at the steps that count, with a
perceptron before it if wanted. A sequence always starts from the core's initial state.
"""

from dataclasses import dataclass, field
from typing import Any, Protocol

from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel
from torch import Tensor, nn


class Core(Protocol):
    """What turns embedded inputs ``(T, B, E)`` of whole sequences into outputs ``(T, B, output_size)`` and a state."""

    output_size: int

    def __call__(self, x: Tensor) -> tuple[Tensor, Any]: ...


@dataclass
class PredictorConfig(FairseqDataclass):
    """Options of the skeleton."""

    dropout: float = field(default=0.0, metadata={"help": "dropout on the core's input and output (probability)"})
    layer_dropout: float = field(
        default=0.0, metadata={"help": "dropout between the layers of a core (probability); no effect with one layer"}
    )
    embed_dim: int = field(default=600, metadata={"help": "size of an embedded input"})
    layers: int = field(default=1, metadata={"help": "layers of the core"})
    head_layers: int = field(
        default=0, metadata={"help": "hidden layers of a ReLU perceptron between core and output layer"}
    )
    head_size: int = field(default=256, metadata={"help": "width of these layers"})


@dataclass
class RecurrentPredictorConfig(PredictorConfig):
    """Options of the skeleton with a recurrent core."""

    hidden_size: int = field(default=600, metadata={"help": "width of a layer of the core"})


class SequencePredictor(BaseFairseqModel):
    """Base of the families; a family says how its core is built.

    Args:
        input_layer: inputs ``(B, T)`` or ``(B, T, size)`` to ``(B, T, E)``.
        core: what reads the sequence, a module.
        output_layer: features ``(S, B, H)`` to ``(S, B, classes)``, or ``(S, B, 1)`` for values.
        dropout: on what enters and leaves the core.
    """

    def __init__(self, input_layer: nn.Module, core: Core, output_layer: nn.Module, dropout: float) -> None:
        super().__init__()
        self.input_layer, self.core, self.output_layer = input_layer, core, output_layer
        self.dropout = nn.Dropout(dropout)

    @classmethod
    def build_core(cls, cfg: Any) -> Core:
        """The core of the family, which reads ``cfg.embed_dim`` numbers a step."""
        raise NotImplementedError

    @classmethod
    def build_model(cls, cfg: PredictorConfig, task: Any) -> "SequencePredictor":
        """Build the model for the data of a task.

        Raises:
            ValueError: if the task has no inputs and targets of this kind.
        """
        form = getattr(task, "form", None)
        if form is None:
            raise ValueError(f"a predictor needs --task sequence_prediction, got {type(task).__name__}")
        is_embedded = form.input_kind == "tokens"
        input_layer = (nn.Embedding if is_embedded else nn.Linear)(form.input_size, cfg.embed_dim)
        core = cls.build_core(cfg)
        output_layer = perceptron(core.output_size, cfg.head_layers, cfg.head_size, form.target_size)
        return cls(input_layer, core, output_layer, cfg.dropout)

    def forward(self, inputs: Tensor, scored: Tensor) -> Tensor:
        """Predict.

        Args:
            inputs: ``(B, T)`` int64 or ``(B, T, size)``.
            scored: the S steps that count, ``(T,)`` bool.

        Returns:
            scores of the classes ``(B, S, classes)``, or values ``(B, S, 1)``.
        """
        x = self.dropout(self.input_layer(inputs)).transpose(0, 1)
        features = self.core(x)[0][scored]
        return self.output_layer(self.dropout(features)).transpose(0, 1)

    def max_positions(self) -> None:
        """None: sequences may have any length."""


def perceptron(input_size: int, hidden_layers: int, hidden_size: int, output_size: int) -> nn.Sequential:
    """Linear layers with a ReLU after each but the last."""
    layers: list[nn.Module] = []
    for _ in range(hidden_layers):
        layers += [nn.Linear(input_size, hidden_size), nn.ReLU()]
        input_size = hidden_size
    return nn.Sequential(*layers, nn.Linear(input_size, output_size))

"""The language model that all recurrent families share; only the recurrent core is exchanged.

Embedding, core, a projection to the embedding's size where the core is wider or narrower, and an output layer that is
free, tied to the embedding, or an adaptive softmax (Grave et al., 2017; use it with ``--criterion adaptive_loss``).
With the task ``language_modeling`` every block starts from the initial state; ``stateful_language_modeling`` carries
the state from block to block.
"""

from dataclasses import dataclass, field
from typing import Any, Optional

import torch
import torch.nn.functional as F
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqIncrementalDecoder, FairseqLanguageModel
from fairseq.modules import AdaptiveSoftmax
from torch import Tensor, nn

from fairseq_plugins.models.recurrent_seq2seq import CACHE, PREPARED, embedding
from rims_nlp.modules.dropout import locked_dropout
from rims_nlp.modules.recurrent import RecurrentCore, State

UNLIMITED = 2**31 - 1  # positions of a model that has no limit, in tokens


@dataclass
class RecurrentLMConfig(FairseqDataclass):
    """Options of the skeleton."""

    dropout: float = field(default=0.1, metadata={"help": "dropout on embeddings and on the core's outputs"})
    embed_dropout: Optional[float] = field(
        default=None, metadata={"help": "dropout on embeddings alone (default: --dropout)"}
    )
    output_dropout: Optional[float] = field(
        default=None, metadata={"help": "dropout on the core's outputs alone (default: --dropout)"}
    )
    layer_dropout: float = field(
        default=0.1, metadata={"help": "dropout between the layers of the core; no effect with one layer"}
    )
    locked_dropout: bool = field(
        default=False,
        metadata={"help": "drop the same entries of embeddings and of outputs at all steps of a block (variational)"},
    )
    decoder_embed_dim: int = field(default=512, metadata={"help": "embedding size, and size of the output state"})
    decoder_hidden_size: int = field(default=512, metadata={"help": "width of a layer"})
    decoder_layers: int = field(default=1, metadata={"help": "layers of the core"})
    share_decoder_input_output_embed: bool = field(
        default=False, metadata={"help": "tie the output layer to the embedding"}
    )
    adaptive_softmax_cutoff: Optional[str] = field(
        default=None,
        metadata={"help": "ends of the frequency classes, e.g. 2000,10000: an adaptive softmax, for adaptive_loss"},
    )
    adaptive_softmax_dropout: float = field(
        default=0.0, metadata={"help": "dropout in the adaptive softmax, on its classes of rare words"}
    )
    adaptive_softmax_factor: float = field(
        default=4.0, metadata={"help": "how much narrower each class of the adaptive softmax is than the one before"}
    )


class StreamState:
    """The state of a core between two blocks of the same streams: a model reads it and leaves the next one in it.

    Attributes:
        parts: one ``(layers, B, size)`` tensor for each state of the core, without gradient; None: the initial state.
    """

    def __init__(self, parts: State | None = None) -> None:
        self.parts = parts

    def on(self, device: torch.device) -> State | None:
        """The state on a device: fairseq moves the tokens of a batch to the GPU, but not what it does not know."""
        return None if self.parts is None else tuple(part.to(device) for part in self.parts)


class RecurrentLMDecoder(FairseqIncrementalDecoder):
    """Embedding, a recurrent core, output layer.

    Args:
        dictionary: of what is predicted.
        embed_tokens: embedding of what is read.
        core: reads the embedded tokens.
        share_input_output_embed: use the embedding as output layer.
        adaptive_softmax: the output layer in its place; None: a linear layer.
        embed_dropout: on embeddings.
        output_dropout: on the core's outputs.
        locked_dropout: whether both drop the same entries at all steps of a block.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        embed_tokens: nn.Embedding,
        core: RecurrentCore,
        *,
        share_input_output_embed: bool,
        adaptive_softmax: AdaptiveSoftmax | None,
        embed_dropout: float,
        output_dropout: float,
        locked_dropout: bool,
    ) -> None:
        super().__init__(dictionary)
        size = embed_tokens.embedding_dim
        self.embed_tokens, self.core = embed_tokens, core
        self.embed_dropout, self.output_dropout, self.locked_dropout = embed_dropout, output_dropout, locked_dropout
        self.projection = nn.Linear(core.output_size, size) if core.output_size != size else None
        self.adaptive_softmax = adaptive_softmax
        self.output_projection = None if adaptive_softmax else self._output_layer(share_input_output_embed)

    def _output_layer(self, tied: bool) -> nn.Linear:
        size = self.embed_tokens.embedding_dim
        layer = nn.Linear(size, len(self.dictionary))
        nn.init.zeros_(layer.bias)
        if tied:
            layer.weight = self.embed_tokens.weight
        else:
            nn.init.normal_(layer.weight, std=size**-0.5)
        return layer

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: None = None,
        incremental_state: dict | None = None,
        *,
        stream: StreamState | None = None,
        **unused: Any,
    ) -> tuple[Tensor, dict[str, None]]:
        """Scores of the next token ``(B, T, V)``, or with an adaptive softmax the features that it takes.

        Args:
            prev_output_tokens: ``(B, T)``, padded on the right or not at all.
            encoder_out: there is none.
            incremental_state: carries the core's state from step to step of a search; after the first step only the
                last token is read.
            stream: carries the core's state from block to block: where the block starts, and afterwards where it
                ended.
        """
        features, extra = self.extract_features(prev_output_tokens, encoder_out, incremental_state, stream=stream)
        return self.output_layer(features), extra

    def output_layer(self, features: Tensor, **unused: Any) -> Tensor:
        """Scores over the vocabulary ``(B, T, V)`` from features ``(B, T, embed_dim)``."""
        return features if self.output_projection is None else self.output_projection(features)

    def get_normalized_probs(self, net_output: Any, log_probs: bool, sample: Any = None) -> Tensor:
        """Probabilities of all tokens, as fairseq asks for them.

        Raises:
            ValueError: in training, if the output layer is an adaptive softmax, whose loss is another.
        """
        if self.adaptive_softmax is not None and self.training:
            raise ValueError("--adaptive-softmax-cutoff needs --criterion adaptive_loss")
        return super().get_normalized_probs(net_output, log_probs, sample)

    def extract_features(
        self,
        prev_output_tokens: Tensor,
        encoder_out: None = None,
        incremental_state: dict | None = None,
        *,
        stream: StreamState | None = None,
        **unused: Any,
    ) -> tuple[Tensor, dict[str, None]]:
        """Features ``(B, T, embed_dim)``; arguments as in :meth:`forward`."""
        if incremental_state is not None:
            output = self._step(prev_output_tokens, incremental_state)
        else:
            start = None if stream is None else stream.on(prev_output_tokens.device)
            output, state = self._run(prev_output_tokens, start)
            if stream is not None:
                stream.parts = tuple(part.detach() for part in state)
        features = self._drop(output, self.output_dropout)
        if self.projection is not None:
            features = self.projection(features)
        return features.transpose(0, 1), {"attn": None}

    def _run(self, tokens: Tensor, state: State | None, prepared: object = None) -> tuple[Tensor, State]:
        """The core over ``tokens`` ``(B, T)``; output ``(T, B, H)``."""
        x = self._drop(self.embed_tokens(tokens.t()), self.embed_dropout)
        return self.core(x, state, prepared=prepared)

    def _step(self, tokens: Tensor, incremental_state: dict) -> Tensor:
        """The next step of a search; what the core computes once for it is kept beside the state."""
        cached = self.get_incremental_state(incremental_state, CACHE)
        if cached is None:
            prepared, state = self.core.prepare(), None
            self.set_incremental_state(incremental_state, PREPARED, {"core": prepared})
        else:
            prepared = self.get_incremental_state(incremental_state, PREPARED)["core"]
            tokens, state = tokens[:, -1:], tuple(cached[f"state_{i}"] for i in range(len(self.core.state_sizes)))
        output, state = self._run(tokens, state, prepared)
        self.set_incremental_state(incremental_state, CACHE, {f"state_{i}": part for i, part in enumerate(state)})
        return output

    def _drop(self, x: Tensor, rate: float) -> Tensor:
        """Dropout on ``(T, B, C)``."""
        return (locked_dropout if self.locked_dropout else F.dropout)(x, rate, self.training)

    def reorder_incremental_state_scripting(self, incremental_state: dict, new_order: Tensor) -> None:
        """Let every hypothesis of the beam go on from the state of the one it extends."""
        cached = self.get_incremental_state(incremental_state, CACHE)
        if cached is not None:
            reordered = {name: part.index_select(1, new_order) for name, part in cached.items()}
            self.set_incremental_state(incremental_state, CACHE, reordered)

    def max_positions(self) -> int:
        return UNLIMITED


class RecurrentLanguageModel(FairseqLanguageModel):
    """Base of the recurrent families; a family says how its core is built."""

    @classmethod
    def build_core(cls, cfg: RecurrentLMConfig) -> RecurrentCore:
        """The recurrent core of the family, which reads ``cfg.decoder_embed_dim`` numbers a step."""
        raise NotImplementedError

    @classmethod
    def build_model(cls, cfg: RecurrentLMConfig, task: Any) -> "RecurrentLanguageModel":
        """Build the model for the task's dictionaries.

        Raises:
            ValueError: if options contradict each other, or the dictionaries do not allow what they ask for.
        """
        source, target = task.source_dictionary, task.target_dictionary
        tied = cfg.share_decoder_input_output_embed
        if tied and source != target:
            raise ValueError(
                "--share-decoder-input-output-embed needs one dictionary for what is read and what is predicted, "
                f"got {len(source)} and {len(target)} entries"
            )
        decoder = RecurrentLMDecoder(
            target,
            embedding(source, cfg.decoder_embed_dim),
            cls.build_core(cfg),
            share_input_output_embed=tied,
            adaptive_softmax=build_adaptive_softmax(cfg, len(target)),
            embed_dropout=cfg.dropout if cfg.embed_dropout is None else cfg.embed_dropout,
            output_dropout=cfg.dropout if cfg.output_dropout is None else cfg.output_dropout,
            locked_dropout=cfg.locked_dropout,
        )
        return cls(decoder)


def build_adaptive_softmax(cfg: RecurrentLMConfig, vocabulary: int) -> AdaptiveSoftmax | None:
    """The adaptive softmax that the options ask for, or None.

    Raises:
        ValueError: if the classes do not fit the vocabulary, or the output layer is to be tied as well.
    """
    if cfg.adaptive_softmax_cutoff is None:
        return None
    if cfg.share_decoder_input_output_embed:
        raise ValueError("--adaptive-softmax-cutoff and --share-decoder-input-output-embed exclude each other")
    ends = utils.eval_str_list(cfg.adaptive_softmax_cutoff, type=int)
    if not ends[0] > 0 or any(a >= b for a, b in zip(ends, [*ends[1:], vocabulary], strict=True)):
        raise ValueError(
            f"--adaptive-softmax-cutoff: expected growing numbers below the {vocabulary} entries of the dictionary, "
            f"got {cfg.adaptive_softmax_cutoff}"
        )
    return AdaptiveSoftmax(
        vocabulary, cfg.decoder_embed_dim, ends, cfg.adaptive_softmax_dropout, factor=cfg.adaptive_softmax_factor
    )

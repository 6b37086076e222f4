"""The encoder-decoder that all recurrent families share; only the recurrent core is exchanged.

Embedding, bidirectional encoder core, decoder core, attention over the encoder, output: Luong et al. (2015). Attention
comes after the recurrence, so that training runs the core and the attention over all steps at once; input feeding (the
attentional state enters the next step's input) is an option.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from fairseq import utils
from fairseq.data import Dictionary
from fairseq.dataclass import FairseqDataclass
from fairseq.models import FairseqEncoder, FairseqEncoderDecoderModel, FairseqIncrementalDecoder
from omegaconf import II
from torch import Tensor, nn

from rims_nlp import LockedDropout, SequenceAttention
from rims_nlp.modules.recurrent import RecurrentCore, RecurrentCoreBridge, State

CACHE = "recurrent_state"  # name of the decoder's entry in a search's incremental state
PREPARED = "prepared_core"  # name of what the core computes once for a search
FEED = "feed"  # what input feeding adds to it


@dataclass
class RecurrentSeq2SeqConfig(FairseqDataclass):
    """Options of the skeleton."""

    dropout: float = field(default=0.1, metadata={"help": "dropout on embeddings and on outputs (probability)"})
    locked_dropout: bool = field(
        default=False,
        metadata={"help": "--dropout drops the same features at all steps of a sentence (variational dropout)"},
    )
    layer_dropout: float = field(
        default=0.1, metadata={"help": "dropout between the layers of a core (probability); no effect with one layer"}
    )
    encoder_embed_dim: int = field(default=512, metadata={"help": "source embedding size"})
    encoder_hidden_size: int = field(default=512, metadata={"help": "width of an encoder layer, per direction"})
    encoder_layers: int = field(default=1, metadata={"help": "layers of the encoder; the decoder must have as many"})
    encoder_unidirectional: bool = field(
        default=False, metadata={"help": "read the source left to right only (default: in both directions)"}
    )
    decoder_embed_dim: int = field(
        default=512, metadata={"help": "target embedding size, and size of the output state"}
    )
    decoder_hidden_size: int = field(default=1024, metadata={"help": "width of a decoder layer"})
    decoder_layers: int = field(default=1, metadata={"help": "layers of the decoder"})
    input_feeding: bool = field(
        default=False,
        metadata={
            "help": "feed the attentional state into the next step (default: attend after the recurrence; faster)"
        },
    )
    share_decoder_input_output_embed: bool = field(
        default=False, metadata={"help": "share the target embedding with the output layer"}
    )
    share_all_embeddings: bool = field(
        default=False,
        metadata={"help": "share source embedding, target embedding and output layer; needs one dictionary"},
    )
    max_source_positions: int = II("task.max_source_positions")
    max_target_positions: int = II("task.max_target_positions")


def embedding(dictionary: Dictionary, size: int) -> nn.Embedding:
    """A new embedding; padding is 0."""
    table = nn.Embedding(len(dictionary), size, padding_idx=dictionary.pad())
    nn.init.normal_(table.weight, std=size**-0.5)
    nn.init.zeros_(table.weight[dictionary.pad()])
    return table


def check_config(cfg: RecurrentSeq2SeqConfig) -> None:
    """ValueError where options of the skeleton contradict each other."""
    if cfg.encoder_layers != cfg.decoder_layers:
        raise ValueError(
            "--encoder-layers and --decoder-layers must be equal (the decoder starts from the encoder's state), "
            f"got {cfg.encoder_layers} and {cfg.decoder_layers}"
        )
    if cfg.share_all_embeddings and cfg.encoder_embed_dim != cfg.decoder_embed_dim:
        raise ValueError(
            "--share-all-embeddings needs --encoder-embed-dim equal to --decoder-embed-dim, "
            f"got {cfg.encoder_embed_dim} and {cfg.decoder_embed_dim}"
        )
    if cfg.locked_dropout and cfg.input_feeding:
        raise ValueError(
            "--locked-dropout draws one mask for all steps, but --input-feeding goes step by step: "
            "give only one of them"
        )


def dropout(cfg: RecurrentSeq2SeqConfig) -> nn.Module:
    """The dropout of embeddings and outputs."""
    return LockedDropout(cfg.dropout) if cfg.locked_dropout else nn.Dropout(cfg.dropout)


class EncoderOut(NamedTuple):
    """What the encoder hands to the decoder.

    In a search every sentence has several hypotheses. They share its entry: row r of the decoder's batch belongs to
    sentence ``r // copies``, and a reordering within sentences copies nothing.
    """

    output: Tensor  # (S, B, C)
    padding_mask: Tensor | None  # (S, B), True = pad; None: no padding
    state: State  # (layers * directions, B, H) each
    copies: int = 1

    def reorder(self, new_order: Tensor) -> "EncoderOut":
        """Select rows of the decoder's batch."""
        sentences = new_order // self.copies
        copies = self.copies if self.copies > 1 else max(1, len(new_order) // max(1, self.output.shape[1]))
        grouped = len(new_order) % copies == 0 and bool(
            (sentences.view(-1, copies) == sentences[::copies].unsqueeze(1)).all()
        )
        if not grouped:
            return self._select(sentences, 1)
        kept = sentences[::copies]
        if len(kept) == self.output.shape[1] and bool((kept == torch.arange(len(kept), device=kept.device)).all()):
            return self._replace(copies=copies)
        return self._select(kept, copies)

    def _select(self, sentences: Tensor, copies: int) -> "EncoderOut":
        return EncoderOut(
            self.output.index_select(1, sentences),
            None if self.padding_mask is None else self.padding_mask.index_select(1, sentences),
            tuple(part.index_select(1, sentences) for part in self.state),
            copies,
        )

    def initial_state(self) -> State:
        """The encoder's final state for every row of the decoder's batch."""
        if self.copies == 1:
            return self.state
        return tuple(part.repeat_interleave(self.copies, 1) for part in self.state)


class RecurrentEncoder(FairseqEncoder):
    """Embedding and a recurrent core over the source.

    Args:
        dictionary: of the source language.
        embed_tokens: source embedding.
        core: reads the embedded tokens.
        dropout: on embeddings and outputs, which are ``(S, B, size)``.
        max_source_positions: longest source, in tokens.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        embed_tokens: nn.Embedding,
        core: RecurrentCore,
        *,
        dropout: nn.Module,
        max_source_positions: int,
    ) -> None:
        super().__init__(dictionary)
        self.embed_tokens, self.core = embed_tokens, core
        self.dropout = dropout
        self.padding_idx = dictionary.pad()
        self.max_source_positions = max_source_positions

    def forward(self, src_tokens: Tensor, src_lengths: Tensor, **unused: Any) -> "EncoderOut":
        """Encode ``src_tokens`` ``(B, S)``, padded on either side; ``src_lengths`` ``(B,)`` in tokens."""
        tokens = utils.convert_padding_direction(src_tokens, self.padding_idx, left_to_right=True)
        padding_mask = tokens.eq(self.padding_idx).t()
        has_padding = bool(padding_mask.any())
        x = self.dropout(self.embed_tokens(tokens.t()))
        output, state = self.core(x, lengths=(~padding_mask).sum(0) if has_padding else None)
        return EncoderOut(self.dropout(output), padding_mask if has_padding else None, state)

    def reorder_encoder_out(self, encoder_out: EncoderOut, new_order: Tensor) -> "EncoderOut":
        return encoder_out.reorder(new_order)

    def max_positions(self) -> int:
        return self.max_source_positions


class RecurrentDecoder(FairseqIncrementalDecoder):
    """Embedding, a recurrent core, attention over the encoder, output layer.

    Args:
        dictionary: of the target language.
        embed_tokens: target embedding.
        core: reads the embedded tokens (with input feeding: beside the last attentional state).
        bridge: gives the core's initial state from the encoder's final state.
        attention: over the encoder's outputs.
        share_input_output_embed: use the target embedding as output layer.
        input_feeding: whether the attentional state enters the next step.
        set_input: whether it enters as the second element of a set, not concatenated.
        dropout: on embeddings and outputs, which are ``(T, B, size)``.
        max_target_positions: longest target, in tokens.
    """

    def __init__(
        self,
        dictionary: Dictionary,
        embed_tokens: nn.Embedding,
        core: RecurrentCore,
        bridge: RecurrentCoreBridge,
        attention: SequenceAttention,
        *,
        share_input_output_embed: bool,
        input_feeding: bool,
        set_input: bool,
        dropout: nn.Module,
        max_target_positions: int,
    ) -> None:
        super().__init__(dictionary)
        self.embed_tokens, self.core, self.bridge, self.attention = embed_tokens, core, bridge, attention
        self.input_feeding, self.set_input, self.dropout = input_feeding, set_input, dropout
        self.output_projection = nn.Linear(embed_tokens.embedding_dim, len(dictionary), bias=False)
        if share_input_output_embed:
            self.output_projection.weight = embed_tokens.weight
        else:
            nn.init.normal_(self.output_projection.weight, std=embed_tokens.embedding_dim**-0.5)
        self.max_target_positions = max_target_positions

    def forward(
        self,
        prev_output_tokens: Tensor,
        encoder_out: EncoderOut,
        incremental_state: dict | None = None,
        **unused: Any,
    ) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Scores of the next token ``(B, T, V)`` and ``{"attn": [(B, T, S)]}``.

        Args:
            prev_output_tokens: ``(B, T)``; with ``incremental_state`` only the last token is read.
            encoder_out: what the encoder gave.
            incremental_state: carries the core's state from step to step of a search.
        """
        features, extra = self.extract_features(prev_output_tokens, encoder_out, incremental_state)
        return self.output_layer(features), extra

    def output_layer(self, features: Tensor) -> Tensor:
        """Scores over the vocabulary ``(B, T, V)`` from attentional states ``(B, T, embed_dim)``."""
        return self.output_projection(features)

    def extract_features(
        self, prev_output_tokens: Tensor, encoder_out: EncoderOut, incremental_state: dict | None = None, **unused: Any
    ) -> tuple[Tensor, dict[str, list[Tensor]]]:
        """Attentional states ``(B, T, embed_dim)`` and ``{"attn": [(B, T, S)]}``."""
        cached = None if incremental_state is None else self.get_incremental_state(incremental_state, CACHE)
        prepared = None
        if incremental_state is not None:
            prev_output_tokens = prev_output_tokens[:, -1:]
            prepared = self._prepared(incremental_state)
        x = self.dropout(self.embed_tokens(prev_output_tokens.t()))
        if cached is None:
            state = self.bridge(encoder_out.initial_state())
        else:
            state = tuple(cached[f"state_{index}"] for index in range(len(self.core.state_sizes)))
        if self.input_feeding:
            feed = x.new_zeros(x.shape[1], self.output_projection.in_features) if cached is None else cached[FEED]
            features, weights, state = self._run_with_feeding(x, encoder_out, state, feed, prepared)
        else:
            features, weights, state = self._run_at_once(x, encoder_out, state, prepared)
        if incremental_state is not None:
            entries = {f"state_{index}": part for index, part in enumerate(state)}
            if self.input_feeding:
                entries[FEED] = features[-1]
            self.set_incremental_state(incremental_state, CACHE, entries)
        return features.transpose(0, 1), {"attn": [weights]}

    def _prepared(self, incremental_state: dict) -> object:
        """What the core computes once for a whole search, kept in the search's state."""
        kept = self.get_incremental_state(incremental_state, PREPARED)
        if kept is None:
            kept = {"core": self.core.prepare()}
            self.set_incremental_state(incremental_state, PREPARED, kept)
        return kept["core"]

    def _run_at_once(
        self, x: Tensor, encoder_out: EncoderOut, state: State, prepared: object
    ) -> tuple[Tensor, Tensor, State]:
        """The core over all steps, then the attention of all steps; x ``(T, B, embed_dim)``."""
        output, state = self.core(x, state, prepared=prepared)
        attended, weights = self.attention(self.dropout(output), encoder_out.output, encoder_out.padding_mask)
        return self.dropout(attended), weights, state

    def _run_with_feeding(
        self, x: Tensor, encoder_out: EncoderOut, state: State, feed: Tensor, prepared: object
    ) -> tuple[Tensor, Tensor, State]:
        """Step by step, each step reading the attentional state of the one before, feed ``(B, embed_dim)``."""
        features, weights = [], []
        for step in x.unbind(0):
            step_input = (torch.stack([step, feed], -2) if self.set_input else torch.cat([step, feed], -1)).unsqueeze(0)
            attended, weight, state = self._run_at_once(step_input, encoder_out, state, prepared)
            feed = attended.squeeze(0)
            features.append(feed)
            weights.append(weight)
        return torch.stack(features), torch.cat(weights, dim=1), state

    def reorder_incremental_state_scripting(self, incremental_state: dict, new_order: Tensor) -> None:
        """Let every hypothesis of the beam go on from the state of the one it extends."""
        cached = self.get_incremental_state(incremental_state, CACHE)
        if cached is not None:
            reordered = {name: part.index_select(0 if name == FEED else 1, new_order) for name, part in cached.items()}
            self.set_incremental_state(incremental_state, CACHE, reordered)

    def max_positions(self) -> int:
        return self.max_target_positions


class RecurrentSeq2SeqModel(FairseqEncoderDecoderModel):
    """Base of the recurrent families; a family says how its core is built."""

    @classmethod
    def build_core(
        cls, cfg: RecurrentSeq2SeqConfig, input_size: int, hidden_size: int, num_layers: int, *, is_encoder: bool
    ) -> RecurrentCore:
        """The recurrent core of the family; an encoder's is bidirectional unless ``cfg`` says otherwise."""
        raise NotImplementedError

    @classmethod
    def takes_set(cls, cfg: RecurrentSeq2SeqConfig) -> bool:
        """Whether the decoder's core reads word and attentional state as a set of two elements."""
        return False

    @classmethod
    def build_model(cls, cfg: RecurrentSeq2SeqConfig, task: Any) -> "RecurrentSeq2SeqModel":
        """Build encoder and decoder for the task's dictionaries."""
        check_config(cfg)
        source, target = task.source_dictionary, task.target_dictionary
        if cfg.share_all_embeddings and source != target:
            raise ValueError(
                "--share-all-embeddings needs one dictionary for both languages "
                f"(fairseq-preprocess --joined-dictionary), got {len(source)} source and {len(target)} target entries "
                "that differ"
            )
        source_embedding = embedding(source, cfg.encoder_embed_dim)
        target_embedding = source_embedding if cfg.share_all_embeddings else embedding(target, cfg.decoder_embed_dim)
        encoder = cls.build_encoder(cfg, source, source_embedding)
        return cls(encoder, cls.build_decoder(cfg, target, target_embedding, encoder))

    @classmethod
    def build_encoder(
        cls, cfg: RecurrentSeq2SeqConfig, dictionary: Dictionary, embed_tokens: nn.Embedding
    ) -> RecurrentEncoder:
        """The encoder of the family."""
        core = cls.build_core(cfg, cfg.encoder_embed_dim, cfg.encoder_hidden_size, cfg.encoder_layers, is_encoder=True)
        return RecurrentEncoder(
            dictionary, embed_tokens, core, dropout=dropout(cfg), max_source_positions=cfg.max_source_positions
        )

    @classmethod
    def build_decoder(
        cls,
        cfg: RecurrentSeq2SeqConfig,
        dictionary: Dictionary,
        embed_tokens: nn.Embedding,
        encoder: RecurrentEncoder,
    ) -> RecurrentDecoder:
        """A decoder of the family, to go with ``encoder``."""
        size = cfg.decoder_embed_dim
        input_size = 2 * size if cfg.input_feeding and not cls.takes_set(cfg) else size
        core = cls.build_core(cfg, input_size, cfg.decoder_hidden_size, cfg.decoder_layers, is_encoder=False)
        return RecurrentDecoder(
            dictionary,
            embed_tokens,
            core,
            RecurrentCoreBridge(encoder.core, core),
            SequenceAttention(core.output_size, encoder.core.output_size, size),
            share_input_output_embed=cfg.share_decoder_input_output_embed or cfg.share_all_embeddings,
            input_feeding=cfg.input_feeding,
            set_input=cls.takes_set(cfg),
            dropout=dropout(cfg),
            max_target_positions=cfg.max_target_positions,
        )

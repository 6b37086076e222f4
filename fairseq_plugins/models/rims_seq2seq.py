"""``rims_seq2seq``: the shared skeleton with recurrent independent mechanisms as its core."""

from dataclasses import dataclass, field

from fairseq_plugins.models import sizes
from fairseq_plugins.models.recurrent_seq2seq import RecurrentSeq2SeqConfig, RecurrentSeq2SeqModel
from fairseq_plugins.models.rim_core import RIMCoreConfig, build_rim_core
from rims_nlp import RIMCore


@dataclass
class RIMSeq2SeqConfig(RIMCoreConfig, RecurrentSeq2SeqConfig):
    """Options of the skeleton, and of the RIM core of encoder and decoder."""

    encoder_hidden_size: int = field(
        default=600, metadata={"help": "width of an encoder layer, per direction; a multiple of --num-units"}
    )
    decoder_hidden_size: int = field(
        default=1200, metadata={"help": "width of a decoder layer; a multiple of --num-units"}
    )
    set_input: bool = field(
        default=False,
        metadata={
            "help": "with --input-feeding: let the decoder's units choose between word and attentional state, a set of "
            "two elements with keys of their own (default: one concatenated element)"
        },
    )


class RIMSeq2SeqModel(RecurrentSeq2SeqModel):
    """Encoder-decoder with RIM cores."""

    @classmethod
    def takes_set(cls, cfg: RIMSeq2SeqConfig) -> bool:  # type: ignore[override]
        """Whether ``--set-input`` is given; ValueError if it is without ``--input-feeding``."""
        if cfg.set_input and not cfg.input_feeding:
            raise ValueError("--set-input needs --input-feeding: without it, the decoder's input is the word alone")
        return cfg.set_input

    @classmethod
    def build_core(
        cls, cfg: RIMSeq2SeqConfig, input_size: int, hidden_size: int, num_layers: int, *, is_encoder: bool
    ) -> RIMCore:
        return build_rim_core(
            cfg,
            input_size,
            hidden_size,
            num_layers,
            bidirectional=is_encoder and not cfg.encoder_unidirectional,
            layer_dropout=cfg.layer_dropout,
            learn_initial_state=cfg.learn_initial_state and is_encoder,
            input_positions=2 if cls.takes_set(cfg) and not is_encoder else 0,
        )


sizes.register_sizes("rims_seq2seq", RIMSeq2SeqModel, RIMSeq2SeqConfig, sizes.RIMS)

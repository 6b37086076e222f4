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


class RIMSeq2SeqModel(RecurrentSeq2SeqModel):
    """Encoder-decoder with RIM cores."""

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
        )


sizes.register_sizes("rims_seq2seq", RIMSeq2SeqModel, RIMSeq2SeqConfig, sizes.RIMS)

"""``rmc_seq2seq``: the shared skeleton with a relational memory as its core."""

from dataclasses import dataclass, field

from fairseq_plugins.models import sizes
from fairseq_plugins.models.memory_core import MemoryCoreConfig, build_memory_core
from fairseq_plugins.models.recurrent_seq2seq import RecurrentSeq2SeqConfig, RecurrentSeq2SeqModel
from rims_nlp import RelationalMemoryCore


@dataclass
class RMCSeq2SeqConfig(MemoryCoreConfig, RecurrentSeq2SeqConfig):
    """Options of the skeleton, and of the relational memory of encoder and decoder."""

    encoder_hidden_size: int = field(
        default=456,
        metadata={"help": "width of an encoder layer, per direction; a multiple of --memory-slots x --memory-heads"},
    )
    decoder_hidden_size: int = field(
        default=912, metadata={"help": "width of a decoder layer; a multiple of --memory-slots x --memory-heads"}
    )


class RMCSeq2SeqModel(RecurrentSeq2SeqModel):
    """Encoder-decoder with relational memories."""

    @classmethod
    def build_core(
        cls, cfg: RMCSeq2SeqConfig, input_size: int, hidden_size: int, num_layers: int, *, is_encoder: bool
    ) -> RelationalMemoryCore:
        return build_memory_core(
            cfg,
            input_size,
            hidden_size,
            num_layers,
            bidirectional=is_encoder and not cfg.encoder_unidirectional,
            layer_dropout=cfg.layer_dropout,
        )


sizes.register_sizes("rmc_seq2seq", RMCSeq2SeqModel, RMCSeq2SeqConfig, sizes.RMC)

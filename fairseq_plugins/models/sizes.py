"""Named sizes: what each family's widths are, and their registration as architectures.

At each size the models of RIMs, LSTM and relational memory have the same number of trained parameters within 5 %; the
Transformer is near.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, make_dataclass

from fairseq.dataclass import FairseqDataclass
from fairseq.models import BaseFairseqModel, register_model, register_model_architecture

Values = Mapping[str, object]


def recurrent(embed: int, encoder: int, decoder: int, layers: int, dropout: float) -> dict[str, object]:
    """Values of the skeleton: embedding size, width of an encoder direction, of the decoder, layers, dropout."""
    return {
        "encoder_embed_dim": embed,
        "encoder_hidden_size": encoder,
        "encoder_layers": layers,
        "decoder_embed_dim": embed,
        "decoder_hidden_size": decoder,
        "decoder_layers": layers,
        "dropout": dropout,
        "layer_dropout": dropout,
    }


def fairseq_lstm(embed: int, encoder: int, decoder: int, layers: int, dropout: float) -> dict[str, object]:
    """The same for fairseq's own LSTM model, which has names of its own."""
    values = recurrent(embed, encoder, decoder, layers, dropout)
    del values["layer_dropout"]
    return {**values, "encoder_bidirectional": True, "decoder_out_embed_dim": embed}


def transformer(embed: int, feed_forward: int, layers: int, heads: int, dropout: float) -> dict[str, object]:
    """Values of fairseq's Transformer."""
    sides = {"embed_dim": embed, "ffn_embed_dim": feed_forward, "layers": layers, "attention_heads": heads}
    return {"dropout": dropout, **{f"{side}_{name}": sides[name] for side in ("encoder", "decoder") for name in sides}}


RIMS = {
    "tiny": recurrent(128, 96, 192, 1, 0.1),
    "small": recurrent(256, 300, 600, 1, 0.2),
    "base": recurrent(512, 600, 1200, 1, 0.3),
    "iwslt_de_en": recurrent(256, 300, 600, 1, 0.3),
    "wmt_en_de": recurrent(512, 600, 1200, 2, 0.2),
}
LSTM = {
    "tiny": recurrent(128, 96, 192, 1, 0.1),
    "small": recurrent(256, 264, 536, 1, 0.2),
    "base": recurrent(512, 512, 1024, 1, 0.3),
    "iwslt_de_en": recurrent(256, 264, 536, 1, 0.3),
    "wmt_en_de": recurrent(512, 484, 968, 2, 0.2),
}
RMC = {
    "tiny": recurrent(128, 88, 176, 1, 0.1),
    "small": recurrent(256, 240, 480, 1, 0.2),
    "base": recurrent(512, 456, 912, 1, 0.3),
    "iwslt_de_en": recurrent(256, 240, 480, 1, 0.3),
    "wmt_en_de": recurrent(512, 452, 904, 2, 0.2),
}
FAIRSEQ_LSTM = {
    "tiny": fairseq_lstm(128, 96, 192, 1, 0.1),
    "small": fairseq_lstm(256, 256, 512, 1, 0.2),
    "base": fairseq_lstm(512, 512, 1024, 1, 0.3),
}
TRANSFORMER = {
    "tiny": transformer(128, 256, 2, 4, 0.1),
    "small": transformer(256, 512, 3, 4, 0.2),
    "base": transformer(512, 1024, 4, 8, 0.3),
    "wmt_en_de": transformer(512, 1216, 5, 8, 0.2),
}


def register_sizes(name: str, model: type[BaseFairseqModel], config: type[FairseqDataclass], sizes: Mapping) -> None:
    """Register ``name`` and ``name_<size>``, each with a dataclass of its own defaults, for fairseq-train and hydra."""
    register_model(name, dataclass=config)(model)
    for size, values in sizes.items():
        types = config.__dataclass_fields__
        sized = make_dataclass(
            f"{config.__name__}_{size}",
            [
                (key, types[key].type, field(default=value, metadata=types[key].metadata))
                for key, value in values.items()
            ],
            bases=(config,),
        )
        register_model(f"{name}_{size}", dataclass=sized)(type(f"{model.__name__}_{size}", (model,), {}))


def register_fairseq_sizes(model: str, name: str, sizes: Mapping[str, Values], base: Callable) -> None:
    """Register ``name_<size>`` as architectures of one of fairseq's own models; ``base`` fills in the rest."""
    for size, values in sizes.items():
        register_model_architecture(model, f"{name}_{size}")(_architecture(values, base))


def _architecture(values: Values, base: Callable) -> Callable:
    def set_defaults(args: object) -> None:
        for key, value in values.items():
            setattr(args, key, getattr(args, key, value))
        base(args)

    return set_defaults


def recurrent_lm(embed: int, hidden: int, layers: int, dropout: float) -> dict[str, object]:
    """Values of a recurrent language model: embedding size, width of a layer, layers, dropout."""
    return {
        "decoder_embed_dim": embed,
        "decoder_hidden_size": hidden,
        "decoder_layers": layers,
        "dropout": dropout,
        "layer_dropout": dropout,
    }


def fairseq_lstm_lm(embed: int, hidden: int, layers: int, dropout: float) -> dict[str, object]:
    """The same for fairseq's own LSTM language model."""
    values = recurrent_lm(embed, hidden, layers, dropout)
    del values["layer_dropout"]
    return {**values, "decoder_out_embed_dim": embed}


def transformer_lm(embed: int, feed_forward: int, layers: int, heads: int, dropout: float) -> dict[str, object]:
    """Values of fairseq's Transformer language model."""
    return {
        "decoder_embed_dim": embed,
        "decoder_ffn_embed_dim": feed_forward,
        "decoder_layers": layers,
        "decoder_attention_heads": heads,
        "dropout": dropout,
    }


# "wikitext2" is the setting of the authors' WikiText-2 script: every unit active, each reading as many values as the
# model is wide. "wikitext103" is the relational memory of Santoro et al. (2018), and others with as many parameters.
RIMS_LM = {
    "tiny": recurrent_lm(128, 192, 1, 0.1),
    "small": {
        **recurrent_lm(256, 320, 1, 0.2), "num_units": 5, "num_active": 5, "input_value_size": 256, "use_inactive": True
    },
    "wikitext2": {
        **recurrent_lm(510, 510, 1, 0.5), "num_units": 5, "num_active": 5, "input_value_size": 510, "use_inactive": True
    },
    "wikitext103": {**recurrent_lm(512, 4620, 1, 0.5), "num_units": 6, "num_active": 4},
}  # fmt: skip
LSTM_LM = {
    "tiny": recurrent_lm(128, 184, 1, 0.1),
    "small": recurrent_lm(256, 280, 1, 0.2),
    "wikitext2": recurrent_lm(510, 510, 1, 0.5),
    "wikitext103": recurrent_lm(512, 2440, 2, 0.5),
}
RMC_LM = {
    "tiny": {**recurrent_lm(128, 156, 1, 0.1), "memory_slots": 1},
    "small": {**recurrent_lm(256, 240, 1, 0.2), "memory_slots": 1},
    "wikitext2": {**recurrent_lm(510, 420, 1, 0.5), "memory_slots": 1},
    "wikitext103": {
        **recurrent_lm(512, 2500, 1, 0.0), "memory_slots": 1, "memory_mlp_layers": 5, "embed_dropout": 0.5
    },
}  # fmt: skip
FAIRSEQ_LSTM_LM = {
    "tiny": fairseq_lstm_lm(128, 184, 1, 0.1),
    "small": fairseq_lstm_lm(256, 280, 1, 0.2),
    "wikitext2": fairseq_lstm_lm(510, 510, 1, 0.5),
    "wikitext103": fairseq_lstm_lm(512, 2440, 2, 0.5),
}
TRANSFORMER_LM = {
    "tiny": transformer_lm(128, 256, 2, 4, 0.1),
    "small": transformer_lm(256, 256, 2, 4, 0.2),
    "wikitext2": transformer_lm(384, 1024, 4, 6, 0.5),
    "wikitext103": transformer_lm(512, 2048, 24, 8, 0.1),
}

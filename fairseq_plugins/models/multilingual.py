"""Multitask models of the recurrent families: one encoder, a decoder for each target language."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from fairseq.models import FairseqMultiModel

from fairseq_plugins.models import sizes
from fairseq_plugins.models.lstm_seq2seq import LSTMSeq2SeqModel
from fairseq_plugins.models.recurrent_seq2seq import (
    RecurrentSeq2SeqConfig,
    RecurrentSeq2SeqModel,
    check_config,
    embedding,
)
from fairseq_plugins.models.rims_seq2seq import RIMSeq2SeqConfig, RIMSeq2SeqModel
from fairseq_plugins.models.rmc_seq2seq import RMCSeq2SeqConfig, RMCSeq2SeqModel


class MultilingualRecurrentModel(FairseqMultiModel):
    """Encoder shared by all pairs of a source language, decoders by target language; keys are the pairs."""

    family: type[RecurrentSeq2SeqModel]

    @classmethod
    def build_model(cls, cfg: RecurrentSeq2SeqConfig, task: Any) -> MultilingualRecurrentModel:
        """Build the model for the pairs of a multitask task.

        Raises:
            ValueError: if ``--share-all-embeddings`` meets dictionaries that differ.
        """
        check_config(cfg)
        pairs = [pair.split("-") for pair in task.model_lang_pairs]
        languages = sorted({language for pair in pairs for language in pair})
        tables = cls._build_embeddings(cfg, task, pairs, languages)
        encoders = {
            source: cls.family.build_encoder(cfg, task.dicts[source], tables["source", source]) for source, _ in pairs
        }
        decoders = {
            target: cls.family.build_decoder(cfg, task.dicts[target], tables["target", target], encoders[source])
            for source, target in pairs
        }
        return cls(
            OrderedDict((f"{source}-{target}", encoders[source]) for source, target in pairs),
            OrderedDict((f"{source}-{target}", decoders[target]) for source, target in pairs),
        )

    @staticmethod
    def _build_embeddings(cfg: RecurrentSeq2SeqConfig, task: Any, pairs: list, languages: list[str]) -> dict:
        """Embedding of each (side, language): one for all of them, or one each."""
        sides = {("source", source) for source, _ in pairs} | {("target", target) for _, target in pairs}
        if not cfg.share_all_embeddings:
            widths = {"source": cfg.encoder_embed_dim, "target": cfg.decoder_embed_dim}
            return {(side, language): embedding(task.dicts[language], widths[side]) for side, language in sorted(sides)}
        first = task.dicts[languages[0]]
        different = [language for language in languages if task.dicts[language] != first]
        if different:
            raise ValueError(
                "--share-all-embeddings needs the same dictionary for all languages; "
                f"dict.{languages[0]}.txt differs from {', '.join(f'dict.{language}.txt' for language in different)}"
            )
        shared = embedding(first, cfg.encoder_embed_dim)
        return dict.fromkeys(sides, shared)

    def load_state_dict(self, state_dict: dict, strict: bool = True, model_cfg: Any = None, args: Any = None) -> Any:
        """Load a checkpoint; weights of pairs that this model was not built for are left out."""
        prefixes = tuple(f"models.{pair}." for pair in self.keys)
        wanted = {name: value for name, value in state_dict.items() if name.startswith(prefixes)}
        return super().load_state_dict(wanted, strict=strict, model_cfg=model_cfg, args=args)


class MultilingualRIMSeq2SeqModel(MultilingualRecurrentModel):
    """Multitask RIMs."""

    family = RIMSeq2SeqModel


class MultilingualLSTMSeq2SeqModel(MultilingualRecurrentModel):
    """Multitask LSTM."""

    family = LSTMSeq2SeqModel


class MultilingualRMCSeq2SeqModel(MultilingualRecurrentModel):
    """Multitask relational memory."""

    family = RMCSeq2SeqModel


sizes.register_sizes("multilingual_rims_seq2seq", MultilingualRIMSeq2SeqModel, RIMSeq2SeqConfig, sizes.RIMS)
sizes.register_sizes("multilingual_lstm_seq2seq", MultilingualLSTMSeq2SeqModel, RecurrentSeq2SeqConfig, sizes.LSTM)
sizes.register_sizes("multilingual_rmc_seq2seq", MultilingualRMCSeq2SeqModel, RMCSeq2SeqConfig, sizes.RMC)

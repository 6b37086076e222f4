"""BLEU of one language pair during validation: fairseq's translation task, applied to that pair's model."""

from __future__ import annotations

import dataclasses
import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping
from typing import Any

from fairseq.data import Dictionary, encoders
from fairseq.dataclass import FairseqDataclass
from fairseq.dataclass.utils import gen_parser_from_dataclass
from fairseq.logging import metrics
from fairseq.tasks.translation import EVAL_BLEU_ORDER, TranslationConfig, TranslationTask
from sacrebleu.metrics import BLEU
from torch import nn

BLEU_OPTIONS = tuple(field.name for field in dataclasses.fields(TranslationConfig) if field.name.startswith("eval_"))
# The sums over sentences that corpus BLEU is made of: matches and candidates per n-gram order, and both lengths.
STATISTICS = (
    *(f"_bleu_{kind}_{order}" for kind in ("counts", "totals") for order in range(EVAL_BLEU_ORDER)),
    "_bleu_sys_len",
    "_bleu_ref_len",
)


def add_bleu_options(parser: ArgumentParser) -> None:
    """Add the ``--eval-bleu`` options of fairseq's translation task."""
    fields = [field for field in dataclasses.fields(TranslationConfig) if field.name in BLEU_OPTIONS]
    options = dataclasses.make_dataclass(
        "BleuOptions",
        [
            (field.name, field.type, dataclasses.field(default=field.default, metadata=field.metadata))
            for field in fields
        ],
        bases=(FairseqDataclass,),
    )
    gen_parser_from_dataclass(parser, options())


def json_option(args: Namespace, name: str) -> dict[str, Any]:
    """Read an option that holds a JSON object.

    Raises:
        ValueError: the option is not a JSON object; the message names the option.
    """
    text = getattr(args, name) or "{}"
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        value = error
    if not isinstance(value, dict):
        option = "--" + name.replace("_", "-")
        raise ValueError(f"""{option} takes a JSON object such as '{{"beam": 4}}', got {text!r} ({value})""")
    return value


class PairBleu:
    """Translates batches of one pair and counts what BLEU needs.

    Args:
        args: the task's arguments; the ``eval_bleu*`` ones are read.
        pair: language pair, ``"en-de"``.
        dicts: dictionary of each language.
        model: the pair's own encoder-decoder.
    """

    def __init__(self, args: Namespace, pair: str, dicts: Mapping[str, Dictionary], model: nn.Module) -> None:
        source, target = pair.split("-")
        options = {name: getattr(args, name) for name in BLEU_OPTIONS}
        config = TranslationConfig(source_lang=source, target_lang=target, **options)
        detokeniser = {"source_lang": source, "target_lang": target, **json_option(args, "eval_bleu_detok_args")}
        self.model = model
        self.task = TranslationTask(config, dicts[source], dicts[target])
        self.task.tokenizer = encoders.build_tokenizer(Namespace(tokenizer=args.eval_bleu_detok, **detokeniser))
        self.generator = self.task.build_generator([model], Namespace(**json_option(args, "eval_bleu_args")))

    def statistics(self, sample: dict[str, Any]) -> dict[str, int]:
        """Translate a batch and return its share of each of `STATISTICS`."""
        bleu = self.task._inference_with_bleu(self.generator, sample, self.model)
        return dict(zip(STATISTICS, (*bleu.counts, *bleu.totals, bleu.sys_len, bleu.ref_len), strict=True))


def bleu_score(statistics: Iterable[float]) -> float:
    """Corpus BLEU in percent, two decimals, from the sums over all sentences, in the order of `STATISTICS`."""
    *ngrams, sys_len, ref_len = (int(value) for value in statistics)
    counts, totals = ngrams[:EVAL_BLEU_ORDER], ngrams[EVAL_BLEU_ORDER:]
    return round(BLEU.compute_bleu(counts, totals, sys_len, ref_len, smooth_method="exp").score, 2)


def log_bleu(pair: str, sums: Mapping[str, float]) -> None:
    """Log ``<pair>_bleu`` over all batches of the validation; ``sums`` has each of `STATISTICS` for some of them."""
    names = [f"_{pair}{name}" for name in STATISTICS]
    for name, statistic in zip(names, STATISTICS, strict=True):
        metrics.log_scalar_sum(name, sums[statistic])
    metrics.log_derived(f"{pair}_bleu", lambda meters: bleu_score(meters[name].sum for name in names))

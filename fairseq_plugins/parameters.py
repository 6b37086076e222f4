"""How many parameters an architecture trains, and the table of the named sizes."""

from __future__ import annotations

from argparse import Namespace

import fairseq.tasks
from fairseq import options
from fairseq.data import Dictionary
from fairseq.dataclass.utils import convert_namespace_to_omegaconf

from fairseq_plugins.models import sizes

FAMILIES = {
    "rims_seq2seq": sizes.RIMS,
    "lstm_seq2seq": sizes.LSTM,
    "rmc_seq2seq": sizes.RMC,
    "fairseq_lstm": sizes.FAIRSEQ_LSTM,
    "transformer_seq2seq": sizes.TRANSFORMER,
}
# Entries of a joint subword dictionary that go with a size.
VOCABULARY = {"tiny": 2000, "small": 8000, "base": 32000, "iwslt_de_en": 10000, "wmt_en_de": 32000}


def count_parameters(arch: str, vocabulary: int, *arguments: str) -> int:
    """Trained parameters of an architecture with one shared dictionary.

    Args:
        arch: a registered architecture for one language pair, or with ``--task language_modeling`` for text.
        vocabulary: entries of the dictionary, fairseq's four special symbols included.
        *arguments: further ``fairseq-train`` arguments.

    Raises:
        ValueError: for a vocabulary smaller than the special symbols.
    """
    dictionary = Dictionary()
    if vocabulary < len(dictionary):
        raise ValueError(f"vocabulary must be at least {len(dictionary)}, got {vocabulary}")
    for index in range(vocabulary - len(dictionary)):
        dictionary.add_symbol(f"symbol{index}")
    parser = options.get_training_parser()
    args: Namespace = options.parse_args_and_arch(parser, ["no-data", "--arch", arch, *arguments])
    config = convert_namespace_to_omegaconf(args)
    task_class = fairseq.tasks.TASK_REGISTRY[args.task]
    model = task_class(config.task, dictionary, dictionary).build_model(config.model)
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def size_table() -> list[tuple[str, int, dict[str, int]]]:
    """For each named size its vocabulary and the parameters of each family that has it, embeddings shared."""
    return [
        (
            size,
            vocabulary,
            {
                family: count_parameters(f"{family}_{size}", vocabulary, "--share-all-embeddings")
                for family, known in FAMILIES.items()
                if size in known
            },
        )
        for size, vocabulary in VOCABULARY.items()
    ]

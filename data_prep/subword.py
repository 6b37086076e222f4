"""The joint SentencePiece model, its fairseq dictionary, and encoding."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import sentencepiece
from numpy.typing import NDArray

from data_prep.config import SubwordOptions
from data_prep.folder import written_whole
from data_prep.indexed import token_type

END = 2  # fairseq's </s>
UNKNOWN = 3  # fairseq's <unk>
_SPECIAL = 4  # fairseq's own symbols, before the lines of the dictionary: <s>, <pad>, </s>, <unk>
_LONGEST_SENTENCE = 65_536  # bytes; SentencePiece leaves longer ones out of its training text


def train_model(sentences: Iterable[str], options: SubwordOptions, *, seed: int, prefix: Path) -> None:
    """Train one model on the text of all languages; writes ``<prefix>.vocab``, then ``<prefix>.model``.

    The same sentences, options and seed give the same bytes: one thread. The text is taken as it is (``identity``),
    since :func:`data_prep.clean.normalise` has been there before.

    Raises:
        ValueError: if the vocabulary cannot be made, for example because it cannot hold all characters.
    """
    model = io.BytesIO()
    sentencepiece.set_random_generator_seed(seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(sentences),
            model_writer=model,
            vocab_size=options.vocab_size,
            model_type=options.model_type,
            character_coverage=options.character_coverage,
            byte_fallback=options.byte_fallback,
            user_defined_symbols=list(options.user_symbols),
            normalization_rule_name="identity",
            hard_vocab_limit=False,
            max_sentence_length=_LONGEST_SENTENCE,
            num_threads=1,
            minloglevel=2,
        )
    except RuntimeError as error:
        raise ValueError(
            f"SentencePiece cannot make {options.vocab_size} pieces of this text; raise subword.vocab_size or lower "
            f"subword.character_coverage ({options.character_coverage}). It says: {error}"
        ) from error
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    vocabulary = [f"{pieces.id_to_piece(index)}\t{pieces.get_score(index):g}\n" for index in range(len(pieces))]
    prefix.with_name(f"{prefix.name}.vocab").write_text("".join(vocabulary), encoding="utf-8")
    with written_whole(prefix.with_name(f"{prefix.name}.model")) as path:
        path.write_bytes(model.getvalue())


def load_model(path: Path) -> sentencepiece.SentencePieceProcessor:
    """Read a model file."""
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def dictionary_lines(model: sentencepiece.SentencePieceProcessor) -> list[str]:
    """Return the vocabulary as the lines of a fairseq dictionary.

    Special pieces are left out, since fairseq has its own. The counts are made up (falling with the piece's number):
    fairseq keeps the order of the file and uses counts for nothing that is used here.
    """
    return [f"{model.id_to_piece(index)} {len(model) - index}\n" for index in _ordinary(model)]


def _ordinary(model: sentencepiece.SentencePieceProcessor) -> list[int]:
    return [index for index in range(len(model)) if not (model.is_control(index) or model.is_unknown(index))]


@dataclass(frozen=True)
class Encoder:
    """Turns lines into the token numbers that fairseq gives the same pieces."""

    model_file: Path

    @cached_property
    def model(self) -> sentencepiece.SentencePieceProcessor:
        """The model, read at first use in each process."""
        return load_model(self.model_file)

    @cached_property
    def numbers(self) -> NDArray:
        """fairseq's number of every piece, shape ``(pieces,)``."""
        ordinary = _ordinary(self.model)
        numbers = np.full(len(self.model), UNKNOWN, dtype=token_type(_SPECIAL + len(ordinary)))
        numbers[ordinary] = np.arange(_SPECIAL, _SPECIAL + len(ordinary))
        return numbers

    def encode(self, lines: Sequence[str]) -> tuple[NDArray, NDArray[np.int32]]:
        """Encode lines one after the other.

        Returns:
            the token numbers, each line ended by ``END``, shape ``(tokens,)``, and the sizes of the lines in tokens,
            ``END`` included, shape ``(lines,)``.
        """
        pieces = self.model.encode(list(lines), out_type=int, num_threads=1)
        sizes = np.fromiter(map(len, pieces), np.int32, len(pieces)) + np.int32(1)
        tokens = np.full(int(sizes.sum()), END, dtype=self.numbers.dtype)
        within = np.ones(len(tokens), dtype=np.bool_)
        within[np.cumsum(sizes) - 1] = False
        tokens[within] = self.numbers[np.fromiter(chain.from_iterable(pieces), np.int32, len(tokens) - len(pieces))]
        return tokens, sizes

    def __getstate__(self) -> dict[str, Path]:
        return {"model_file": self.model_file}  # every process reads its own

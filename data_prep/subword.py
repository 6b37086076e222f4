"""The joint SentencePiece model, its fairseq dictionary, and encoding."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import sentencepiece

from data_prep.config import SubwordOptions

_BATCH = 10_000  # lines encoded at a time
_LONGEST_SENTENCE = 65_536  # bytes; SentencePiece leaves longer ones out of its training text


@dataclass
class TokenCount:
    """Size of an encoded file. ``unknown`` are the tokens that the dictionary does not hold."""

    lines: int = 0
    tokens: int = 0
    unknown: int = 0


def train_model(sentences: Iterable[str], options: SubwordOptions, *, seed: int, prefix: Path) -> None:
    """Train one model on the text of all languages; writes ``<prefix>.model`` and ``<prefix>.vocab``.

    The same sentences, options and seed give the same bytes: one thread, and sampling by the seed. The text is taken as
    it is (``identity``), since :func:`data_prep.clean.normalise` has been there before.

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
            input_sentence_size=options.sample_sentences,
            shuffle_input_sentence=options.sample_sentences > 0,
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
    prefix.with_name(f"{prefix.name}.model").write_bytes(model.getvalue())
    pieces = load_model(prefix.with_name(f"{prefix.name}.model"))
    vocabulary = [f"{pieces.id_to_piece(index)}\t{pieces.get_score(index):g}\n" for index in range(len(pieces))]
    prefix.with_name(f"{prefix.name}.vocab").write_text("".join(vocabulary), encoding="utf-8")


def load_model(path: Path) -> sentencepiece.SentencePieceProcessor:
    """Read a model file."""
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def dictionary_lines(model: sentencepiece.SentencePieceProcessor) -> list[str]:
    """Return the vocabulary as the lines of a fairseq dictionary.

    Special pieces are left out, since fairseq has its own. The counts are made up (falling with the piece's number):
    fairseq keeps the order of the file and uses counts for nothing that is used here.
    """
    ordinary = [index for index in range(len(model)) if not (model.is_control(index) or model.is_unknown(index))]
    return [f"{model.id_to_piece(index)} {len(model) - index}\n" for index in ordinary]


def encode(
    model: sentencepiece.SentencePieceProcessor, lines: Iterable[str], path: Path, *, workers: int = 1
) -> TokenCount:
    """Write every line as its pieces with spaces between, a line a line."""
    count, lines = TokenCount(), iter(lines)
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        while batch := list(islice(lines, _BATCH)):
            for pieces in model.encode(batch, out_type=str, num_threads=workers):
                file.write(" ".join(pieces) + "\n")
                count.tokens += len(pieces)
                count.unknown += sum(model.is_unknown(index) for index in map(model.piece_to_id, pieces))
            count.lines += len(batch)
    return count

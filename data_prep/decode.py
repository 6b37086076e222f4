"""Turning binarised segments back into text."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from data_prep.subword import load_model

SPECIAL = ("", "", "\n", "\u2047")
"""What stands for ``<s>``, ``<pad>``, ``</s>`` and ``<unk>``, which fairseq puts before the lines of a dictionary."""
_SPACE = "\u2581"  # SentencePiece writes a space this way


class Decoder:
    """Knows the text of every token of a dictionary.

    SentencePiece's own decoder is not used since it parts a word at an unknown token and takes one segment at a time.

    Args:
        dictionary: a fairseq dictionary.
        model: the SentencePiece model of the pieces in it; without one, a token is a word.
    """

    def __init__(self, dictionary: Path, model: Path | None) -> None:
        with open(dictionary, encoding="utf-8", newline="\n") as file:
            pieces = [line.rstrip("\n").rsplit(" ", 1)[0] for line in file]
        starts = [not model or piece.startswith(_SPACE) for piece in pieces]
        self.starts_word = np.array([False, False, False, not model, *starts])
        self._texts = [*SPECIAL, *(_piece_texts(pieces, model) if model else pieces)]
        self._between = "" if model else " "

    def __len__(self) -> int:
        """Return the size of the dictionary, special symbols included."""
        return len(self._texts)

    def text(self, tokens: NDArray) -> str:
        """Return segments as text with a line end after each."""
        text = self._between.join(map(self._texts.__getitem__, tokens.tolist()))
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

    def lines(self, tokens: NDArray) -> list[str]:
        """Return each segment as a line, without spaces around it."""
        return [line.strip(" ") for line in self.text(tokens).split("\n")[:-1]]


def _piece_texts(pieces: Iterable[str], model_file: Path) -> Iterable[str]:
    """Yield the text of each piece; the bytes of unknown characters stay single until a segment is put together."""
    model = load_model(model_file)
    for piece in pieces:
        if model.is_byte(model.piece_to_id(piece)):  # such as <0xE2>
            yield bytes([int(piece[1:-1], 16)]).decode("utf-8", "surrogateescape")
        else:
            yield piece.replace(_SPACE, " ")

"""fairseq's binarised text (``mmap`` format), written in one pass and read without loading it.

``NAME.bin`` holds the token numbers of all segments one after the other; ``NAME.idx`` a header, the sizes of the
segments in tokens (int32) and where each begins, in bytes (int64). fairseq's own builder keeps all sizes in a Python
list, which takes gigabytes at 40 million segments; this one keeps none.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_HEADER = struct.Struct("<9sQBQ")  # magic, version, element type, number of segments
_MAGIC = b"MMIDIDX\x00\x00"
_TYPES: dict[int, np.dtype] = {4: np.dtype(np.int32), 8: np.dtype(np.uint16)}
_CODES = {dtype: code for code, dtype in _TYPES.items()}
_BLOCK = 1_000_000  # segments whose places are computed at a time


def token_type(symbols: int) -> np.dtype:
    """Return the element type that fairseq takes for a dictionary with so many symbols."""
    return np.dtype(np.uint16) if symbols < 65500 else np.dtype(np.int32)


def write(prefix: Path, parts: Iterable[tuple[NDArray, NDArray]]) -> int:
    """Write ``<prefix>.bin`` and ``<prefix>.idx``.

    Args:
        prefix: path without the suffix, such as ``data/train.en-de.en``.
        parts: for some segments at a time their token numbers, end of segment included, shape ``(tokens,)``, of the
            type of :func:`token_type`, and their sizes in tokens, shape ``(segments,)``, int32.

    Returns:
        the number of segments.
    """
    binary, index, sizes_file = (Path(f"{prefix}.{kind}") for kind in ("bin", "idx", "sizes"))
    segments, dtype = 0, _TYPES[8]
    with open(binary, "wb") as tokens_out, open(sizes_file, "wb") as sizes_out:
        for tokens, sizes in parts:
            assert int(sizes.sum()) == len(tokens), f"{prefix}: sizes and tokens differ"
            dtype = tokens.dtype
            tokens_out.write(tokens.data)
            sizes_out.write(sizes.astype(np.int32, copy=False).data)
            segments += len(sizes)
    with open(index, "wb") as file:
        file.write(_HEADER.pack(_MAGIC, 1, _CODES[dtype], segments))
        file.writelines(block.data for block in _blocks(sizes_file))
        begin = 0
        for block in _blocks(sizes_file):
            ends = begin + np.cumsum(block, dtype=np.int64) * dtype.itemsize
            file.write(np.concatenate([[begin], ends[:-1]]).astype(np.int64).data)
            begin = int(ends[-1])
    sizes_file.unlink()
    return segments


def _blocks(sizes_file: Path) -> Iterator[NDArray[np.int32]]:
    with open(sizes_file, "rb") as file:
        while data := file.read(4 * _BLOCK):
            yield np.frombuffer(data, dtype=np.int32)


@dataclass(frozen=True)
class IndexedText:
    """Binarised segments, mapped from disk.

    ``tokens`` is the whole text; ``sizes``, in tokens, and ``offsets``, in bytes, have an entry a segment.
    """

    tokens: NDArray
    sizes: NDArray[np.int32]
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, number: int) -> NDArray:
        """Return the token numbers of a segment, end of segment included."""
        begin = self.offsets[number] // self.tokens.itemsize
        return self.tokens[begin : begin + self.sizes[number]]


def read(prefix: Path) -> IndexedText:
    """Map ``<prefix>.bin`` and ``<prefix>.idx`` into memory.

    Raises:
        ValueError: if a file is missing, is not in this format, or the two do not fit each other.
    """
    index, binary = Path(f"{prefix}.idx"), Path(f"{prefix}.bin")
    for path in (index, binary):
        if not path.is_file():
            raise ValueError(f"{path}: no such file; expected binarised text of fairseq's mmap format")
    with open(index, "rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        raise ValueError(f"{index}: not an index of fairseq's mmap format, it starts with {header[:9]!r}")
    _, _, code, segments = _HEADER.unpack(header)
    if code not in _TYPES:
        raise ValueError(f"{index}: element type {code}; expected one of {sorted(_TYPES)} (int32, uint16)")
    dtype = _TYPES[code]
    expected = _HEADER.size + segments * 12
    if index.stat().st_size != expected:
        raise ValueError(f"{index}: {index.stat().st_size} bytes; {segments} segments take {expected}")
    sizes = _mapped(index, np.dtype(np.int32), _HEADER.size, segments)
    offsets = _mapped(index, np.dtype(np.int64), _HEADER.size + 4 * segments, segments)
    total = int(sizes.sum(dtype=np.int64))
    if binary.stat().st_size != total * dtype.itemsize:
        raise ValueError(
            f"{binary}: {binary.stat().st_size} bytes; its index says {total} tokens of {dtype.itemsize} bytes"
        )
    return IndexedText(_mapped(binary, dtype, 0, total), sizes, offsets)


def _mapped(path: Path, dtype: np.dtype, offset: int, count: int) -> NDArray:
    """Map part of a file; an empty part cannot be mapped."""
    return np.memmap(path, dtype, "r", offset, (count,)) if count else np.empty(0, dtype)

"""Reading parallel text in the forms that its organisers ship."""

import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from data_prep.formats import hub, jsonl, mteval, plain, tmx, train_tags, tsv, wmt_xml
from data_prep.formats.source import PairSource, Reader
from data_prep.streams import Meter, open_location, uncompressed_name
from data_prep.text import read_lines

__all__ = ["FORMATS", "PairSource", "detect", "read_pairs", "read_segments"]

FORMATS: dict[str, Reader] = {
    "plain": plain.read,
    "tsv": tsv.read,
    "mteval": mteval.read,
    "train_tags": train_tags.read,
    "wmt_xml": wmt_xml.read,
    "tmx": tmx.read,
    "jsonl": jsonl.read,
    "hub": hub.read,
}

_BY_SUFFIX = {
    ".tsv": "tsv",
    ".tmx": "tmx",
    ".sgm": "mteval",
    ".sgml": "mteval",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "hub",
}
_BY_TAG = {"mteval": "mteval", "srcset": "mteval", "refset": "mteval", "tstset": "mteval", "dataset": "wmt_xml"}
_FIRST_TAG = re.compile(rb"<(mteval|srcset|refset|tstset|dataset|tmx)[\s>]", re.IGNORECASE)
_HEAD = 1 << 16  # bytes


def read_pairs(source: PairSource, src: str, tgt: str, *, meter: Meter | None = None) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a source as (``src`` segment, ``tgt`` segment), no segment with a line break in it.

    Args:
        source: the files and their form; they may be in either order and made for either direction.
        src: source language, for example ``en``.
        tgt: target language.
        meter: is called with the bytes read from the disk.

    Raises:
        FileNotFoundError: if there is no such file.
        RuntimeError: if the form needs a package that is not installed.
        ValueError: if the form is not known, a file is damaged or not of that form, or the sides do not belong
            together; the message names the file and the place in it.
    """
    name = source.format or detect(source)
    if name not in FORMATS:
        raise ValueError(f"{source.files[0]}: unknown format {name!r}; known formats: {', '.join(FORMATS)}")
    return FORMATS[name](source, src, tgt, meter)


def read_segments(location: str, *, meter: Meter | None = None) -> Iterator[str]:
    """Yield the segments of one side in plain text; see :func:`data_prep.text.read_lines`."""
    return read_lines(location, meter)


def detect(source: PairSource) -> str:
    """Return the format of a source by the names of its files, of ``.xml`` by what is in it.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the form cannot be told.
    """
    file = source.files[0]
    name = uncompressed_name(file)
    if name.startswith("train.tags."):
        return "train_tags"
    suffix = PurePosixPath(name).suffix
    if suffix in _BY_SUFFIX:
        return _BY_SUFFIX[suffix]
    if suffix == ".xml":
        return _detect_xml(file)
    if Path(file).is_dir():
        return "hub"
    if len(source.files) == 2:
        return "plain"
    raise ValueError(
        f"{file}: one file with a name that tells no format; name the file of the other side too, or a format: "
        f"{', '.join(FORMATS)}"
    )


def _detect_xml(file: str) -> str:
    with open_location(file) as stream:
        tag = _FIRST_TAG.search(stream.read(_HEAD))
    if tag is None:
        raise ValueError(f"{file}: XML of no known form; expected <mteval>, <srcset>, <refset>, <dataset> or <tmx>")
    name = tag[1].decode("ascii").lower()
    return _BY_TAG.get(name, name)

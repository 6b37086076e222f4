"""IWSLT's ``train.tags.de-en.de``: plain lines between lines of tags about the talk."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest

from data_prep.formats.source import Pairs, PairSource, check_options, order_by_name
from data_prep.streams import Meter
from data_prep.text import read_lines

_TEXT_TAGS = "url|talkid|title|description|keywords|speaker|translator|reviewer|genre|date|event|duration|transcript"
_FRAME_TAGS = "doc|srcset|refset|tstset|mteval|xml"
_TAG = re.compile(rf"\s*<[/?]?({_TEXT_TAGS}|{_FRAME_TAGS})(?=[\s/>])", re.IGNORECASE)
_TALK = re.compile(r"\s*<talkid>\s*(.*?)\s*</talkid>", re.IGNORECASE)
_CLOSED_BY_NAME = frozenset(_TEXT_TAGS.split("|"))


@dataclass
class _Talk:
    """A run of plain lines between tags, and where it begins."""

    name: str
    line: int
    segments: list[str] = field(default_factory=list)


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs of plain lines.

    Raises:
        ValueError: if a talk has not the same number of plain lines on both sides; the message names the talk.
    """
    check_options(source, "train_tags")
    files = order_by_name(source.two("train_tags"), src, tgt)
    for number, talks in enumerate(zip_longest(*(_talks(file, meter) for file in files)), start=1):
        _check(files, talks, number)
        yield from zip(talks[0].segments, talks[1].segments, strict=True)


def _check(files: tuple[str, str], talks: tuple[_Talk | None, ...], number: int) -> None:
    if len({len(talk.segments) if talk else 0 for talk in talks}) > 1 or None in talks:
        found = " and ".join(
            f"{file}:{talk.line} has {len(talk.segments):,} plain lines (talk {talk.name or number})"
            if talk
            else f"{file} has no talk number {number}"
            for file, talk in zip(files, talks, strict=True)
        )
        raise ValueError(f"misaligned talks: {found}; expected the same number of them")


def _talks(file: str, meter: Meter | None) -> Iterator[_Talk]:
    talk, open_tag, opened, number = _Talk("", 1), "", 0, 0
    for number, line in enumerate(read_lines(file, meter), start=1):
        tag = _TAG.match(line)
        if open_tag and _closes(open_tag, line):
            talk.line, open_tag = number + 1, ""
        elif tag:
            _check_closed(file, open_tag, opened, number)
            if talk.segments:
                yield talk
            named = _TALK.match(line)
            talk = _Talk(named[1] if named else talk.name, number + 1)
            open_tag, opened = _left_open(tag, line), number
        elif not open_tag:
            talk.segments.append(line.strip())
    _check_closed(file, open_tag, opened, number + 1)
    if talk.segments:
        yield talk


def _check_closed(file: str, open_tag: str, opened: int, end: int) -> None:
    """Refuse an open tag with lines after it, which may be its own or of the talk; one without any is harmless."""
    if open_tag and end > opened + 1:
        raise ValueError(f"{file}:{opened}: <{open_tag}> is not closed before line {end}; close it, or remove its line")


def _closes(name: str, line: str) -> bool:
    return f"</{name}>" in line.lower() and (line.lstrip().startswith("</") or not _TAG.match(line))


def _left_open(tag: re.Match[str], line: str) -> str:
    """Return the tag whose text goes on in the next line, or nothing."""
    name = tag[1].lower()
    rest = line.rstrip()
    is_open = name in _CLOSED_BY_NAME and not rest.lstrip().startswith("</")
    return name if is_open and f"</{name}>" not in rest.lower() and not rest.endswith("/>") else ""

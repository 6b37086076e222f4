"""The mteval form of test sets: IWSLT's XML and WMT's SGM, which is seldom well formed.

A scanner of tags, not a parser: attributes in any order and quoting, a raw ``&`` or ``<`` in the text, a missing end of
the file are all met in the real files. No DTD is read and no entity definition is ever used.
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.entities import html5

from data_prep.formats.source import (
    Pairs,
    PairSource,
    check_options,
    code_of,
    in_order,
    language_in_name,
    same_language,
)
from data_prep.streams import Meter
from data_prep.text import on_one_line, read_lines

MAX_SEGMENT = 1 << 20  # characters
_TAG = re.compile(r"<(/?)(srcset|refset|tstset|doc|seg)((?:\s[^<]*|/)?)>$", re.IGNORECASE)
_SEGMENT_END = re.compile(r"</seg\s*>$", re.IGNORECASE)
_ATTRIBUTE = re.compile(r"""([\w:.-]+)\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
_ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|[A-Za-z][A-Za-z0-9]*);")
_XML_SPACE = re.compile(r"[ \t\r\n]+")

Key = tuple[str, str]
"""The identity of a segment: those of its document and of itself in it."""


@dataclass(frozen=True)
class _Segment:
    key: Key
    text: str
    line: int


@dataclass
class _File:
    location: str
    language: str | None = None
    segments: list[_Segment] = field(default_factory=list)


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs, aligned by the ids of documents and segments.

    Raises:
        ValueError: if the files do not hold the same segments; the message names the first that differs.
    """
    check_options(source, "mteval", reference=True)
    files = [_read_file(file, source.reference, meter) for file in source.two("mteval")]
    languages = _language(files[0], src, tgt), _language(files[1], src, tgt)
    ordered = in_order((files[0].location, files[1].location), languages, src, tgt)
    sides = files if ordered[0] == files[0].location else files[::-1]
    yield from _aligned(sides[0], sides[1])


def clean(text: str) -> str:
    """Undo the escapes of XML and HTML once and fold the white space that wrapping put in."""
    text = fold(text)
    return on_one_line(_ENTITY.sub(_character, text)) if "&" in text else text


def fold(text: str) -> str:
    """Make one space of each run of what XML calls white space, none at the ends; a no-break space stays."""
    return _XML_SPACE.sub(" ", text).strip(" ")


def _character(entity: re.Match[str]) -> str:
    """Return what an entity stands for; a name that HTML does not know stays, also if it begins with a known one."""
    name = entity[0][1:]
    return html.unescape(entity[0]) if name.startswith("#") or name in html5 else entity[0]


def _language(file: _File, src: str, tgt: str) -> str | None:
    """Return the language of a file by its attributes and its name.

    Raises:
        ValueError: if they contradict each other.
    """
    named = language_in_name(file.location, src, tgt)
    if named and file.language and not (same_language(named, file.language) or same_language(file.language, named)):
        raise ValueError(f"{file.location}: its attributes say {file.language}, its name says {named}")
    return named or file.language


def _aligned(src: _File, tgt: _File) -> Pairs:
    if [segment.key for segment in src.segments] == [segment.key for segment in tgt.segments]:
        yield from ((s.text, t.text) for s, t in zip(src.segments, tgt.segments, strict=True))
        return
    targets = {segment.key: segment.text for segment in tgt.segments}
    unique = len(targets) == len(tgt.segments) == len(src.segments) == len({s.key for s in src.segments})
    if not unique or any(segment.key not in targets for segment in src.segments):
        raise ValueError(_difference(src, tgt))
    yield from ((segment.text, targets[segment.key]) for segment in src.segments)


def _difference(src: _File, tgt: _File) -> str:
    """Say what the first difference of two files is."""
    pairs = zip(src.segments, tgt.segments, strict=False)
    first = next((index for index, (s, t) in enumerate(pairs) if s.key != t.key), None)
    index = min(len(src.segments), len(tgt.segments)) if first is None else first
    found = " and ".join(
        f"{file.location}:{file.segments[index].line} has document {file.segments[index].key[0]!r} segment "
        f"{file.segments[index].key[1]!r}"
        if index < len(file.segments)
        else f"{file.location} ends after {len(file.segments)} segments"
        for file in (src, tgt)
    )
    return f"misaligned segments: {found}; expected the same documents and segments in both"


def _read_file(location: str, reference: str | None, meter: Meter | None) -> _File:
    """Read the segments of the first, or the wanted, translation in a file."""
    scan = _Scan(location, reference)
    for piece, line in _pieces(location, meter):
        scan.take(piece, line)
    return scan.finish()


@dataclass
class _Scan:
    """The state between the tags of a file."""

    location: str
    reference: str | None
    result: _File = field(init=False)
    systems: dict[str, str] = field(default_factory=dict)  # the one taken of each document
    seen: dict[str, None] = field(default_factory=dict)  # all, in order
    in_set: str = ""
    set_system: str = ""
    document: str | None = None
    taken: bool = True
    segment: str | None = None
    parts: list[str] = field(default_factory=list)
    length: int = 0
    opened: int = 0
    hidden_until: re.Pattern[str] | None = None

    def __post_init__(self) -> None:
        self.result = _File(self.location)

    def take(self, piece: str, line: int) -> None:
        """Go on by a piece of text that ends with ``>``."""
        if self.segment is not None:
            self._in_segment(piece)
        elif self.hidden_until:
            self.hidden_until = None if self.hidden_until.search(piece) else self.hidden_until
        elif hidden := _hidden(piece):
            self.hidden_until = None if hidden.search(piece) else hidden
        elif tag := _TAG.match(piece, piece.rfind("<")):
            self._tag(tag[1] == "/", tag[2].lower(), _attributes(tag[3].removesuffix("/")), line, tag[3].endswith("/"))

    def finish(self) -> _File:
        """Return what was read.

        Raises:
            ValueError: if a segment is not closed, there is none, or the wanted translation is not there.
        """
        if self.segment is not None:
            raise self._error(self.opened, "the segment is not closed")
        if self.reference and self.in_set != "srcset" and self.reference not in self.seen:
            raise ValueError(
                f"{self.location}: no reference {self.reference!r}; there are: {', '.join(self.seen) or 'none'}"
            )
        if not self.result.segments:
            raise ValueError(f"{self.location}: no segments; expected <doc> with <seg> in it")
        return self.result

    def _in_segment(self, piece: str) -> None:
        tag = _TAG.search(piece, piece.rfind("<"))
        if tag and not (tag[1] and tag[2].lower() == "seg"):
            raise self._error(self.opened, f"the segment is not closed before {tag[0][:40]}")
        self.parts.append(piece)
        self.length += len(piece)
        if self.length > MAX_SEGMENT:
            raise self._error(self.opened, f"the segment has more than {MAX_SEGMENT:,} characters")
        if tag:
            self._close_segment(_SEGMENT_END.sub("", "".join(self.parts)))

    def _close_segment(self, text: str) -> None:
        if self.taken:
            key = (self.document or "", self.segment or "")
            self.result.segments.append(_Segment(key, clean(text), self.opened))
        self.segment, self.parts, self.length = None, [], 0

    def _tag(self, closing: bool, name: str, attributes: dict[str, str], line: int, empty: bool) -> None:
        if name == "seg":
            self._open_segment(closing, attributes, line)
            if empty:
                self._close_segment("")
        elif closing:
            self.document = None
        elif name == "doc":
            self._open_document(attributes, line)
        else:
            language = code_of(attributes.get("srclang" if name == "srcset" else "trglang", ""))
            self.in_set = name
            self.result.language = self.result.language or language
            self.set_system = attributes.get("refid") or attributes.get("sysid") or ""

    def _open_document(self, attributes: dict[str, str], line: int) -> None:
        if "docid" not in attributes and "id" not in attributes:
            raise self._error(line, "a <doc> without docid")
        self.document = attributes.get("docid") or attributes.get("id", "")
        system = attributes.get("sysid") or self.set_system
        self.seen[system] = None
        wanted = system if self.in_set == "srcset" or not self.reference else self.reference
        self.taken = system == wanted and self.systems.setdefault(self.document, system) == system

    def _open_segment(self, closing: bool, attributes: dict[str, str], line: int) -> None:
        if closing:
            raise self._error(line, "</seg> without a <seg> before it")
        if self.document is None:
            raise self._error(line, "a <seg> outside of a <doc>")
        if "id" not in attributes:
            raise self._error(line, "a <seg> without id")
        self.segment, self.opened = attributes["id"], line

    def _error(self, line: int, what: str) -> ValueError:
        return ValueError(f"{self.location}:{line}: {what}")


def _attributes(text: str) -> dict[str, str]:
    return {name.lower(): html.unescape(value.strip("\"'")).strip() for name, value in _ATTRIBUTE.findall(text)}


def _hidden(piece: str) -> re.Pattern[str] | None:
    """Return what ends a comment or a document type that a piece begins."""
    if "<!--" in piece:
        return re.compile("-->$")
    doctype = re.search(r"<!doctype[^\[]*(\[?)", piece, re.IGNORECASE)
    return re.compile(r"\]\s*>$" if doctype[1] else ">$") if doctype else None


def _pieces(location: str, meter: Meter | None) -> Iterator[tuple[str, int]]:
    """Cut a text after every ``>``; yield each piece with the number of the line it ends in."""
    held: list[str] = []
    length = 0
    for number, line in enumerate(read_lines(location, meter), start=1):
        *pieces, rest = line.split(">")
        for piece in pieces:
            yield "".join(held) + piece + ">", number
            held, length = [], 0
        held.append(rest + "\n")
        length += len(rest) + 1
        if length > MAX_SEGMENT:
            raise ValueError(f"{location}:{number}: more than {MAX_SEGMENT:,} characters without a tag")
    yield "".join(held), number if held else 0

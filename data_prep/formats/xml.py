"""Reading well-formed XML record by record, within bounds: no entity definitions, no deep or endless elements."""

from collections.abc import Callable, Iterator
from typing import Any, BinaryIO
from xml.etree.ElementTree import Element, ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import iterparse

from data_prep.streams import Meter, open_location

MAX_DEPTH = 100
MAX_ELEMENT = 1 << 20  # bytes without a tag
MAX_RECORD = 64 << 20  # bytes


def records(location: str, tag: str, meter: Meter | None = None) -> Iterator[Element]:
    """Yield the elements of one name, each at its end; afterwards it is forgotten.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not well-formed XML, defines entities, or goes beyond the bounds; the message names the
            location and the line or the byte.
    """
    with open_location(location, meter=meter) as file:
        source = _Bounded(file, location)
        path: list[Element] = []
        for event, element in _events(source, location):
            source.since_tag = 0
            if event == "start":
                path.append(element)
                if len(path) > MAX_DEPTH:
                    raise ValueError(f"{location}: elements more than {MAX_DEPTH} deep before byte {source.position:,}")
                continue
            path.pop()
            if local_name(element) == tag:
                yield element
                source.since_record = 0
                if path:
                    path[-1].clear()


def local_name(element: Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def texts(element: Element, dropped: frozenset[str] = frozenset()) -> Iterator[str]:
    """Yield the text of an element and all in it but the elements of some names."""
    yield element.text or ""
    for child in element:
        if local_name(child) not in dropped:
            yield from texts(child, dropped)
        yield child.tail or ""


class _Bounded:
    """A file that refuses to go on when too much came since the last tag or record."""

    def __init__(self, file: BinaryIO, location: str) -> None:
        self._file, self._location = file, location
        self.position = self.since_tag = self.since_record = 0

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.position += len(data)
        self.since_tag += len(data)
        self.since_record += len(data)
        if self.since_tag > MAX_ELEMENT or self.since_record > MAX_RECORD:
            raise ValueError(
                f"{self._location}: an element is too large at byte {self.position:,}; not a text of segments"
            )
        return data


def _events(source: _Bounded, location: str) -> Iterator[tuple[str, Element]]:
    parse: Callable[..., Iterator[tuple[str, Any]]] = iterparse
    try:
        yield from parse(source, events=("start", "end"), forbid_dtd=False, forbid_entities=True)
    except ParseError as error:
        raise ValueError(f"{location}:{error.position[0]}: not well-formed XML: {error}") from error
    except DefusedXmlException as error:
        raise ValueError(f"{location}: refused near byte {source.position:,}: {error}") from error
    except (LookupError, UnicodeError) as error:
        raise ValueError(f"{location}: near byte {source.position:,}: unknown encoding: {error}") from error

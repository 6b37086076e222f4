"""The XML of WMT test sets since 2021: documents with sources, translations by several people, and system outputs."""

import logging
from collections import Counter
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from data_prep.formats.mteval import fold
from data_prep.formats.source import Pairs, PairSource, check_options, same_language
from data_prep.formats.xml import local_name, records, texts
from data_prep.streams import Meter
from data_prep.text import on_one_line

_log = logging.getLogger(__name__)


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs of the wanted translator, or else of the one who translated most.

    A file made for the other direction serves too. Segments without that translation (the documents of test suites
    have none) are left out and counted in a warning.

    Raises:
        ValueError: if it is not well-formed XML, there is no such translator or no translation at all, or a document
            has a segment twice.
    """
    check_options(source, "wmt_xml", reference=True)
    file = source.one("wmt_xml")
    turned, translator = _choose(file, src, tgt, source.reference)
    original, translation = (tgt, src) if turned else (src, tgt)
    taken = lacking = 0
    for document in records(file, "doc", meter):
        sources = _side(file, document, "src", original, None)
        references = _side(file, document, "ref", translation, translator)
        for number, text in sources.items():
            if number not in references:
                lacking += 1
                continue
            taken += 1
            yield (references[number], text) if turned else (text, references[number])
    if not taken:
        raise ValueError(f"{file}: no segment has both a source and the translation {translator!r}")
    if lacking:
        _log.warning("%s: left out %d source segments without the translation %r", file, lacking, translator)


def _choose(file: str, src: str, tgt: str, wanted: str | None) -> tuple[bool, str]:
    """Return whether the file was made for the other direction, and the translator to take."""
    found: Counter[tuple[bool, str]] = Counter()
    languages: set[str] = set()
    for document in records(file, "doc"):
        origin = [_language(element) for element in document if local_name(element) == "src"]
        languages.update(origin)
        for element in document:
            if local_name(element) == "ref":
                languages.add(_language(element))
                for turned, (original, translation) in enumerate(((src, tgt), (tgt, src))):
                    fits = same_language(_language(element), translation)
                    if fits and any(same_language(code, original) for code in origin):
                        found[bool(turned), element.get("translator", "")] += sum(1 for _ in _segments(element))
    if not found:
        raise ValueError(f"{file}: no translation between {src} and {tgt}; it has: {', '.join(sorted(languages))}")
    turned = min(found)[0]
    translators = {name: count for (direction, name), count in found.items() if direction == turned}
    if wanted is not None and wanted not in translators:
        raise ValueError(
            f"{file}: no translation by {wanted!r}; there are: {', '.join(map(repr, sorted(translators)))}"
        )
    return turned, wanted if wanted is not None else min(translators, key=lambda name: (-translators[name], name))


def _side(file: str, document: Element, tag: str, language: str, translator: str | None) -> dict[str, str]:
    """Return the segments of one side of a document by their ids."""
    side: dict[str, str] = {}
    for element in document:
        if local_name(element) != tag or not same_language(_language(element), language):
            continue
        if translator is not None and element.get("translator", "") != translator:
            continue
        for segment in _segments(element):
            number = segment.get("id")
            if number is None or number in side:
                reason = "without id" if number is None else f"{number!r} twice"
                raise ValueError(f"{file}: document {document.get('id')!r} has a segment {reason} in its <{tag}>")
            side[number] = on_one_line(fold("".join(texts(segment))))
    return side


def _segments(element: Element) -> Iterator[Element]:
    return (child for child in element.iter() if local_name(child) == "seg")


def _language(element: Element) -> str:
    return element.get("lang") or element.get("language") or ""

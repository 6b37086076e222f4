"""TMX: translation units with a variant for each language."""

import logging
from xml.etree.ElementTree import Element

from data_prep.formats.mteval import fold
from data_prep.formats.source import Pairs, PairSource, check_options, same_language
from data_prep.formats.xml import local_name, records, texts
from data_prep.streams import Meter
from data_prep.text import on_one_line

_CODES = frozenset({"bpt", "ept", "ph", "it", "ut"})  # formatting of the original file, not text
_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_log = logging.getLogger(__name__)


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs; units without exactly these two languages to pair are left out and counted in a warning.

    Raises:
        ValueError: if it is not well-formed XML, a variant tells no language, or no unit has both languages.
    """
    check_options(source, "tmx")
    file = source.one("tmx")
    taken = left_out = 0
    for number, unit in enumerate(records(file, "tu", meter), start=1):
        variants = _variants(unit, f"{file}: unit {number}")
        one, other = _text(variants, src), _text(variants, tgt)
        if one is None or other is None:
            left_out += 1
            continue
        taken += 1
        yield one, other
    if not taken:
        raise ValueError(f"{file}: none of its {left_out:,} units has both {src} and {tgt}")
    if left_out:
        _log.warning("%s: left out %d units that have no text, or several, in %s or %s", file, left_out, src, tgt)


def _variants(unit: Element, where: str) -> list[tuple[str, Element]]:
    variants = []
    for variant in unit:
        if local_name(variant) == "tuv":
            code = variant.get(_LANG) or variant.get("lang")
            if not code:
                raise ValueError(f"{where}: a <tuv> without xml:lang")
            variants.append((code.lower(), variant))
    return variants


def _text(variants: list[tuple[str, Element]], wanted: str) -> str | None:
    """Return the variant with exactly a language's code, or else the first with a region; nothing if that is twice."""
    codes = [code for code, _ in variants if same_language(code, wanted)]
    code = wanted.lower() if wanted.lower() in codes else next(iter(codes), None)
    segments = [child for c, variant in variants if c == code for child in variant if local_name(child) == "seg"]
    return on_one_line(fold("".join(texts(segments[0], _CODES)))) if len(segments) == 1 else None

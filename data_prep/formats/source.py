"""What a reader is told: the files, their form, and which file holds which language."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from data_prep.streams import Meter, uncompressed_name

Pairs = Iterator[tuple[str, str]]

NAMES = {
    "arabic": "ar",
    "bengali": "bn",
    "bulgarian": "bg",
    "chinese": "zh",
    "croatian": "hr",
    "czech": "cs",
    "danish": "da",
    "dutch": "nl",
    "english": "en",
    "estonian": "et",
    "farsi": "fa",
    "finnish": "fi",
    "french": "fr",
    "german": "de",
    "greek": "el",
    "gujarati": "gu",
    "hausa": "ha",
    "hebrew": "he",
    "hindi": "hi",
    "hungarian": "hu",
    "icelandic": "is",
    "indonesian": "id",
    "inuktitut": "iu",
    "italian": "it",
    "japanese": "ja",
    "kazakh": "kk",
    "khmer": "km",
    "korean": "ko",
    "latvian": "lv",
    "lithuanian": "lt",
    "nepali": "ne",
    "norwegian": "no",
    "pashto": "ps",
    "persian": "fa",
    "polish": "pl",
    "portuguese": "pt",
    "romanian": "ro",
    "russian": "ru",
    "serbian": "sr",
    "sinhala": "si",
    "slovak": "sk",
    "slovene": "sl",
    "slovenian": "sl",
    "spanish": "es",
    "swedish": "sv",
    "tamil": "ta",
    "thai": "th",
    "turkish": "tr",
    "ukrainian": "uk",
    "urdu": "ur",
    "vietnamese": "vi",
    "xhosa": "xh",
    "zulu": "zu",
}
"""The names by which organisers call languages in attributes, and their codes."""

_ALIASES = {"cz": "cs"}  # the test sets of WMT until 2010
_ANYTHING = {"any", "none", "unknown"}
_CODE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]+)*")
_MARKUP = {".xml", ".sgm", ".sgml", ".txt"}


@dataclass(frozen=True)
class PairSource:
    """Where parallel text is.

    Attributes:
        files: one location with both sides, or two side by side, in either order.
        format: a name of :data:`data_prep.formats.FORMATS`; ``None`` finds it out.
        columns: where the form has columns, those of the source and the target: names, or numbers from 1.
        reference: where a form has several translations, the one to take.
    """

    files: tuple[str, ...]
    format: str | None = None
    columns: tuple[str, str] | None = None
    reference: str | None = None

    def __post_init__(self) -> None:
        """Check the number of files.

        Raises:
            ValueError: if there are not one or two.
        """
        if len(self.files) not in (1, 2):
            raise ValueError(f"parallel text is in one or two files, got {len(self.files)}: {', '.join(self.files)}")

    def one(self, form: str) -> str:
        """Return the file of a form that has both sides in one.

        Raises:
            ValueError: if there are two.
        """
        if len(self.files) != 1:
            raise ValueError(f"{self.files[0]}: the format {form} has both sides in one file, got two: {self.files[1]}")
        return self.files[0]

    def two(self, form: str) -> tuple[str, str]:
        """Return the files of a form that has a file for each side.

        Raises:
            ValueError: if there is only one.
        """
        if len(self.files) != 2:
            raise ValueError(f"{self.files[0]}: the format {form} has a file for each side; name the second one too")
        return self.files[0], self.files[1]


Reader = Callable[[PairSource, str, str, Meter | None], Pairs]
"""Yields the pairs of a source as (``src`` segment, ``tgt`` segment)."""


def same_language(code: str, wanted: str) -> bool:
    """Say whether a code (``en-US``, ``EN``) is of the language wanted (``en``); ``zh-TW`` is not ``zh-CN``."""
    code, wanted = (_ALIASES.get(name.lower(), name.lower()).replace("_", "-") for name in (code, wanted))
    return code == wanted or code.partition("-")[0] == wanted


def code_of(attribute: str) -> str | None:
    """Return the code of a language that an attribute names (``german``, ``de``, ``de-DE``); ``any`` has none."""
    name = attribute.strip().lower()
    return NAMES.get(name) or (name if _CODE.fullmatch(name) and name not in _ANYTHING else None)


def language_in_name(location: str, *wanted: str) -> str | None:
    """Return the language that the last suffix of a file's name tells: ``train.tags.de-en.en.gz`` is English.

    A suffix is a language if it is one of those wanted or has a name in :data:`NAMES`.
    """
    name = PurePosixPath(uncompressed_name(location))
    if name.suffix in _MARKUP:
        name = name.with_suffix("")
    suffix = name.suffix.removeprefix(".")
    known = (*wanted, *_ALIASES, *NAMES.values())
    return suffix if any(same_language(suffix, code) for code in known) else None


def pair_is_turned(location: str, src: str, tgt: str) -> bool:
    """Say whether a name calls the pair the other way round: ``corpus.de-en.tsv`` for en to de has German first."""
    turned = "[-_]".join(re.escape(code.lower()) for code in (tgt, src))
    return re.search(rf"(?<![a-z0-9]){turned}(?![a-z0-9_-])", uncompressed_name(location)) is not None


def in_order(files: tuple[str, str], languages: tuple[str | None, str | None], src: str, tgt: str) -> tuple[str, str]:
    """Put two files in the order source, target, given the languages that their names or contents tell.

    Files that tell nothing stay as they are.

    Raises:
        ValueError: if the languages are the same, or not those of the pair.
    """
    sides = [_side(file, language, src, tgt) for file, language in zip(files, languages, strict=True)]
    if sides[0] is not None and sides[0] == sides[1]:
        raise ValueError(f"{files[0]} and {files[1]}: both are {languages[0]}; expected {src} and {tgt}")
    return (files[1], files[0]) if sides[0] == 1 or sides[1] == 0 else files


def order_by_name(files: tuple[str, str], src: str, tgt: str) -> tuple[str, str]:
    """Put two files in the order source, target by their names; see :func:`in_order`."""
    return in_order(files, (language_in_name(files[0], src, tgt), language_in_name(files[1], src, tgt)), src, tgt)


def _side(file: str, language: str | None, src: str, tgt: str) -> int | None:
    if language is None:
        return None
    for side, wanted in enumerate((src, tgt)):
        if same_language(language, wanted):
            return side
    raise ValueError(f"{file}: its name or content says the language is {language}; expected {src} or {tgt}")


def check_options(source: PairSource, form: str, *, columns: bool = False, reference: bool = False) -> None:
    """Refuse options that a form has no use for.

    Raises:
        ValueError: if one of them is given.
    """
    if source.columns and not columns:
        raise ValueError(f"{source.files[0]}: the format {form} has no columns, got {','.join(source.columns)}")
    if source.reference and not reference:
        raise ValueError(f"{source.files[0]}: the format {form} has one translation only, got {source.reference!r}")

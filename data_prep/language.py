"""What a text looks like: the scripts that a language is written in, and which language a text is in."""

from collections.abc import Callable
from functools import cache

import regex

_SCRIPTS = {
    "Latin": "af ast az br bs ca cs cy da de en eo es et eu fi fo fr fy ga gd gl ha hr ht hu id ig is it jv ku la lb lt"
    " lv mg ms mt nb nl nn no oc om pl pt qu rm ro rw sk sl sn so sq sr st su sv sw tk tl tn tr uz vi wo xh yo zu",
    "Cyrillic": "ba be bg ce cv kk ky mk mn os ru sr tg tt uk uz",
    "Greek": "el grc",
    "Arabic": "ar arz fa ks ku ps sd ug ur",
    "Hebrew": "he yi",
    "Devanagari": "bho gom hi ks mai mr ne sa sd",
    "Bengali": "as bn",
    "Gujarati": "gu",
    "Gurmukhi": "pa",
    "Oriya": "or",
    "Tamil": "ta",
    "Telugu": "te",
    "Kannada": "kn",
    "Malayalam": "ml",
    "Sinhala": "si",
    "Thai": "th",
    "Lao": "lo",
    "Khmer": "km",
    "Myanmar": "my",
    "Tibetan": "bo dz",
    "Georgian": "ka",
    "Armenian": "hy",
    "Ethiopic": "am ti",
    "Han": "ja ko wuu yue zh",
    "Hiragana": "ja",
    "Katakana": "ja",
    "Hangul": "ko",
}
"""Languages by the Unicode script that they are written in; some are written in several."""


def base(lang: str) -> str:
    """Return the language of a code with a script or region: ``zh`` of ``zh_Hans``."""
    return lang.split("_")[0].lower()


def script_share(lang: str) -> Callable[[str], float]:
    """Make a function that tells which share of the letters of a text is in a script of the language.

    Letters that belong to no script, such as the Japanese sign for a long vowel, do not count. A text without letters
    has share 1.

    Raises:
        ValueError: if the script of the language is not known here.
    """
    scripts = [script for script, langs in _SCRIPTS.items() if base(lang) in langs.split()]
    if not scripts:
        known = ", ".join(sorted(set(" ".join(_SCRIPTS.values()).split())))
        raise ValueError(
            f"script: it is not known which script the language {lang!r} is written in; known languages: {known}; "
            "leave the filter out"
        )
    own_scripts = "".join(rf"\p{{Script={script}}}" for script in scripts)
    own = regex.compile(rf"[\p{{L}}&&[{own_scripts}]]", regex.VERSION1)
    other = regex.compile(rf"[\p{{L}}--[{own_scripts}\p{{Script=Common}}\p{{Script=Inherited}}]]", regex.VERSION1)
    ascii_is_own = "Latin" in scripts

    def share(text: str) -> float:
        if ascii_is_own and text.isascii():
            return 1.0
        foreign = len(other.findall(text))
        if not foreign:
            return 1.0
        native = len(own.findall(text))
        return native / (native + foreign)

    return share


@cache
def identifier(langs: frozenset[str]) -> Callable[[str], str]:
    """Make a function that tells which of the languages a text is in; it answers the same every time.

    Raises:
        RuntimeError: if py3langid is not installed.
        ValueError: if py3langid does not know one of the languages.
    """
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise RuntimeError("the filter 'language' needs py3langid: pip install 'rims-nlp[langid]'") from error
    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    unknown = sorted(langs - set(model.labels))
    if unknown:
        raise ValueError(
            f"language: py3langid does not know {', '.join(unknown)}; it knows {', '.join(sorted(model.labels))}"
        )
    model.set_languages(langs)
    return lambda text: str(model.classify(text)[0])

"""Turning tokenised text back into raw text: the Moses rules, and what they leave apart."""

import re
from collections.abc import Callable
from functools import cache

from data_prep.clean import normalise

_SUFFIX = re.compile(r"(?i)(s|d|m|t|ll|re|ve)\.?")  # it ' s, can ' t, we ' ll
_CUT_SUFFIX = re.compile(r"(?i)['’](s|d|m|t|ll|re|ve)\.?")  # it 's
_PREFIX = re.compile(r"(?i)(o|d|l|m|c|j|n|s|t|qu|dell|all|dall|nell|sull)")  # O ' Neill, d ' Italia, dell ' Alba
_PLURAL_END = re.compile(r"[^\W\d][sxzßSXZ]$")  # the citizens ' rights
_CUT_ENTITY = re.compile(r"& (amp|quot|apos|lt|gt|nbsp|#\d+) ?;")  # an entity that was tokenised: R & amp; D
_SLASH = re.compile(r"(?<=\S) / (?=\S)")


@cache
def detokenizer(lang: str) -> Callable[[str], str]:
    """Return the function that makes raw text of a tokenised line in the language ``lang`` (two letters).

    First the words that a tokeniser cut at an apostrophe are joined ("yesterday ' s" -> "yesterday's"), then the Moses
    rules apply (entities, punctuation, brackets, quotation marks), then "and / or" becomes "and/or".
    """
    from sacremoses import MosesDetokenizer  # takes long to import, and few corpora are tokenised

    moses = MosesDetokenizer(lang=lang)

    def detokenize(line: str) -> str:
        line = normalise(_CUT_ENTITY.sub(r"&\1;", normalise(line)))
        tokens = join_possessives(join_apostrophes(line.split()))
        # Moses takes "is ' minded '" for a possessive; the grave accent is a plain quotation mark to it
        quote = "'" if "`" in line else "`"
        tokens = [quote if token == "'" else token for token in tokens]
        return _SLASH.sub("/", moses.detokenize(tokens, unescape=False)).replace(quote, "'")

    return detokenize


def join_apostrophes(tokens: list[str]) -> list[str]:
    """Join what belongs to a word across an apostrophe: it ' s, it 's, O ' Neill, one " s own, ‘ quoted ’."""
    joined: list[str] = []
    glue = False  # the next token continues the last one
    for token, following in zip(tokens, [*tokens[1:], ""], strict=False):
        after_word = bool(joined) and joined[-1][-1].isalnum()
        if token in "'’\"" and after_word and _SUFFIX.fullmatch(following) and (token != '"' or following == "s"):
            joined[-1] += "'" if token == '"' else token
            glue = True
        elif token in "'’" and joined and _PREFIX.fullmatch(joined[-1]) and following[:1].isalpha():
            joined[-1] += token
            glue = True
        elif glue or (joined and token == "’") or (after_word and _CUT_SUFFIX.fullmatch(token)):
            joined[-1] += token
            glue = False
        else:
            joined.append(token)
            glue = token == "‘"
    return joined


def join_possessives(tokens: list[str]) -> list[str]:
    """Give a plural its apostrophe back ("the citizens ' rights") where the quotation marks do not pair up."""
    marks = [index for index, token in enumerate(tokens) if token == "'"]
    plurals = [index for index in marks if index and _PLURAL_END.search(tokens[index - 1])]
    if len(marks) % 2 == 0 or not plurals:
        return tokens
    at = plurals[-1]
    return [*tokens[: at - 1], tokens[at - 1] + "'", *tokens[at + 1 :]]

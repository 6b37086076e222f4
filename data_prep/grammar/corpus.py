"""Draw the sentences of an embedded corpus and write its splits."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from data_prep.folder import building, claimed
from data_prep.grammar import english, french, german, stamp
from data_prep.grammar.chamber import Chamber
from data_prep.grammar.syntax import Sentence
from data_prep.grammar.talk import Talk

logger = logging.getLogger(__name__)

LANGUAGES = ("en", "de", "fr")
MAX_WORDS = 35
_REALISERS = (english.sentence, german.sentence, french.sentence)
_DOMAINS: dict[str, Callable[[Random], Chamber | Talk]] = {"chamber": Chamber, "talk": Talk}
_ATTEMPTS = 200  # drawn sentences in a row that may be known already, before the grammar counts as exhausted

Triple = tuple[str, ...]


def domains() -> tuple[str, ...]:
    """Name the registers."""
    return tuple(_DOMAINS)


def realise(tree: Sentence) -> Triple:
    """Write a sentence in English, German and French."""
    return tuple(realiser(tree) for realiser in _REALISERS)


def triples(domain: str, seed: int) -> Iterator[Triple]:
    """Draw aligned sentences without end; none has a side that came before.

    Raises:
        ValueError: if the domain is unknown, or (while drawing) if no new sentence is found.
    """
    if domain not in _DOMAINS:
        raise ValueError(f"unknown domain {domain!r}; expected one of: {', '.join(_DOMAINS)}")
    return _distinct(domain, seed)


def _distinct(domain: str, seed: int) -> Iterator[Triple]:
    grammar = _DOMAINS[domain](Random(f"{domain} {seed}"))
    seen: tuple[set[str], ...] = tuple(set() for _ in LANGUAGES)
    failures = 0
    while failures < _ATTEMPTS:
        triple = realise(grammar.sentence())
        if any(text in known for text, known in zip(triple, seen, strict=True)) or _too_long(triple):
            failures += 1
            continue
        failures = 0
        for text, known in zip(triple, seen, strict=True):
            known.add(text)
        yield triple
    raise ValueError(
        f"the {domain} grammar gave only {len(seen[0])} different sentences before {_ATTEMPTS} repeats in a row; "
        "ask for fewer pairs"
    )


def _too_long(triple: Triple) -> bool:
    return max(text.count(" ") for text in triple) >= MAX_WORDS


def write_corpus(out: Path, *, domain: str, pairs: int, valid_pairs: int, test_pairs: int, seed: int) -> None:
    """Write ``{train,valid,test}.{en,de,fr}`` and ``grammar.json`` into a folder.

    The test set is drawn first, then valid and train, so that it does not depend on how much is trained on. A split of
    no pairs is not written. A folder that is up to date stays as it is; one of other parameters, or of an earlier
    grammar, is replaced as a whole.

    Args:
        out: the folder, made if need be.
        domain: ``chamber`` or ``talk``.
        pairs: sentences of the training split.
        valid_pairs: sentences of the validation split.
        test_pairs: sentences of the test split.
        seed: the same seed gives the same bytes.

    Raises:
        ValueError: if the domain is unknown, a number is negative, all are zero, the grammar has too few sentences, or
            the folder holds anything that was not written here.
    """
    sizes = {"test": test_pairs, "valid": valid_pairs, "train": pairs}
    for split, size in sizes.items():
        if size < 0:
            raise ValueError(f"{split} pairs: expected 0 or more, got {size}")
    if not any(sizes.values()):
        raise ValueError("all splits have 0 pairs; ask for at least one sentence in train, valid or test")
    parameters = {"domain": domain, "seed": seed, "lines": sizes}
    if stamp.is_up_to_date(out, parameters):
        logger.info("%s is up to date", out)
        return
    stamp.check_replaceable(out)
    drawn = triples(domain, seed)
    splits = {split: [next(drawn) for _ in range(size)] for split, size in sizes.items()}
    with claimed(out) as place, building(place, json.dumps(parameters)):
        place.empty_result()
        for split, lines in splits.items():
            for column, language in enumerate(LANGUAGES if lines else ()):
                text = "".join(f"{triple[column]}\n" for triple in lines)
                (place.result / f"{split}.{language}").write_bytes(text.encode())
        stamp.write(place.result, parameters)
    logger.info("wrote %s: %s", out, ", ".join(f"{size} {split}" for split, size in sizes.items() if size))

"""Write the splits of an embedded corpus."""

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

from data_prep.grammar import english, french, german
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
    no pairs is not written, and its files of an earlier run are removed. ``grammar.json`` is written last.

    Args:
        out: the folder, made if need be.
        domain: ``chamber`` or ``talk``.
        pairs: sentences of the training split.
        valid_pairs: sentences of the validation split.
        test_pairs: sentences of the test split.
        seed: the same seed gives the same bytes.

    Raises:
        ValueError: if the domain is unknown, a number is negative, all are zero, or the grammar has too few sentences.
    """
    sizes = {"test": test_pairs, "valid": valid_pairs, "train": pairs}
    for split, size in sizes.items():
        if size < 0:
            raise ValueError(f"{split} pairs: expected 0 or more, got {size}")
    if not any(sizes.values()):
        raise ValueError("all splits have 0 pairs; ask for at least one sentence in train, valid or test")
    drawn = triples(domain, seed)
    splits = {split: [next(drawn) for _ in range(size)] for split, size in sizes.items()}
    out.mkdir(parents=True, exist_ok=True)
    (out / "grammar.json").unlink(missing_ok=True)
    checksums = {}
    for split, lines in splits.items():
        for column, language in enumerate(LANGUAGES):
            path = out / f"{split}.{language}"
            if lines:
                checksums[path.name] = _replace(path, "".join(f"{triple[column]}\n" for triple in lines))
            else:
                path.unlink(missing_ok=True)
    facts = {"domain": domain, "seed": seed, "lines": sizes, "sha256": dict(sorted(checksums.items()))}
    _replace(out / "grammar.json", json.dumps(facts, indent=2) + "\n")
    logger.info("wrote %s: %s", out, ", ".join(f"{size} {split}" for split, size in sizes.items() if size))


def _replace(path: Path, text: str) -> str:
    """Write a file under a temporary name, rename it and return its sha256."""
    temporary = path.with_name(f"{path.name}.tmp-{os.getpid()}")
    data = text.encode()
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return hashlib.sha256(data).hexdigest()

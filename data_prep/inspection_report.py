"""The figures of :mod:`data_prep.inspection` as Markdown, JSON and a picture."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data_prep.inspection import PairFigures, SideFigures
from data_prep.inspection_plot import draw_lengths
from data_prep.signature import write_json

_MARKDOWN = {ord(char): f"&#{ord(char)};" for char in "\\`{}[]<>|#~&$"} | {ord(char): f"\\{char}" for char in "*_"}


def write(
    out: Path, about: Mapping[str, Any], pairs: Sequence[PairFigures], cleaning: Mapping[str, list[dict[str, Any]]]
) -> None:
    """Write ``inspect.md``, ``inspect.json`` and ``lengths.png`` to a folder, which is made if it is not there.

    Args:
        out: the folder.
        about: what was inspected (``folder``) and how; goes into the JSON as it is.
        pairs: the figures.
        cleaning: for each language pair the counts of each training corpus, from ``report.json``.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / "inspect.md").write_text(markdown(about["folder"], pairs, cleaning), encoding="utf-8")
    write_json(out / "inspect.json", {**about, "pairs": as_json(pairs), "cleaning": dict(cleaning)})
    draw_lengths(out / "lengths.png", pairs)


def as_json(pairs: Iterable[PairFigures]) -> dict[str, Any]:
    """Return the figures as nested mappings, by pair, split and language."""
    return {
        pair.pair: {
            "splits": {
                split: {lang: _side_json(side) for lang, side in sides.items()} for split, sides in pair.sides.items()
            },
            "training_segments": pair.total,
            "training_segments_compared": pair.read,
            "coverage": {
                split: {
                    lang: {str(n): asdict(share) for n, share in enumerate(shares, start=1)}
                    for lang, shares in sides.items()
                }
                for split, sides in pair.coverage.items()
            },
            "examples": [
                {"segment": number, **{lang or "text": text for lang, text in zip(pair.langs, texts, strict=True)}}
                for number, texts in pair.examples.items()
            ],
        }
        for pair in pairs
    }


def _side_json(side: SideFigures) -> dict[str, Any]:
    return {
        "segments": side.segments,
        "tokens": side.tokens,
        "unknown": side.unknown,
        "unknown_rate": _ratio(side.unknown, side.tokens),
        "words": side.words,
        "fertility": _ratio(side.tokens, side.words),
        "length": {
            "mean": _ratio(side.tokens, side.segments),
            "median": side.length(0.5),
            "p95": side.length(0.95),
            "max": len(side.lengths) - 1,
        },
    }


def markdown(title: str, pairs: Sequence[PairFigures], cleaning: Mapping[str, list[dict[str, Any]]]) -> str:
    """Return the report as Markdown."""
    parts = [f"# {escape(title)}"]
    for pair in pairs:
        parts += [f"## {pair.pair or 'Text in one language'}", *_sizes(pair), *_coverage(pair)]
        parts += [*_cleaning(cleaning.get(pair.pair, [])), *_examples(pair)]
    return "\n\n".join(parts) + "\n"


def _sizes(pair: PairFigures) -> list[str]:
    unit = "subwords" if pair.subwords else "words"
    head = ["split", "side", "segments", unit, "unknown", "unknown, %"]
    head += ["words", "subwords a word"] if pair.subwords else []
    head += ["mean length", "median", "95 %", "longest"]
    rows = []
    for split, sides in pair.sides.items():
        for lang, side in sides.items():
            row = [escape(_label(split)), lang, side.segments, side.tokens, side.unknown]
            row.append(f"{100 * _ratio(side.unknown, side.tokens):.3f}")
            row += [side.words, f"{_ratio(side.tokens, side.words):.2f}"] if pair.subwords else []
            row.append(f"{_ratio(side.tokens, side.segments):.1f}")
            rows.append([*row, side.length(0.5), side.length(0.95), len(side.lengths) - 1])
    note = f"Lengths are in {unit}; the end of a segment does not count. Their distribution is in `lengths.png`."
    return [
        "### Sizes",
        note + (" Words are what white space separates." if pair.subwords else ""),
        _table(head, rows, left=2),
    ]


def _coverage(pair: PairFigures) -> list[str]:
    if not pair.coverage:
        return []
    note = "Words and punctuation marks count one by one here. " if pair.subwords else ""
    note += "Compared with "
    note += "all" if pair.read == pair.total else f"{pair.read:,}, at a regular stride, of"
    note += f" {pair.total:,} training segments."
    parts = ["### Words never seen in training", note, _unseen(pair)]
    for lang in pair.langs:
        parts += [f"### n-grams that occur in training{', ' + lang if lang else ''}", _overlap(pair, lang)]
    return [*parts, "Running n-grams count as often as they occur, different ones once; n-grams end with a segment."]


def _unseen(pair: PairFigures) -> str:
    rows = []
    for split, sides in pair.coverage.items():
        for lang, (words, *_) in sides.items():
            new, new_types = words.tokens - words.seen_tokens, words.types - words.seen_types
            row = [escape(_label(split)), lang, words.tokens, new, _percent(new, words.tokens)]
            rows.append([*row, words.types, new_types, _percent(new_types, words.types)])
    return _table(["split", "side", "running words", "new", "new, %", "different words", "new", "new, %"], rows, left=2)


def _overlap(pair: PairFigures, lang: str) -> str:
    head, columns = ["n"], []
    for split, sides in pair.coverage.items():
        head += [f"{escape(_label(split))}, running, %", "different, %"]
        columns.append([_percent(share.seen_tokens, share.tokens) for share in sides[lang]])
        columns.append([_percent(share.seen_types, share.types) for share in sides[lang]])
    return _table(head, [[n, *row] for n, row in enumerate(zip(*columns, strict=True), start=1)], left=0)


def _cleaning(corpora: list[dict[str, Any]]) -> list[str]:
    if not corpora:
        return []
    dropped, changed = _names(corpora, "dropped"), _names(corpora, "changed")
    head = ["corpus", "read", "kept", *(f"dropped: {why}" for why in dropped), *(f"changed: {why}" for why in changed)]
    rows = []
    for corpus in corpora:
        row = [escape(corpus["name"]), corpus["read"], corpus["kept"]]
        row += [corpus["dropped"].get(why, 0) for why in dropped]
        rows.append([*row, *(corpus.get("changed", {}).get(why, 0) for why in changed)])
    return ["### Cleaning", _table(list(map(escape, head)), rows, left=1)]


def _names(corpora: list[dict[str, Any]], kind: str) -> list[str]:
    """Return the reasons that occur in any corpus, in order."""
    return list(dict.fromkeys(reason for corpus in corpora for reason in corpus.get(kind, {})))


def _examples(pair: PairFigures) -> list[str]:
    rows = [[number + 1, *map(escape, texts)] for number, texts in pair.examples.items()]
    head = ["training segment", *(lang or "text" for lang in pair.langs)]
    return ["### Examples, chosen at random", _table(head, rows, left=len(head))]


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, left: int) -> str:
    """Return a Markdown table with its first ``left`` columns to the left, and the others, numbers, to the right."""
    lines = [head, ["---"] * left + ["---:"] * (len(head) - left)]
    lines += [[f"{cell:,}" if isinstance(cell, int) else cell for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escape(text: str) -> str:
    """Return text that Markdown shows as it is, in a table too."""
    return text.translate(_MARKDOWN)


def _label(split: str) -> str:
    return split.removeprefix("test-")


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _percent(part: int, whole: int) -> str:
    return f"{100 * _ratio(part, whole):.1f}"

"""Checking that a folder still holds what was written to it, and that the binarised data in it are sound."""

import filecmp
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from data_prep import indexed, signature
from data_prep.indexed import IndexedText
from data_prep.prepared import TESTS, Split, dictionary, find_splits
from data_prep.subword import END

DOWNLOADS = "downloads.json"
_UNSIGNED = (signature.FILE_NAME, signature.THROUGHPUT)
_SPECIAL = 4  # <s>, <pad>, </s> and <unk> come before the lines of a dictionary
_BLOCK = 200_000  # segments looked at together
_CHUNK = 1 << 20  # bytes read at a time


@dataclass(frozen=True)
class Check:
    """What was looked at, and what was found."""

    subject: str
    finding: str
    ok: bool = True

    def __str__(self) -> str:
        return f"{'ok' if self.ok else 'WRONG'}: {self.subject}: {self.finding}"


@dataclass(frozen=True)
class _Size:
    """Number of segments of a text, and of tokens without ``</s>``, as ``report.json`` has them."""

    lines: int
    tokens: int


def verify(folder: Path) -> Iterator[Check]:
    """Check a folder that ``prepare`` or ``download`` has written; goes on after what is wrong.

    Raises:
        FileNotFoundError: if there is no such folder.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; expected one that prepare or download has written")
    if (folder / DOWNLOADS).is_file():
        yield from _check_downloads(folder)
        return
    signed, problem = _read_json(folder / signature.FILE_NAME)
    yield Check(signature.FILE_NAME, problem or "readable", not problem)
    yield from _check_files(folder, signed)
    yield from _check_dictionaries(folder, signed)
    yield from _check_data(folder)


def _check_downloads(folder: Path) -> Iterator[Check]:
    listed, problem = _read_json(folder / DOWNLOADS)
    yield Check(DOWNLOADS, problem or f"lists {len(listed)} files", not problem)
    for name, entry in listed.items():
        yield _check_file(folder, name, entry)
    for part in sorted(folder.glob("*.part")):
        yield Check(part.name, "a download that was stopped; the same download command goes on with it", False)


def _read_json(path: Path) -> tuple[dict[str, Any], str]:
    """Return the mapping in a JSON file, and what is wrong with it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, "no such file"
    except (OSError, ValueError) as error:
        return {}, f"not readable ({error})"
    return (content, "") if isinstance(content, dict) else ({}, "not a JSON object")


def _check_files(folder: Path, signed: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the folder with the list of its files in the signature."""
    listed = signed.get("files")
    if not isinstance(listed, dict):
        if signed:
            yield Check("files", f"{signature.FILE_NAME} lists none to compare; prepare the data anew", False)
        return
    for name, entry in listed.items():
        yield _check_file(folder, name, entry)
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir()}
    extra = sorted(present - listed.keys() - set(_UNSIGNED))
    if not extra:
        yield Check("files", f"nothing lies in the folder but the {len(listed)} listed")
    for name in extra:
        yield Check(name, f"not listed in {signature.FILE_NAME}; remove it if you do not need it", False)


def _check_file(folder: Path, name: str, entry: Any) -> Check:
    """Compare a file with its entry ``{"sha256": ..., "bytes": ...}``."""
    if not isinstance(entry, dict) or not {"sha256", "bytes"} <= entry.keys():
        return Check(name, f"its entry lacks sha256 or bytes, got {entry!r}", False)
    path = folder / name
    if not path.is_file():
        return Check(name, "no such file", False)
    size = path.stat().st_size
    if size != entry["bytes"]:
        return Check(name, f"{size} bytes; expected {entry['bytes']}", False)
    digest = _sha256(path)
    if digest != entry["sha256"]:
        return Check(name, f"other content: sha256 {digest}, expected {entry['sha256']}", False)
    return Check(name, f"{size} bytes, sha256 as written")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_dictionaries(folder: Path, signed: Mapping[str, Any]) -> Iterator[Check]:
    """Compare the dictionaries with the signature, and their copies in sub-folders with them."""
    listed = signed.get("dictionaries")
    expected: dict[str, str] = dict(listed) if isinstance(listed, dict) else {}
    for name in sorted(expected):
        if not (folder / name).is_file():
            yield Check(name, "no such file; the signature names it among the dictionaries", False)
    for path in sorted(folder.rglob("dict*.txt"), key=lambda path: (len(path.parts), path)):
        digest = _sha256(path)
        wanted = expected.setdefault(path.name, digest)
        ok = digest == wanted
        finding = "the dictionary of the folder" if ok else f"another dictionary: sha256 {digest}, expected {wanted}"
        yield Check(path.relative_to(folder).as_posix(), finding, ok)


def _check_data(folder: Path) -> Iterator[Check]:
    """Check every binarised text, and the numbers of segments against each other and the report."""
    report, problem = _read_json(folder / "report.json")
    if problem and (folder / "report.json").exists():
        yield Check("report.json", problem, False)
    splits = find_splits(folder)
    if not splits:
        yield Check("data", "the folder holds no binarised text", False)
    for split in splits:
        sizes: dict[str, list[_Size | None]] = {lang: [] for lang in split.langs}
        for place in split.folders:
            for lang in split.langs:
                size, check = _check_text(split.prefix(place, lang), dictionary(place, lang), folder)
                sizes[lang].append(size)
                yield check
        yield from _check_copies(split, folder)
        yield from _check_counts(split, sizes, report, folder)


def _check_text(prefix: Path, dictionary_path: Path, folder: Path) -> tuple[_Size | None, Check]:
    """Read one binarised text and look at all of its tokens; the size is None if it cannot be read."""
    subject = prefix.relative_to(folder).as_posix()
    try:
        text = indexed.read(prefix)
    except ValueError as error:
        return None, Check(subject, str(error), False)
    size = _Size(len(text), len(text.tokens) - len(text))
    if not dictionary_path.is_file():
        return size, Check(subject, f"{dictionary_path.name}: no such file; its tokens cannot be checked", False)
    symbols = _SPECIAL + _count_lines(dictionary_path)
    flaws = find_flaws(text, symbols)
    fine = f"{len(text)} segments, {len(text.tokens)} tokens, all below {symbols}"
    return size, Check(subject, "; ".join(flaws) or fine, not flaws)


def find_flaws(text: IndexedText, symbols: int) -> list[str]:
    """Look for segments that fairseq would misread.

    Args:
        text: binarised segments.
        symbols: size of the dictionary, special symbols included.

    Returns:
        a phrase for each kind of flaw, with the number of segments that have it and the first of them (from 1).
    """
    found: dict[str, tuple[int, int]] = {}  # kind of flaw: number of segments, first segment
    begin = 0
    for start in range(0, len(text), _BLOCK):
        sizes = np.asarray(text.sizes[start : start + _BLOCK])
        ends = begin + np.cumsum(sizes, dtype=np.int64)
        flaws = {"have no token": np.flatnonzero(sizes < 1)}
        if not len(flaws["have no token"]):
            flaws["begin elsewhere than the sizes say"] = np.flatnonzero(
                text.offsets[start : start + _BLOCK] != (ends - sizes) * text.tokens.itemsize
            )
            flaws |= _flaws_of_tokens(np.asarray(text.tokens[begin : ends[-1]]), ends - begin, symbols)
        for flaw, segments in flaws.items():
            if len(segments):
                count, first = found.get(flaw, (0, start + 1 + int(segments[0])))
                found[flaw] = count + len(segments), first
        if "have no token" in found:  # then it is not known where a segment ends
            break
        begin = int(ends[-1])
    return [f"{count} segments {flaw}, the first is segment {first}" for flaw, (count, first) in found.items()]


def _flaws_of_tokens(tokens: NDArray, ends: NDArray[np.int64], symbols: int) -> dict[str, NDArray[np.int64]]:
    """Return by kind of flaw the segments that have it; ``ends`` are where they end among ``tokens``."""
    early = tokens <= END
    early[ends - 1] = False
    beyond = tokens >= symbols
    return {
        "do not end with </s>": np.flatnonzero(tokens[ends - 1] != END),
        "hold <s>, <pad> or </s> before their end": _segments_of(early, ends),
        f"hold a token that is not below {symbols}, the size of the dictionary": _segments_of(beyond, ends),
    }


def _segments_of(flags: NDArray[np.bool_], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.unique(np.searchsorted(ends, np.flatnonzero(flags), side="right"))


def _check_copies(split: Split, folder: Path) -> Iterator[Check]:
    """Compare the copies of a split that shards hold with the first one."""
    first = split.parts[0]
    for place in split.folders[len(split.parts) :]:
        for name in (f"{split.prefix(place, lang).name}.{kind}" for lang in split.langs for kind in ("bin", "idx")):
            paths = place / name, first / name
            if all(path.is_file() for path in paths):
                copy, original = (path.relative_to(folder).as_posix() for path in paths)
                same = filecmp.cmp(*paths, shallow=False)
                yield Check(copy, f"{'same' if same else 'other'} content {'as' if same else 'than'} {original}", same)


def _check_counts(
    split: Split, sizes: Mapping[str, list[_Size | None]], report: Mapping[str, Any], folder: Path
) -> Iterator[Check]:
    """Compare the numbers of segments of one split: of its sides, in the report, and of a test's plain text."""
    for number, place in enumerate(split.folders):
        sides = {lang: size.lines for lang, parts in sizes.items() if (size := parts[number])}
        subject = split.prefix(place, "*").relative_to(folder).as_posix().removesuffix(".*")
        if len(sides) > 1:
            counts = ", ".join(f"{lang} {count}" for lang, count in sides.items())
            yield Check(subject, f"segments: {counts}", len(set(sides.values())) == 1)
        if place.parent == folder / TESTS:
            yield from (_check_plain(place / f"{split.pair}.{kind}", sides, folder) for kind in ("src", "ref"))
    for lang in split.langs:
        parts = [size for size in sizes[lang][: len(split.parts)] if size]
        if len(parts) == len(split.parts):
            yield from _check_report(split, lang, parts, report)


def _check_plain(path: Path, sides: Mapping[str, int], folder: Path) -> Check:
    subject = path.relative_to(folder).as_posix()
    if not path.is_file():
        return Check(subject, "no such file", False)
    lines = _count_lines(path)
    ok = all(lines == count for count in sides.values())
    return Check(subject, f"{lines} lines" + ("" if ok else f"; the binarised test has {min(sides.values())}"), ok)


def _check_report(split: Split, lang: str, parts: list[_Size], report: Mapping[str, Any]) -> Iterator[Check]:
    """Compare one side of a split with ``report.json``, if that says something."""
    counts: Any = report
    for key in ("pairs", split.pair, "encoded", split.name, lang) if split.pair else ("text", split.name):
        counts = counts.get(key) if isinstance(counts, dict) else None
    if not isinstance(counts, dict):
        return
    found = {"lines": sum(size.lines for size in parts), "tokens": sum(size.tokens for size in parts)}
    expected = {key: counts[key] for key in found if key in counts}
    ok = all(found[key] == value for key, value in expected.items())
    finding = f"report.json has {expected}" + ("" if ok else f", the data {found}")
    yield Check(f"{split.name} {split.pair} {lang}".rstrip(), finding, ok)


def _count_lines(path: Path) -> int:
    lines, last = 0, b"\n"
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            lines, last = lines + chunk.count(b"\n"), chunk[-1:]
    return lines + (last != b"\n")

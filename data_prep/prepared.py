"""What lies in a folder of binarised data: its splits, and the files, shards and dictionaries of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = "tests"
_BINARISED = re.compile(r"(train|valid|test)(?:\.([^.-]+-[^.-]+)\.[^.]+)?\.(?:bin|idx)")
_SHARD = re.compile(r"shard(\d+)")


@dataclass(frozen=True)
class Split:
    """One split of a language pair, or of text in one language.

    Args:
        name: ``train``, ``valid``, ``test``, or ``test-NAME`` for what lies in ``tests/NAME``, as in ``report.json``.
        pair: for example ``en-de``; empty for text in one language.
        folders: where it lies: a folder, or those of the shards in order. The shards of ``train`` follow one another;
            those of another split are copies.
    """

    name: str
    pair: str
    folders: tuple[Path, ...]

    @property
    def langs(self) -> tuple[str, ...]:
        """The languages; one without a name for text in one language."""
        return tuple(self.pair.split("-"))

    @property
    def parts(self) -> tuple[Path, ...]:
        """The folders whose data together make the split."""
        return self.folders if self.name == "train" else self.folders[:1]

    def prefix(self, folder: Path, lang: str) -> Path:
        """Return the path of one side without ``.bin`` or ``.idx``."""
        stem = self.name.split("-")[0]
        return folder / (f"{stem}.{self.pair}.{lang}" if self.pair else stem)


def dictionary(folder: Path, lang: str) -> Path:
    """Return the path of a language's dictionary; of the only one without a language."""
    return folder / (f"dict.{lang}.txt" if lang else "dict.txt")


def find_splits(folder: Path) -> list[Split]:
    """List the splits below a prepared folder by pair: training, validation, test sets by name."""
    folders: dict[tuple[str, str], list[Path]] = {}
    for place, test in _places(folder):
        for stem, pair in sorted({(match[1], match[2] or "") for match in _binarised_files(place)}):
            folders.setdefault((pair, f"{stem}-{test}" if test else stem), []).append(place)
    order = sorted(folders, key=lambda key: (key[0], key[1] != "train", key[1] != "valid", key[1]))
    return [Split(name, pair, tuple(folders[pair, name])) for pair, name in order]


def _places(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield every folder that may hold binarised data, with the name of the test set if it is one's."""
    yield folder, ""
    shards = {int(match[1]): path for path in folder.glob("shard*") if (match := _SHARD.fullmatch(path.name))}
    yield from ((shards[number], "") for number in sorted(shards))
    yield from ((path, path.name) for path in sorted(folder.glob(f"{TESTS}/*")) if path.is_dir())


def _binarised_files(folder: Path) -> Iterator[re.Match[str]]:
    return (match for path in folder.iterdir() if (match := _BINARISED.fullmatch(path.name)))

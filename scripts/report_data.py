"""What the report shows of an experiment, collected from the files that the workflow left."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import table8
from cells import Cell
from families import label
from figures import read_json, spread
from files import sha256
from sacrebleu.metrics import CHRF
from scored_cells import read_hypotheses
from source_text import open_source, read_segments
from translation_experiment import TranslationExperiment

from fairseq_plugins.scoring import check_line_counts, corpus_bleu, read_lines

LENGTHS = (5, 10, 15, 20, 30, 40)
"""Upper bounds of the buckets of source lengths, in words; the last bucket has none."""
TABLE_KEYS = (
    "experiment", "target_pair", "settings", "families", "options", "setting_options", "seeds", "search",
    "bootstrap_samples", "signatures", "rows", "comparisons",
)  # fmt: skip
ROW_KEYS = {
    "family", "setting", "pairs", "tests", "gaps", "paper_bleu", "parameters", "training_seconds", "words_per_second",
    "sentences_per_second", "models",
}  # fmt: skip


@dataclass(frozen=True)
class Material:
    """The texts of an experiment, each read once.

    Attributes:
        experiment: whose texts they are.
    """

    experiment: TranslationExperiment

    @cached_property
    def sources(self) -> dict[str, list[str]]:
        """Test set -> what the models read, normalised as the training text was."""
        return {test: read_source(self.experiment.test_files(test)[0]) for test in self.experiment.tests}

    @cached_property
    def references(self) -> dict[str, list[str]]:
        """Test set -> the reference; checked to be aligned with the source."""
        references = {}
        for test in self.experiment.tests:
            source, path = self.experiment.test_files(test)
            references[test] = read_lines(path)
            check_line_counts(references[test], self.sources[test], path, source)
        return references

    @cached_property
    def hypotheses(self) -> dict[Cell, dict[str, list[str]]]:
        """Cell -> test set -> its translation; checked to be aligned with the reference."""
        return {cell: {test: self._read(cell, test) for test in self.experiment.tests}
                for cell in self.experiment.cells()}  # fmt: skip

    def _read(self, cell: Cell, test: str) -> list[str]:
        return read_hypotheses(self.experiment, cell, test, self.references[test])


def read_source(path: Path) -> list[str]:
    """The segments of a source text, as they are translated.

    Raises:
        ValueError: if it cannot be read or is not UTF-8.
    """
    with open_source(str(path)) as stream:
        return list(read_segments(stream, str(path)))


def first_seed(experiment: TranslationExperiment) -> list[Cell]:
    """The cells of the first seed, setting by setting."""
    return [Cell(family, setting, experiment.seeds[0]) for setting in experiment.settings
            for family in experiment.families]  # fmt: skip


def system_name(experiment: TranslationExperiment, cell: Cell) -> str:
    """A model's name for people: family and pairs trained on, with the setting where others have the same pairs."""
    pairs = experiment.settings[cell.setting]
    setting = f" ({cell.setting})" if list(experiment.settings.values()).count(pairs) > 1 else ""
    return f"{label(cell.family)}, {' + '.join(pairs)}{setting}"


def read_table(experiment: TranslationExperiment) -> dict[str, Any]:
    """The content of table8.json.

    Raises:
        ValueError: if it is missing or damaged, or was made by an older version, of another experiment or of other
            translations; the message says how to make it again.
    """
    path, command = experiment.root / "table8.json", f"python scripts/table8.py --config {experiment.path}"
    if not path.is_file():
        raise ValueError(f"{path}: not found; make the table first: {command}")
    table = read_json(path, TABLE_KEYS)
    difference = table_difference(experiment, table)
    if difference:
        raise ValueError(f"{path}: {difference}; make it again: {command}")
    return table


def table_difference(experiment: TranslationExperiment, table: dict[str, Any]) -> str | None:
    """In what a table is not that of the experiment file and of the translations that are there; None if it is."""
    if any(not row.keys() >= ROW_KEYS for row in table["rows"]):
        return "was made by an older version"
    found = {(row["family"], row["setting"], test) for row in table["rows"] for test in row["tests"]}
    wanted = {(cell.family, cell.setting, test) for cell in experiment.cells() for test in experiment.tests}
    if found != wanted:
        return f"is the table of other models or test sets than {experiment.path} has"
    different = [key for key, value in table8.decided(experiment).items() if table[key] != value]
    if different:
        return f"was made with other {', '.join(different)} than {experiment.path} has"
    changed = [str(path) for path, digest in recorded_files(experiment, table) if sha256(path) != digest]
    return f"was made from other files than {', '.join(changed)}" if changed else None


def recorded_files(experiment: TranslationExperiment, table: dict[str, Any]) -> Iterator[tuple[Path, str | None]]:
    """The checkpoints and translations that a table was made from, with the hashes it has of them."""
    for row in table["rows"]:
        for seed, model in zip(experiment.seeds, row["models"], strict=True):
            cell = Cell(row["family"], row["setting"], seed)
            yield experiment.model_dir(cell) / "checkpoint_best.pt", model.get("checkpoint_sha256")
            for test in experiment.tests:
                yield experiment.hypothesis_file(cell, test), model.get("hypotheses_sha256", {}).get(test)


def words(line: str) -> int:
    """Words of a line, divided at white space."""
    return len(line.split())


def length_buckets(sources: list[str]) -> dict[str, list[int]]:
    """Name of the bucket -> numbers of the sentences in it, shortest first; empty buckets are left out."""
    least = 1 if all(map(words, sources)) else 0
    bounds = [(least, LENGTHS[0]), *((low + 1, high) for low, high in pairwise(LENGTHS))]
    names = [f"{low}–{high}" for low, high in bounds] + [f"> {LENGTHS[-1]}"]
    buckets: dict[str, list[int]] = {name: [] for name in names}
    for number, line in enumerate(sources):
        buckets[names[bisect_left(LENGTHS, words(line))]].append(number)
    return {name: numbers for name, numbers in buckets.items() if numbers}


def bleu_of(numbers: list[int], hypotheses: list[str], references: list[str]) -> float:
    """Corpus BLEU of some sentences of a test set."""
    bleu, _ = corpus_bleu(*([lines[number] for number in numbers] for lines in (hypotheses, references)))
    return round(bleu.score, 2)


def bleu_by_length(material: Material, test: str) -> dict[str, Any]:
    """BLEU of the buckets of source length, over the seeds.

    Returns:
        ``buckets``: names; ``sentences``: how many each has; ``bleu``: (family, setting) -> for each bucket what
        :func:`figures.spread` gives.
    """
    experiment, references = material.experiment, material.references[test]
    buckets = length_buckets(material.sources[test])
    figures = {}
    for setting in experiment.settings:
        for family in experiment.families:
            translations = [material.hypotheses[Cell(family, setting, seed)][test] for seed in experiment.seeds]
            figures[family, setting] = [
                spread([bleu_of(numbers, lines, references) for lines in translations]) for numbers in buckets.values()
            ]
    return {"buckets": list(buckets), "sentences": [len(numbers) for numbers in buckets.values()], "bleu": figures}


def spread_out(total: int, limit: int) -> list[int]:
    """At most ``limit`` numbers below ``total``, evenly spaced."""
    count = min(total, limit)
    return [index * total // count for index in range(count)]


def sentences(material: Material, test: str, limit: int) -> dict[str, Any]:
    """What the viewer shows of a test set: at most ``limit`` sentences, evenly spaced, with the first seed's systems.

    Returns:
        ``total``: lines of the test set; ``rows``: line (from 1), words of the source, source, reference, the systems'
        translations, their sentence chrF.
    """
    experiment, chrf = material.experiment, CHRF()
    source, reference = material.sources[test], material.references[test]
    systems = [material.hypotheses[cell][test] for cell in first_seed(experiment)]
    rows: list[list[Any]] = []
    for number in spread_out(len(source), limit):
        translations = [lines[number] for lines in systems]
        scores = [round(chrf.sentence_score(text, [reference[number]]).score, 1) for text in translations]
        rows.append([number + 1, words(source[number]), source[number], reference[number], translations, scores])
    return {"total": len(source), "rows": rows}


def sentence_signature() -> str:
    """sacreBLEU's signature of the sentence chrF, which it gives after a score alone."""
    chrf = CHRF()
    chrf.sentence_score("", [""])
    return str(chrf.get_signature())


def configuration(experiment: TranslationExperiment) -> dict[str, Any]:
    """How the experiment was run: data, test sets, models, and the hashes of what they left.

    Raises:
        ValueError: if a file is missing or damaged.
    """
    signature = read_json(experiment.data / "signature.json", ("identity", "command", "versions"))
    texts = {test: experiment.test_files(test) for test in experiment.tests}
    return {
        "files": [
            {"path": str(path), "sha256": sha256(path), "text": path.read_text(encoding="utf-8")}
            for path in dict.fromkeys((experiment.path, experiment.data_file))
        ],
        "data": {key: signature[key] for key in ("identity", "command", "versions")},
        "tests": {
            test: {"files": [str(path) for path in paths], "sha256": [sha256(path) for path in paths]}
            for test, paths in texts.items()
        },
        "models": [model_configuration(experiment, cell) for cell in experiment.cells()],
    }


def model_configuration(experiment: TranslationExperiment, cell: Cell) -> dict[str, Any]:
    """How one model was trained and scored."""
    keys = ("arch", "command", "versions", "data", "updates", "threads", "checkpoint_sha256")
    model = read_json(experiment.model_dir(cell) / "model.json", keys)
    scores = {test: read_json(experiment.score_file(cell, test), ("beam", "checkpoint")) for test in experiment.tests}
    return {
        "name": cell.name,
        **{key: model[key] for key in keys},
        "translations": {
            test: {
                "beam": found["beam"],
                "checkpoint": found["checkpoint"],
                "sha256": sha256(experiment.hypothesis_file(cell, test)),
            }
            for test, found in scores.items()
        },
    }

"""What the report shows of an experiment, collected from the files that the workflow left."""

from __future__ import annotations

import statistics
from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import table8
from cells import Cell
from figures import read_json
from files import sha256
from sacrebleu.metrics import BLEU, CHRF
from source_text import open_source, read_segments
from translation_experiment import TranslationExperiment

from fairseq_plugins.scoring import check_line_counts, read_lines

LENGTHS = (5, 10, 15, 20, 30, 40)
"""Upper bounds of the buckets of source lengths, in words; the last bucket has none."""


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
        path = self.experiment.score_file(cell, test).with_suffix(".hyp")
        lines = read_lines(path)
        check_line_counts(lines, self.references[test], path, self.experiment.test_files(test)[1])
        return lines


def read_source(path: Path) -> list[str]:
    """The segments of a source text, as they are translated.

    Raises:
        ValueError: if it cannot be read or is not UTF-8.
    """
    with open_source(str(path)) as stream:
        return list(read_segments(stream, str(path)))


def label(family: str) -> str:
    """A family's name for people."""
    return table8.LABELS.get(family, family)


def first_seed(experiment: TranslationExperiment) -> list[Cell]:
    """The cells of the first seed, setting by setting."""
    return [Cell(family, setting, experiment.seeds[0]) for setting in experiment.settings
            for family in experiment.families]  # fmt: skip


def system_name(experiment: TranslationExperiment, cell: Cell) -> str:
    """A model's name for people: family and what it was trained on."""
    return f"{label(cell.family)}, {' + '.join(experiment.settings[cell.setting])}"


def read_table(experiment: TranslationExperiment) -> dict[str, Any]:
    """The content of table8.json.

    Raises:
        ValueError: if it is missing or damaged, or is the table of other models or test sets than the experiment's.
    """
    path = experiment.root / "table8.json"
    if not path.is_file():
        raise ValueError(f"{path}: not found; make the table first: python scripts/table8.py "
                         f"--config {experiment.path}")  # fmt: skip
    table = read_json(path, ("rows", "seeds", "signatures", "target_pair", "bootstrap_samples"))
    found = {(row["family"], row["setting"], test) for row in table["rows"] for test in row["tests"]}
    wanted = {(cell.family, cell.setting, test) for cell in experiment.cells() for test in experiment.tests}
    if found != wanted or table["seeds"] != experiment.seeds:
        raise ValueError(f"{path}: is the table of other models or test sets than {experiment.path} has; make it "
                         f"again: python scripts/table8.py --config {experiment.path}")  # fmt: skip
    return table


def words(line: str) -> int:
    """Words of a line, divided at white space."""
    return len(line.split())


def length_buckets(sources: list[str]) -> dict[str, list[int]]:
    """Name of the bucket -> numbers of the sentences in it, shortest first; empty buckets are left out."""
    names = [f"{low + 1}–{high}" for low, high in pairwise((0, *LENGTHS))] + [f"> {LENGTHS[-1]}"]
    buckets: dict[str, list[int]] = {name: [] for name in names}
    for number, line in enumerate(sources):
        buckets[names[bisect_left(LENGTHS, words(line))]].append(number)
    return {name: numbers for name, numbers in buckets.items() if numbers}


def bleu_of(numbers: list[int], hypotheses: list[str], references: list[str]) -> float:
    """Corpus BLEU of some sentences of a test set."""
    chosen = [[lines[number] for number in numbers] for lines in (hypotheses, references)]
    return float(BLEU().corpus_score(chosen[0], [chosen[1]]).score)


def bleu_by_length(material: Material, test: str) -> dict[str, Any]:
    """BLEU of the buckets of source length, the mean over the seeds.

    Returns:
        ``buckets``: names; ``sentences``: how many each has; ``bleu``: (family, setting) -> a figure for each bucket.
    """
    experiment, references = material.experiment, material.references[test]
    buckets = length_buckets(material.sources[test])
    figures = {}
    for setting in experiment.settings:
        for family in experiment.families:
            translations = [material.hypotheses[Cell(family, setting, seed)][test] for seed in experiment.seeds]
            figures[family, setting] = [
                round(statistics.fmean(bleu_of(numbers, lines, references) for lines in translations), 2)
                for numbers in buckets.values()
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
        "file": str(experiment.path),
        "file_sha256": sha256(experiment.path),
        "text": experiment.path.read_text(encoding="utf-8"),
        "data": {key: signature[key] for key in ("identity", "command", "versions")},
        "tests": {
            test: {"files": [str(path) for path in paths], "sha256": [sha256(path) for path in paths]}
            for test, paths in texts.items()
        },
        "models": [model_configuration(experiment, cell) for cell in experiment.cells()],
    }


def model_configuration(experiment: TranslationExperiment, cell: Cell) -> dict[str, Any]:
    """How one model was trained and scored."""
    directory = experiment.model_dir(cell)
    model = read_json(directory / "model.json", ("arch", "command", "versions", "data", "updates", "threads"))
    hypotheses = {test: experiment.score_file(cell, test).with_suffix(".hyp") for test in experiment.tests}
    return {
        "name": cell.name,
        **{key: model[key] for key in ("arch", "command", "versions", "data", "updates", "threads")},
        "checkpoint_sha256": sha256(directory / "checkpoint_best.pt"),
        "hypotheses_sha256": {test: sha256(path) for test, path in hypotheses.items()},
    }

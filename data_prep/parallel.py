"""The pipeline: parallel text -> cleaned text -> subwords -> binarised data and a report.

Every step leaves its files under their final names only when they are complete, so that a run that was stopped at any
moment goes on there and ends with the same bytes.
"""

import logging
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from data_prep import encode, signature, sources, subword
from data_prep.clean import normalise
from data_prep.config import Corpus, DataConfig, Text, split_pair
from data_prep.encode import Side
from data_prep.folder import Workplace
from data_prep.held_out import Context
from data_prep.pool import ordered_map
from data_prep.progress import progress
from data_prep.tally import Tally
from data_prep.text import read_lines
from data_prep.training_text import (
    CleanedChunk,
    Cleaning,
    TrainingText,
    clean_chunk,
    collect,
    finish,
    is_finished,
    raw_chunks,
)

logger = logging.getLogger(__name__)


@dataclass
class Build:
    """One run over all language pairs. ``stages`` collects what the throughput was."""

    config: DataConfig
    place: Workplace
    stages: list[dict[str, Any]] = field(default_factory=list)

    def run(self) -> None:
        """Run every stage; writes the data, the report and the figures of speed."""
        config, result = self.config, self.place.result
        self._check_validation_text()
        held_out = self._held_out()
        texts = {pair: self._clean(pair, held_out) for pair in config.pairs}
        reports = {pair: self._report(pair, text) for pair, text in texts.items()}
        encoder = self._train_subwords(texts)
        for pair, text in texts.items():
            reports[pair]["encoded"] = self._encode(pair, text, encoder)
        vocabulary = {"pieces": len(encoder.model), "dictionary": len(subword.dictionary_lines(encoder.model))}
        report = {"pairs": reports, "subword": vocabulary}
        signature.write_json(result / "report.json", report)
        signature.write_json(result / "throughput.json", {"workers": config.workers, "stages": self.stages})

    @contextmanager
    def stage(self, name: str, pairs: int | None = None) -> Iterator[Counter[str]]:
        """Time a stage; the block may count its ``pairs``."""
        count, start = Counter(pairs=pairs or 0), time.monotonic()
        yield count
        seconds = time.monotonic() - start
        rate = round(count["pairs"] / seconds) if seconds else 0
        self.stages.append({"stage": name, **count, "seconds": float(f"{seconds:.3g}"), "pairs_per_second": rate})
        if count["pairs"]:
            logger.info("%s: %s pairs in %.1f s, %s a second", name, f"{count['pairs']:,}", seconds, f"{rate:,}")

    def _check_validation_text(self) -> None:
        """Read it once before the long work begins, as the test text is read: what is wrong with it shows at once."""
        for pair, options in self.config.pairs.items():
            if options.valid is not None:
                _segments(options.valid, pair, "valid")

    def _held_out(self) -> dict[str, set[str]]:
        """Return the normalised test segments of every language, all pairs and test sets together."""
        held_out: dict[str, set[str]] = {lang: set() for lang in self.config.languages}
        for pair, options in self.config.pairs.items():
            for test in options.tests.values():
                for segments in _segments(test, pair, "test"):
                    for lang, segment in zip(split_pair(pair), segments, strict=True):
                        held_out[lang].add(normalise(segment))
        return held_out

    def _clean(self, pair: str, held_out: Mapping[str, set[str]]) -> TrainingText:
        """Clean all corpora of a language pair and find what is repeated."""
        options, langs = self.config.pairs[pair], split_pair(pair)
        cleaning = Cleaning(langs, self.config.clean, Context.make(langs, (held_out[langs[0]], held_out[langs[1]])))
        logger.info("%s: filters %s", pair, ", ".join(check.name for check in self.config.clean))
        cleaning.build()  # a filter that needs what is not installed says so now
        folders = [self.place.work / "clean" / pair / f"{number:03d}" for number in range(len(options.train))]
        with self.stage(f"clean {pair}") as count:
            for corpus, folder in zip(options.train, folders, strict=True):
                count["pairs"] += self._clean_corpus(pair, corpus, cleaning, folder)
        with self.stage(f"find repeats {pair}") as count:
            deduplicate = any(not check.per_pair for check in self.config.clean)
            text = collect(folders, deduplicate=deduplicate, valid_every=options.valid_every, shards=self.config.shards)
            count["pairs"] += len(text.first)
        text.check_sizes()
        return text

    def _clean_corpus(self, pair: str, corpus: Corpus, cleaning: Cleaning, folder: Path) -> int:
        """Clean a corpus, unless that is done, and return how many pairs were read."""
        if is_finished(folder):
            return 0
        read = 0
        folder.mkdir(parents=True, exist_ok=True)
        size = sum(path.stat().st_size for source in corpus.sources for path in sources.files(source))
        with progress(f"cleaning {corpus.name}", "bytes", size or None) as shown:
            chunks = raw_chunks(folder, corpus, _labelled(corpus, pair, shown.add))
            for count in ordered_map(clean_chunk, cleaning, chunks, workers=self.config.workers):
                read += count
        finish(corpus.name, folder)
        return read

    def _train_subwords(self, texts: Mapping[str, TrainingText]) -> subword.Encoder:
        """Train the joint model on the training text of every side of every pair; write it and the dictionaries."""
        prefix, options = self.place.work / "spm", self.config.subword
        total = sum(text.training_pairs for text in texts.values())
        if not prefix.with_name("spm.model").exists():
            logger.info("training the joint SentencePiece model")
            with self.stage("train SentencePiece", min(total, options.sample_sentences // 2 or total)):
                sentences = (
                    line
                    for text in texts.values()
                    for line in text.sentences(-(-options.sample_sentences * text.training_pairs // total))
                )
                subword.train_model(sentences, options, seed=self.config.seed, prefix=prefix)
        for name in ("spm.model", "spm.vocab"):
            shutil.copyfile(self.place.work / name, self.place.result / name)
        encoder = subword.Encoder(prefix.with_name("spm.model"))
        for folder in {self.place.result, *self._shards()}:
            self._write_dictionaries(folder, encoder)
        return encoder

    def _write_dictionaries(self, folder: Path, encoder: subword.Encoder) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        lines = "".join(subword.dictionary_lines(encoder.model))
        for lang in self.config.languages:
            (folder / f"dict.{lang}.txt").write_text(lines, encoding="utf-8")

    def _shards(self) -> list[Path]:
        """The folders of the training text: one a shard, or the result itself."""
        if self.config.shards == 1:
            return [self.place.result]
        return [self.place.result / f"shard{number}" for number in range(self.config.shards)]

    def _encode(self, pair: str, text: TrainingText, encoder: subword.Encoder) -> dict[str, Any]:
        """Write the binarised splits of a pair; return lines, tokens and unknown tokens by split and language."""
        options, langs, shards = self.config.pairs[pair], split_pair(pair), self._shards()
        sides = [Side(folder, "train", pair, lang, number) for number, folder in enumerate(shards) for lang in langs]
        if options.valid is None:
            sides += [Side(shards[0], "valid", pair, lang) for lang in langs]
        with self.stage(f"encode {pair}", len(text.first)):
            work = self.place.work / "encoded" / pair
            counts = encode.encode_training_text(text, encoder, sides, work, workers=self.config.workers)
        encoded = _by_split(sides, counts)
        if options.valid is not None:
            encoded["valid"] = _encode_text(options.valid, pair, encoder, shards[0], "valid")
        for folder in shards[1:]:
            for path in shards[0].glob(f"valid.{pair}.*"):
                shutil.copyfile(path, folder / path.name)
        for name, test in options.tests.items():
            folder = self.place.result / "tests" / name
            encoded[f"test-{name}"] = _encode_text(test, pair, encoder, folder, "test")
            _write_plain_test(test, pair, folder)
            self._write_dictionaries(folder, encoder)
        return encoded

    def _report(self, pair: str, text: TrainingText) -> dict[str, Any]:
        """Count what was read, changed, dropped and kept of every corpus."""
        corpora = zip(self.config.pairs[pair].train, text.corpora, strict=True)
        return {"train": [self._report_corpus(corpus, text, chunks) for corpus, chunks in corpora]}

    def _report_corpus(self, corpus: Corpus, text: TrainingText, chunks: list[CleanedChunk]) -> dict[str, Any]:
        """Make the report on one corpus."""
        tally, counts = Tally(), Counter(read=0, kept=0, detokenized=0)
        for chunk in chunks:
            facts = chunk.facts()
            tally = tally + Tally.from_json(facts["tally"])
            counts.update({key: facts[key] for key in counts})
        repeats, examples = text.repeats(chunks)
        report = tally.report(self.config.clean, {"duplicate": (repeats, examples)})
        counts["kept"] -= repeats
        dropped = ", ".join(f"{name} {count}" for name, count in report["dropped"].items())
        logger.info("%s: %d of %d pairs kept; dropped: %s", corpus.name, counts["kept"], counts["read"], dropped)
        return {"name": corpus.name, **counts, **report}


def _labelled(corpus: Corpus, pair: str, meter: Callable[[int], None]) -> Iterator[tuple[str, str, str]]:
    """Yield source, target and label; check at the end that every label to detokenise did occur."""
    pairs = _pairs(corpus, pair, meter)
    if not corpus.labels:
        yield from ((src, tgt, "") for src, tgt in pairs)
        return
    seen, labels, count = set(), read_lines(corpus.labels), 0
    for count, (segments, label) in enumerate(zip_longest(pairs, labels), start=1):
        if segments is None or label is None:
            pairs_left, labels_left = sum(1 for _ in pairs), sum(1 for _ in labels)
            raise ValueError(
                f"misaligned files: {corpus.name} has {count - (segments is None) + pairs_left:,} pairs, "
                f"{corpus.labels} has {count - (label is None) + labels_left:,} lines"
            )
        seen.add(label.strip())
        yield *segments, label.strip()
    wanted = corpus.detokenize if isinstance(corpus.detokenize, tuple) else ()
    missing = [label for label in wanted if label not in seen]
    if missing:
        found = ", ".join(sorted(seen)[:20])
        raise ValueError(f"{corpus.labels}: no line has the label {missing[0]!r} to detokenize; labels found: {found}")


def _pairs(text: Text, pair: str, meter: Callable[[int], None] | None = None) -> Iterator[tuple[str, str]]:
    """Yield the pairs of a text, source by source."""
    for source in text.sources:
        yield from sources.read(source, pair, meter)


def _segments(text: Text, pair: str, split: str) -> list[tuple[str, str]]:
    """Read validation or test text.

    Raises:
        ValueError: if there is none.
    """
    segments = list(_pairs(text, pair))
    if not segments:
        raise ValueError(f"{pair}: the {split} text is empty; expected at least one pair")
    return segments


def _by_split(sides: list[Side], counts: Mapping[str, Counter[str]]) -> dict[str, Any]:
    """Add up the counts of the shards: lines, tokens and unknown tokens by split and language."""
    totals: dict[str, Any] = {}
    for side in sides:
        total = totals.setdefault(side.split, {}).setdefault(side.lang, dict.fromkeys(counts[side.key], 0))
        for name, count in counts[side.key].items():
            total[name] += count
    return totals


def _encode_text(text: Text, pair: str, encoder: subword.Encoder, folder: Path, split: str) -> dict[str, Any]:
    """Binarise validation or test text, which is normalised but not filtered."""
    segments = [(normalise(src), normalise(tgt)) for src, tgt in _segments(text, pair, split)]
    counts = {}
    for lang, lines in zip(split_pair(pair), zip(*segments, strict=True), strict=True):
        counts[lang] = dict(encode.write_side(Side(folder, split, pair, lang).prefix, iter([encoder.encode(lines)])))
    return counts


def _write_plain_test(text: Text, pair: str, folder: Path) -> None:
    """Write the text to translate, normalised, and the reference as it was but for line breaks inside a line."""
    with (
        open(folder / f"{pair}.src", "w", encoding="utf-8", newline="\n") as source_file,
        open(folder / f"{pair}.ref", "w", encoding="utf-8", newline="\n") as reference_file,
    ):
        for src, tgt in _pairs(text, pair):
            source_file.write(normalise(src) + "\n")
            reference_file.write(tgt + "\n")

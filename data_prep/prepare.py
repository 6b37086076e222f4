"""The pipeline: text files -> cleaned text -> subwords -> binarised data, report and signature."""

import logging
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sentencepiece import SentencePieceProcessor
from tqdm import tqdm

from data_prep import binarize, signature, subword
from data_prep.clean import Filter, build_filters, filter_pairs, normalise
from data_prep.config import Corpus, DataConfig, TextPair, split_pair
from data_prep.detokenize import detokenizer
from data_prep.folder import building
from data_prep.text import FileFacts, check_aligned, read_aligned, read_lines, scan

logger = logging.getLogger(__name__)

_WORK = "work"  # sub-folder with the cleaned and the encoded text, removed at the end
_JOINT = f"{_WORK}/dict.txt"


def prepare(config: DataConfig, *, command: str = "", overwrite: bool = False) -> bool:
    """Make the binarised data of an experiment in ``config.out``, all of it or nothing.

    Args:
        config: what to make.
        command: the command line, for the signature.
        overwrite: replace what an earlier run left in ``config.out``.

    Returns:
        False if ``config.out`` already held exactly this.

    Raises:
        FileNotFoundError: if an input file is missing.
        ValueError: if an input is misaligned, empty or not UTF-8, if a training corpus loses all its lines, if the
            vocabulary cannot be made, or if ``config.out`` holds something else.
        RuntimeError: if ``fairseq-preprocess`` fails or loses a line.
    """
    _write_grammar_text(config)
    inputs = _scan_inputs(config)
    made = signature.make(config, inputs, command)
    if overwrite:
        signature.check_overwritable(config.out)
    elif signature.is_up_to_date(config.out, made):
        logger.info("%s is up to date", config.out)
        return False
    with building(config.out) as folder:
        report = _build(config, folder)
        dictionaries = {f"dict.{lang}.txt": signature.sha256(folder / f"dict.{lang}.txt") for lang in config.languages}
        signature.write_json(folder / "report.json", report)
        signature.write_json(folder / signature.FILE_NAME, {**made, "dictionaries": dictionaries})
        shutil.rmtree(folder / _WORK)
    logger.info("wrote %s", config.out)
    return True


def _build(config: DataConfig, folder: Path) -> dict[str, Any]:
    """Run every step inside ``folder`` and return the report."""
    for name in ("text", "encoded"):
        (folder / _WORK / name).mkdir(parents=True)
    held_out = _held_out(config)
    report: dict[str, Any] = {"pairs": {}}
    for pair in config.pairs:
        report["pairs"][pair] = _clean_pair(config, pair, held_out, folder / _WORK / "text")
    model = _train_subwords(config, folder)
    report["subword"] = {"pieces": len(model), "dictionary": len(subword.dictionary_lines(model))}
    for pair in config.pairs:
        report["pairs"][pair]["encoded"] = _encode_pair(config, pair, model, folder / _WORK)
        _binarize_pair(config, pair, report["pairs"][pair]["encoded"], folder)
    return report


def _write_grammar_text(config: DataConfig) -> None:
    """Let the embedded grammar write its corpora; those that are up to date stay as they are."""
    for text in config.grammar:
        from data_prep.grammar import write_corpus  # only experiments with a grammar need it

        options = {key: value for key, value in asdict(text).items() if key != "out"}
        write_corpus(text.out, **options)


def _scan_inputs(config: DataConfig) -> dict[Path, FileFacts]:
    """Check every input file before any work is done; see :func:`data_prep.text.scan`."""
    inputs = {path: scan(path) for path in _progress(config.input_files(), "reading", "files")}
    for options in config.pairs.values():
        for text in options.texts:
            labels = getattr(text, "labels", None)
            check_aligned(inputs, text.src, text.tgt, *([labels] if labels else []))
    return inputs


def _held_out(config: DataConfig) -> dict[str, set[str]]:
    """Return the normalised test segments of every language, all pairs and test sets together."""
    held_out: dict[str, set[str]] = {lang: set() for lang in config.languages}
    for pair, options in config.pairs.items():
        for test in options.tests.values():
            for lang, path in zip(split_pair(pair), (test.src, test.tgt), strict=True):
                held_out[lang].update(map(normalise, read_lines(path)))
    return held_out


def _clean_pair(config: DataConfig, pair: str, held_out: dict[str, set[str]], texts: Path) -> dict[str, Any]:
    """Write the cleaned text of one language pair to ``texts`` and return the counts."""
    options, langs = config.pairs[pair], split_pair(pair)
    filters = build_filters(config.clean, *(held_out[lang] for lang in langs))
    report: dict[str, Any] = {"train": []}
    _write_pairs(texts, "train", pair, _train_pairs(options.train, langs, filters, report["train"]))
    held_out_texts = {"valid": options.valid, **{f"test-{name}": text for name, text in options.tests.items()}}
    for split, text in held_out_texts.items():
        lines = read_aligned(text.src, text.tgt)
        _write_pairs(texts, split, pair, ((normalise(src), normalise(tgt)) for src, tgt in lines))
    return report


def _train_pairs(
    corpora: Iterable[Corpus], langs: tuple[str, str], filters: dict[str, Filter], reports: list[dict[str, Any]]
) -> Iterator[tuple[str, str]]:
    """Yield the pairs that the filters keep, corpus by corpus; append a report on each.

    Raises:
        ValueError: if nothing is left of a corpus.
    """
    for corpus in corpora:
        read, dropped, kept = Counter[str](), Counter(dict.fromkeys(filters, 0)), 0
        pairs = _progress(_normalised(corpus, langs, read), corpus.name, "pairs")
        for kept, pair in enumerate(filter_pairs(pairs, filters, dropped), start=1):  # noqa: B007
            yield pair
        counts = {"read": read["lines"], "kept": kept, "dropped": dict(dropped), "detokenized": read["detokenized"]}
        if not kept:
            raise ValueError(f"{corpus.src}: no training pair is left of {read['lines']}; dropped: {dict(dropped)}")
        logger.info("%s: %d of %d pairs kept, dropped: %s", corpus.name, kept, read["lines"], dict(dropped))
        reports.append({"name": corpus.name, "src": str(corpus.src), "tgt": str(corpus.tgt), **counts})


def _normalised(corpus: Corpus, langs: tuple[str, str], read: Counter[str]) -> Iterator[tuple[str, str]]:
    """Yield the normalised pairs of a corpus, tokenised lines detokenised; count what was read."""
    raw_again = [detokenizer(lang) for lang in langs] if corpus.detokenize else []
    for src, tgt, label in _labelled(corpus):
        read["lines"] += 1
        if corpus.detokenize is True or (corpus.detokenize and label in corpus.detokenize):
            read["detokenized"] += 1
            src, tgt = (restore(line) for restore, line in zip(raw_again, (src, tgt), strict=True))
        yield normalise(src), normalise(tgt)


def _labelled(corpus: Corpus) -> Iterator[tuple[str, str, str]]:
    """Yield source, target and label; check at the end that every label to detokenise did occur."""
    if corpus.labels is None:
        yield from ((src, tgt, "") for src, tgt in read_aligned(corpus.src, corpus.tgt))
        return
    seen = set()
    for src, tgt, label in read_aligned(corpus.src, corpus.tgt, corpus.labels):
        label = label.strip()
        seen.add(label)
        yield src, tgt, label
    wanted = corpus.detokenize if isinstance(corpus.detokenize, tuple) else ()
    missing = [label for label in wanted if label not in seen]
    if missing:
        found = ", ".join(sorted(seen)[:20])
        raise ValueError(f"{corpus.labels}: no line has the label {missing[0]!r} to detokenize; labels found: {found}")


def _write_pairs(folder: Path, split: str, pair: str, pairs: Iterable[tuple[str, str]]) -> None:
    """Write ``<split>.<pair>.<lang>`` of both languages together."""
    source, target = (folder / f"{split}.{pair}.{lang}" for lang in split_pair(pair))
    with (
        open(source, "w", encoding="utf-8", newline="\n") as source_file,
        open(target, "w", encoding="utf-8", newline="\n") as target_file,
    ):
        for src, tgt in pairs:
            source_file.write(src + "\n")
            target_file.write(tgt + "\n")


def _train_subwords(config: DataConfig, folder: Path) -> SentencePieceProcessor:
    """Train the joint model on the training text of every side of every pair; write it and the one dictionary."""
    texts = [folder / _WORK / "text" / f"train.{pair}.{lang}" for pair in config.pairs for lang in split_pair(pair)]
    logger.info("training the joint SentencePiece model")
    sentences = (line for path in texts for line in read_lines(path))
    subword.train_model(sentences, config.subword, seed=config.seed, prefix=folder / "spm")
    model = subword.load_model(folder / "spm.model")
    (folder / _JOINT).write_text("".join(subword.dictionary_lines(model)), encoding="utf-8")
    return model


def _encode_pair(config: DataConfig, pair: str, model: SentencePieceProcessor, work: Path) -> dict[str, Any]:
    """Encode every split of a pair; return lines, tokens and unknown tokens by split and language."""
    counts: dict[str, Any] = {}
    for split in ["train", "valid", *(f"test-{name}" for name in config.pairs[pair].tests)]:
        for lang in split_pair(pair):
            name = f"{split}.{pair}.{lang}"
            lines = read_lines(work / "text" / name)
            count = subword.encode(model, lines, work / "encoded" / name, workers=config.workers)
            counts.setdefault(split, {})[lang] = asdict(count)
    return counts


def _binarize_pair(config: DataConfig, pair: str, encoded: dict[str, Any], folder: Path) -> None:
    """Binarise a pair, move its test sets to folders of their own, and check that no line was lost."""
    tests = config.pairs[pair].tests
    logger.info("%s: fairseq-preprocess", pair)
    binarize.preprocess(folder, pair, _JOINT, tests=list(tests), encoded=f"{_WORK}/encoded", workers=config.workers)
    source, _ = split_pair(pair)
    for split in ("train", "valid"):
        binarize.check_segments(folder, split, pair, encoded[split][source]["lines"])
    for number, (name, text) in enumerate(tests.items()):
        destination = folder / "tests" / name
        _move_test(folder, f"test{number or ''}", destination, pair)
        binarize.check_segments(destination, "test", pair, encoded[f"test-{name}"][source]["lines"])
        _write_plain_test(text, destination, pair)
        for lang in config.languages:
            shutil.copyfile(folder / _JOINT, destination / f"dict.{lang}.txt")


def _move_test(folder: Path, split: str, destination: Path, pair: str) -> None:
    destination.mkdir(parents=True, exist_ok=True)
    for lang in split_pair(pair):
        for kind in ("bin", "idx"):
            (folder / f"{split}.{pair}.{lang}.{kind}").rename(destination / f"test.{pair}.{lang}.{kind}")


def _write_plain_test(text: TextPair, destination: Path, pair: str) -> None:
    """Write the text to translate, normalised, and the reference as it was but for line breaks inside a line."""
    for suffix, lines in (("src", map(normalise, read_lines(text.src))), ("ref", read_lines(text.tgt))):
        with open(destination / f"{pair}.{suffix}", "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line + "\n" for line in lines)


def _progress(items: Any, what: str, unit: str) -> Any:
    """Show a bar on a terminal when the log is shown; elsewhere the log lines must do."""
    shown = sys.stderr.isatty() and logger.isEnabledFor(logging.INFO)
    return tqdm(items, desc=what, unit=f" {unit}", disable=not shown)

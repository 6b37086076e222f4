"""From folders laid out as the organisers of WMT14, IWSLT14 and WikiText ship them to data that fairseq-train takes."""

import gzip
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from data_prep import indexed, sources
from data_prep.__main__ import main
from data_prep.datasets import find

ROOT = Path(__file__).resolve().parents[2]
WORDS = {
    "en": ["the", "house", "tree", "river", "stands", "falls", "over", "there", "today", "again"],
    "de": ["das", "Haus", "Baum", "Fluss", "steht", "fällt", "über", "dort", "heute", "wieder"],
    "fr": ["la", "maison", "arbre", "rivière", "est", "tombe", "sur", "là-bas", "aujourd’hui", "encore"],
}


def sentences(lang: str, name: str, count: int) -> list[str]:
    """Sentences of a corpus; those of the same number translate each other word by word."""
    drawn = np.random.default_rng(sum(map(ord, name)))
    return [" ".join(WORDS[lang][index] for index in drawn.integers(0, 10, 6)) + f" {n}." for n in range(count)]


def lines(segments: list[str]) -> bytes:
    return "".join(f"{segment}\n" for segment in segments).encode()


def sgm(kind: str, lang: str, segments: list[str]) -> bytes:
    """A test set as WMT ships it."""
    body = "".join(f'<seg id="{number}">{segment} &amp; so</seg>\n' for number, segment in enumerate(segments, 1))
    target = f' trglang="{lang}"' if kind == "refset" else ""
    head = f'<{kind} setid="newstest" srclang="any"{target}>\n<doc sysid="ref" docid="a.1" genre="news" origlang="en">'
    return f"{head}\n<p>\n{body}</p>\n</doc>\n</{kind}>\n".encode()


def talks(lang: str, segments: list[str]) -> bytes:
    """Training text as IWSLT ships it: tag lines between the sentences."""
    text = []
    for talk in range(0, len(segments), 10):
        text += [f"<url>http://www.ted.com/{talk}</url>", "<keywords>talks, one</keywords>", "<speaker>A. B.</speaker>"]
        text += [f"<talkid>{talk}</talkid>", f"<title>A title, {lang}</title>", "<description>About</description>"]
        text += [f" {segment} " for segment in segments[talk : talk + 10]]
    return lines(text)


def xml(kind: str, name: str, segments: list[str]) -> bytes:
    """A test set as IWSLT ships it."""
    body = "".join(f'<seg id="{number}"> {segment} </seg>\n' for number, segment in enumerate(segments, 1))
    language = {"srcset": 'srclang="english"', "refset": 'srclang="english" trglang="german"'}[kind]
    head = f'<?xml version="1.0" encoding="UTF-8"?>\n<mteval>\n<{kind} setid="{name}" {language}>\n<doc docid="1">'
    return f"{head}\n<title>x</title>\n{body}</doc>\n</{kind}>\n</mteval>\n".encode()


def pack(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def corpus(stem: str, other: str, count: int) -> dict[str, bytes]:
    return {f"{stem}.{other}-en.{lang}": lines(sentences(lang, stem + other, count)) for lang in (other, "en")}


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """A folder with every archive of the catalogue but WMT's, each small."""
    folder = tmp_path_factory.mktemp("archives")
    both = {stem: corpus(stem, "de", 60) | corpus(stem, "fr", 50) for stem in
            ("training/europarl-v7", "commoncrawl", "training/news-commentary-v9")}  # fmt: skip
    pack(folder / "training-parallel-europarl-v7.tgz", both["training/europarl-v7"])
    pack(folder / "training-parallel-commoncrawl.tgz", both["commoncrawl"])
    pack(folder / "training-parallel-nc-v9.tgz", both["training/news-commentary-v9"])
    pack(folder / "training-parallel-un.tgz", corpus("un/undoc.2000", "fr", 40))
    giga = {
        f"giga-fren.release2.fixed.{lang}.gz": gzip.compress(lines(sentences(lang, "giga", 30)))
        for lang in ("en", "fr")
    }
    pack(folder / "training-giga-fren.tar", giga)
    news = {lang: sentences(lang, "news2013", 12) for lang in WORDS}
    dev = {f"dev/newstest2013-ref.{lang}.sgm": sgm("refset", lang, news[lang]) for lang in ("de", "fr")}
    pack(folder / "dev.tgz", {"dev/newstest2013-src.en.sgm": sgm("srcset", "en", news["en"]), **dev})
    test = {}
    for lang in ("de", "fr"):
        stem = f"test-full/newstest2014-{lang}en"  # "deen" and "fren", in whichever direction
        test[f"{stem}-src.en.sgm"] = sgm("srcset", "en", sentences("en", "news2014", 9))
        test[f"{stem}-ref.{lang}.sgm"] = sgm("refset", lang, sentences(lang, "news2014", 9))
    pack(folder / "test-full.tgz", test)
    ted = {f"de-en/train.tags.de-en.{lang}": talks(lang, sentences(lang, "ted", 95)) for lang in ("en", "de")}
    for number, name in enumerate(("TED.dev2010", "TEDX.dev2012", "TED.tst2010", "TED.tst2011", "TED.tst2012")):
        for lang, kind in (("en", "srcset"), ("de", "refset")):
            content = xml(kind, name, sentences(lang, name, 3 + number))
            ted[f"de-en/IWSLT14.{name}.de-en.{lang}.xml"] = content
    pack(folder / "de-en.tgz", ted)
    with zipfile.ZipFile(folder / "wikitext-2-v1.zip", "w") as archive:
        for split, count in (("train", 60), ("valid", 7), ("test", 8)):
            archive.writestr(
                f"wikitext-2/wiki.{split}.tokens", b" \n = T =\n <unk> x\n" + lines(sentences("en", split, count))
            )
    return folder


def prepare(out: Path, archives: Path, *options: str) -> dict:
    options = ("--downloads", str(archives), "--out", str(out), "--quiet", *options)
    assert main(["prepare", *options]) == 0
    return json.loads((out / "report.json").read_text())


def train(data: str, *options: str) -> None:
    """Two updates with the plugin."""
    command = [sys.executable, "-m", "fairseq_cli.train", data, "--user-dir", str(ROOT / "fairseq_plugins"), "--cpu"]
    command += ["--optimizer", "adam", "--lr", "0.001", "--max-tokens", "200", "--max-update", "2", "--no-save"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "done training" in done.stdout + done.stderr


def test_wmt14(archives, tmp_path):
    options = ("--dataset", "wmt14.en-de", "wmt14.en-fr", "--vocab-size", "150", "--shards", "2", "--workers", "2")
    report = prepare(tmp_path / "data", archives, *options)
    names = [(corpus["name"], corpus["read"]) for corpus in report["pairs"]["en-fr"]["train"]]
    assert [read for _, read in names] == [50, 50, 40, 50, 30]
    assert names[-1][0] == "giga-fren.release2.fixed"
    german = report["pairs"]["en-de"]
    assert sum(corpus["kept"] for corpus in german["train"]) == german["encoded"]["train"]["en"]["lines"] == 180
    assert (tmp_path / "data/tests/newstest2014/en-fr.src").read_text().endswith(" 8. & so\n")
    sizes = [len(indexed.read(tmp_path / f"data/shard{shard}/train.en-de.de")) for shard in (0, 1)]
    assert sizes == [90, 90]
    train(f"{tmp_path}/data/shard0:{tmp_path}/data/shard1", "--arch", "rims_seq2seq_tiny", "-s", "en", "-t", "de")


def test_an_archive_of_another_size_is_told_of(archives, caplog):
    caplog.set_level("WARNING", "data_prep")
    location = f"{archives}/de-en.tgz::de-en/train.tags.de-en.en"
    sources._tell_sizes(find("iwslt14.en-de"), location)
    assert re.search(r"de-en\.tgz: \d+ bytes, the official file has \d+; used as it is", caplog.text)


def test_iwslt14_in_either_form(archives, tmp_path):
    options = ("--dataset", "iwslt14.en-de", "--vocab-size", "120")
    report = prepare(tmp_path / "packed", archives, *options)["pairs"]["en-de"]["encoded"]
    counts = {split: sides["de"]["lines"] for split, sides in report.items()}
    assert counts == {"train": 95 - 4, "valid": 4, "test-test": 3 + 4 + 5 + 6 + 7}
    held_out = sentences("en", "ted", 95)[22::23]
    decoded = decode(tmp_path / "packed", "valid.en-de.en")
    assert decoded == held_out
    with tarfile.open(archives / "de-en.tgz") as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    prepare(tmp_path / "again", tmp_path / "unpacked", *options)
    for name in ("train.en-de.en.bin", "valid.en-de.de.idx", "tests/test/en-de.ref"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "packed" / name).read_bytes()
    train(str(tmp_path / "packed"), "--arch", "lstm_seq2seq_tiny", "-s", "en", "-t", "de")


def decode(data: Path, name: str) -> list[str]:
    pieces = [line.split(" ")[0] for line in (data / "dict.en.txt").read_text(encoding="utf-8").splitlines()]
    text = indexed.read(data / name)
    return ["".join(pieces[token - 4] for token in text[n][:-1]).replace("▁", " ").strip() for n in range(len(text))]


def test_wikitext(archives, tmp_path):
    report = prepare(tmp_path / "data", archives, "--dataset", "wikitext-2")
    assert {split: facts["lines"] for split, facts in report["text"].items()} == {"train": 63, "valid": 10, "test": 11}
    assert {"dict.txt", "train.bin", "test.idx"} <= {path.name for path in (tmp_path / "data").iterdir()}
    assert 3 in indexed.read(tmp_path / "data" / "train")[2].tolist()  # <unk>
    train(str(tmp_path / "data"), "--task", "language_modeling", "--arch", "lstm_lm", "--tokens-per-sample", "20")
    assert main(["verify", str(tmp_path / "data")]) == 0


def test_a_missing_archive_is_named(tmp_path, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr(sources, "download", lambda dataset, folder: asked.append((dataset.name, folder)))
    options = ("--downloads", str(tmp_path), "--out", str(tmp_path / "out"))
    assert main(["prepare", "--dataset", "iwslt14.en-de", *options]) == 1
    assert asked == [("iwslt14.en-de", tmp_path)]
    assert "de-en.tgz" in capsys.readouterr().err

"""Damaged files of every format: either an error that names the file, or pairs whose sides belong together."""

import bz2
import gzip
import io
import lzma
import random
import re
import tarfile
import time
import zipfile
from pathlib import Path

import pytest
import zstandard

from data_prep.formats import PairSource, read_pairs
from data_prep.streams import open_location
from tests.data_prep.parallel_samples import WRITERS

ROUNDS = 150
SECONDS = 5.0  # for one file of a few kilobytes
PAIRS = [
    (f"n{i}x{i} word &amp; \u201cother\u201d words {i} n{i}x{i}", f"n{i}x{i} W\u00f6rter < n{i}x{i}") for i in range(12)
]
NUMBER = re.compile(r"^n(\d+)x\1 .* n\1x\1$")


def _mutate(data: bytes, rng: random.Random) -> bytes:
    start = rng.randrange(len(data))
    end = min(len(data), start + rng.choice((1, 2, 7, 40, 300)))
    return rng.choice(
        (
            lambda: data[:start] + bytes([data[start] ^ (1 << rng.randrange(8))]) + data[start + 1 :],
            lambda: data[:start],
            lambda: data[:start] + data[end:],
            lambda: data[:start] + data[start:end] * rng.choice((2, 3)) + data[end:],
            lambda: data[:start] + bytes(rng.randrange(256) for _ in range(4)) + data[start:],
        )
    )()


@pytest.mark.parametrize("form", WRITERS)
def test_a_damaged_text_is_refused_or_stays_aligned(tmp_path, form):
    source = WRITERS[form](tmp_path, PAIRS)
    whole = {file: Path(file).read_bytes() for file in source.files}
    refused = 0
    for seed in range(ROUNDS):
        rng = random.Random(seed)
        file = rng.choice(source.files)
        Path(file).write_bytes(_mutate(whole[file], rng))
        started = time.monotonic()
        try:
            read = list(read_pairs(source, "en", "de"))
        except ValueError as error:
            assert any(name in str(error) for name in source.files), (seed, error)
            refused += 1
        else:
            numbers = [tuple(NUMBER.match(side) for side in pair) for pair in read]
            wrong = [(s[0], t[0]) for s, t in numbers if s and t and s[1] != t[1]]
            assert not wrong, (seed, wrong)
        assert time.monotonic() - started < SECONDS
        Path(file).write_bytes(whole[file])
    assert refused > ROUNDS // 10  # the damage was seen


def _tar(mode, text):
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name in ("other", "text"):
            info = tarfile.TarInfo(name)
            info.size, info.pax_headers = len(text), {"comment": "\u00e9" * 60}
            archive.addfile(info, io.BytesIO(text))
    return stream.getvalue()


def _zip(text):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("text", text)
    return stream.getvalue()


CONTAINERS = {
    "text.gz": gzip.compress,
    "text.xz": lzma.compress,
    "text.bz2": bz2.compress,
    "text.zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "a.tar::text": lambda text: _tar("w:", text),
    "a.tgz::text": lambda text: _tar("w:gz", text),
    "a.zip::text": _zip,
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_damaged_container_is_refused_with_its_name(tmp_path, name):
    text = random.Random(0).randbytes(3000) + b"0123456789" * 300
    whole = CONTAINERS[name](text)
    path = tmp_path / name.partition("::")[0]
    for seed in range(2 * ROUNDS):
        path.write_bytes(_mutate(whole, random.Random(seed)))
        started = time.monotonic()
        try:
            with open_location(str(tmp_path / name)) as stream:
                read = stream.read()
        except ValueError as error:
            assert path.name in str(error), (seed, error)
        else:
            assert read == text or name.startswith("a.t"), seed  # a tar archive has no checksum of its contents
        assert time.monotonic() - started < SECONDS


def test_the_fuzzer_bites(tmp_path):
    """Lines that moved on one side only are what the check above calls misaligned."""
    (tmp_path / "a.en").write_text("".join(f"{src}\n" for src, _ in PAIRS), encoding="utf-8")
    (tmp_path / "a.de").write_text("".join(f"{tgt}\n" for _, tgt in PAIRS[1:] + PAIRS[:1]), encoding="utf-8")
    pairs = read_pairs(PairSource((str(tmp_path / "a.en"), str(tmp_path / "a.de"))), "en", "de")
    assert all(NUMBER.match(src)[1] != NUMBER.match(tgt)[1] for src, tgt in pairs)

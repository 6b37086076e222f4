"""Locations are read as the names say, without cost beyond the limits, and every refusal names the location."""

import bz2
import gzip
import lzma
import tracemalloc
import zlib

import pytest
import zstandard

from data_prep.compression import Limits
from data_prep.streams import open_location, split, uncompressed_name
from data_prep.text import MAX_LINE, read_lines

MIB = 1 << 20
SMALL = Limits(max_bytes=8 * MIB, max_ratio=50, free_bytes=MIB)
COMPRESS = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress, ".zst": zstandard.compress}
TEXT = b"".join(b"line %d\n" % number for number in range(30_000))


def _read(location, **options):
    with open_location(str(location), **options) as stream:
        return stream.read()


def _peak(call, *arguments, **options):
    """Return the error that a call ends with and the memory, in bytes, that Python took for it at most."""
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            call(*arguments, **options)
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["", *COMPRESS])
def test_compression_is_undone_by_name_and_the_meter_counts_the_disk(tmp_path, suffix):
    path, counted = tmp_path / f"text{suffix}", []
    path.write_bytes(COMPRESS.get(suffix, bytes)(TEXT))
    assert _read(path, meter=counted.append) == TEXT
    assert sum(counted) == path.stat().st_size


@pytest.mark.parametrize("suffix", COMPRESS)
def test_concatenated_and_nested_streams(tmp_path, suffix):
    compress = COMPRESS[suffix]
    (tmp_path / f"two{suffix}").write_bytes(compress(TEXT[:1000]) + compress(TEXT[1000:]))
    (tmp_path / f"nested{suffix}.gz").write_bytes(gzip.compress(compress(TEXT)))
    assert _read(tmp_path / f"two{suffix}") == _read(tmp_path / f"nested{suffix}.gz") == TEXT


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_cut_off_file_is_refused(tmp_path, suffix, share):
    data = COMPRESS[suffix](TEXT)
    (tmp_path / f"text{suffix}").write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=rf"text{suffix}: (damaged or cut off after [\d,]+ bytes|empty, not even)"):
        _read(tmp_path / f"text{suffix}")


@pytest.mark.parametrize("suffix", COMPRESS)
def test_a_bomb_is_refused_early(tmp_path, suffix):
    (tmp_path / f"bomb{suffix}").write_bytes(COMPRESS[suffix](bytes(64 * MIB)))
    message, peak = _peak(_read, tmp_path / f"bomb{suffix}", limits=SMALL)
    assert f"bomb{suffix}: " in message
    assert "beyond the ratio of 50" in message or "more than 8,388,608 bytes" in message
    assert peak < 48 * MIB


def test_the_ratio_is_judged_for_every_layer(tmp_path):
    (tmp_path / "bomb.gz.gz").write_bytes(gzip.compress(gzip.compress(bytes(64 * MIB))))
    message, peak = _peak(_read, tmp_path / "bomb.gz.gz", limits=SMALL)
    assert "beyond the ratio" in message
    assert peak < 48 * MIB


def test_the_total_is_limited_whatever_the_ratio(tmp_path):
    (tmp_path / "text.gz").write_bytes(zlib.compress(TEXT, 0, wbits=31))
    with pytest.raises(ValueError, match=r"text\.gz: expands to more than 1,000 bytes"):
        _read(tmp_path / "text.gz", limits=Limits(max_bytes=1000))


def test_default_limits_let_text_through(tmp_path):
    (tmp_path / "text.xz").write_bytes(lzma.compress(TEXT))
    assert len(list(read_lines(tmp_path / "text.xz"))) == 30_000


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_giant_line_does_not_fill_the_memory(tmp_path, suffix):
    (tmp_path / f"text{suffix}").write_bytes(COMPRESS.get(suffix, bytes)(b"first\n" + b"x" * 40 * MIB))
    message, peak = _peak(lambda: list(read_lines(tmp_path / f"text{suffix}")))
    assert f"text{suffix}:2: the line has more than {MAX_LINE:,} bytes" in message
    assert peak < 8 * MIB


def test_a_file_with_the_separator_in_its_name(tmp_path):
    (tmp_path / "a::b").write_bytes(b"text\n")
    assert _read(tmp_path / "a::b") == b"text\n"
    assert split(str(tmp_path / "a::b")) == (tmp_path / "a::b", None)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ("nothing", "nothing: no such file; expected a file, or ARCHIVE::MEMBER"),
        ("nothing.tar::x", "nothing.tar::x: no such file"),
        (".", "is a folder"),
        ("odd\ud800name", r"odd\ud800name: no such file"),
    ],
)
def test_what_is_not_there(tmp_path, location, message):
    with pytest.raises(FileNotFoundError) as caught:
        _read(f"{tmp_path}/{location}")
    assert message in str(caught.value)


def test_a_member_of_what_is_no_archive(tmp_path):
    (tmp_path / "text.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(ValueError, match=r"text\.gz: not an archive; expected a name that ends in \.tar"):
        _read(tmp_path / "text.gz::x")


def test_names_without_compression():
    assert uncompressed_name("some/Corpus.tar::de-en/Train.EN.gz") == "train.en"
    assert uncompressed_name("a/b.xz.gz") == "b"

"""Members of archives: found by name, read without unpacking, refused when they are not what they should be."""

import gzip
import io
import stat
import tarfile
import tracemalloc
import zipfile

import pytest
import zstandard

from data_prep.compression import Limits
from data_prep.streams import list_members, open_location

MIB = 1 << 20
TEXT = b"".join(b"line %d\n" % number for number in range(30_000))
MEMBERS = {"de-en/train.en": TEXT, "./de-en/train.de": TEXT[:100], "de-en/train.en.gz": gzip.compress(TEXT)}
TAR_MODES = {"a.tar": "w", "a.tgz": "w:gz", "a.tar.gz": "w:gz", "a.tar.xz": "w:xz", "a.tar.bz2": "w:bz2"}


def _read(location, **options):
    with open_location(str(location), **options) as stream:
        return stream.read()


def _make_tar(path, members, mode="w", **fields):
    with tarfile.open(path, mode) as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(data))


def _make(path):
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in MEMBERS.items():
                archive.writestr(name, data)
    elif path.suffix == ".zst":
        _make_tar(path, MEMBERS)
        path.write_bytes(zstandard.compress(path.read_bytes()))
    else:
        _make_tar(path, MEMBERS, TAR_MODES[path.name])
    return path


@pytest.mark.parametrize("name", [*TAR_MODES, "a.tar.zst", "a.zip"])
def test_members_are_read_and_listed(tmp_path, name):
    path = _make(tmp_path / name)
    assert list_members(str(path)) == list(MEMBERS)
    assert _read(f"{path}::de-en/train.en") == _read(f"{path}::de-en/train.en.gz") == TEXT
    assert _read(f"{path}::de-en/train.de") == TEXT[:100]
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
def test_two_members_are_read_side_by_side(tmp_path, name):
    path = _make(tmp_path / name)
    with open_location(f"{path}::de-en/train.en") as one, open_location(f"{path}::de-en/train.en.gz") as two:
        assert all(a == b for a, b in zip(one, two, strict=True))


@pytest.mark.parametrize("name", ["a.tgz", "a.zip"])
def test_a_missing_member_names_the_nearest(tmp_path, name):
    path = _make(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}: no member de-en/tain\.en; nearest names: de-en/train\.en, "):
        _read(f"{path}::de-en/tain.en")
    with pytest.raises(ValueError, match=rf"{name}: an archive; name a member of it, for example .*{name}::de-en/t"):
        _read(path)


@pytest.mark.parametrize("member", ["/etc/passwd", "../text", "de-en/../../text", ""])
def test_names_that_leave_the_archive(tmp_path, member):
    path = _make(tmp_path / "a.tgz")
    with pytest.raises(ValueError, match="is not a name within the archive"):
        _read(f"{path}::{member}")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_links_and_devices_in_a_tar(tmp_path, kind):
    _make_tar(tmp_path / "a.tar", {"text": b""}, type=kind, linkname="/etc/passwd")
    with pytest.raises(ValueError, match=r"a\.tar::text: a link, folder or device, not a plain file"):
        _read(f"{tmp_path}/a.tar::text")


def test_a_link_in_a_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("text")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(ValueError, match=r"a\.zip::text: a link, folder or device"):
        _read(f"{tmp_path}/a.zip::text")


def test_an_encrypted_zip(tmp_path):
    path = _make(tmp_path / "a.zip")
    data = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + flags] |= 1
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.zip::de-en/train\.en: encrypted; unpack it with its password"):
        _read(f"{path}::de-en/train.en")


def test_a_zip_by_another_method(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("text", TEXT)
    with pytest.raises(ValueError, match=r"a\.zip::text: compressed by method 14, expected deflate"):
        _read(f"{tmp_path}/a.zip::text")


def test_names_in_any_encoding(tmp_path):
    _make_tar(tmp_path / "a.tar", {"sch\udcf6n.de": b"x\n"}, mode="w")
    assert list_members(f"{tmp_path}/a.tar") == ["sch\udcf6n.de"]
    assert _read(f"{tmp_path}/a.tar::sch\udcf6n.de") == b"x\n"
    with pytest.raises(ValueError, match=r"nearest names: sch\\udcf6n\.de"):
        _read(f"{tmp_path}/a.tar::schon.de")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("schXn.de", b"x\n")
    data = (tmp_path / "a.zip").read_bytes()
    (tmp_path / "a.zip").write_bytes(data.replace(b"schXn", b"sch\x94n"))  # cp437, as old packers write
    assert _read(f"{tmp_path}/a.zip::sch\u00f6n.de") == b"x\n"


@pytest.mark.parametrize("name", ["a.tar", "a.tgz", "a.zip"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5])
def test_a_cut_off_archive(tmp_path, name, share):
    path = _make(tmp_path / name)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match=name):
        _read(f"{path}::de-en/train.en.gz")


def _peak(location, limits=None):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError) as caught:
            _read(location, **({"limits": limits} if limits else {}))
        return str(caught.value), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("suffix", ["tar", "tar.gz"])
def test_a_tar_header_that_fills_the_memory(tmp_path, suffix):
    _make_tar(
        tmp_path / f"a.{suffix}",
        {"text": b"x"},
        {"tar": "w", "tar.gz": "w:gz"}[suffix],
        pax_headers={"comment": "x" * 40 * MIB},
    )
    message, peak = _peak(f"{tmp_path}/a.{suffix}::text")
    assert f"a.{suffix}: not readable as a tar archive" in message
    assert "a header of 41,943," in message
    assert peak < 8 * MIB


def test_a_long_chain_of_tar_headers(tmp_path):
    _make_tar(tmp_path / "a.tar", {"text": b"x"}, pax_headers={"comment": "x"})
    data = (tmp_path / "a.tar").read_bytes()
    (tmp_path / "a.tar").write_bytes(data[:1024] * 5000 + data[1024:])
    with pytest.raises(ValueError, match=r"a\.tar: not readable as a tar archive"):
        _read(f"{tmp_path}/a.tar::text")


def test_bombs_in_archives(tmp_path):
    limits = Limits(max_ratio=50, free_bytes=MIB)
    _make_tar(tmp_path / "a.tar", {"bomb.gz": gzip.compress(bytes(64 * MIB))})
    _make_tar(tmp_path / "a.tgz", {"bomb": bytes(64 * MIB), "text": b"x"}, "w:gz")
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", bytes(64 * MIB))
    for location in ("a.tar::bomb.gz", "a.tgz::bomb", "a.tgz::text", "a.zip::bomb"):
        message, peak = _peak(f"{tmp_path}/{location}", limits)
        assert location[:5] in message
        assert "beyond the ratio of 50" in message
        assert peak < 16 * MIB


def test_many_members_cost_no_memory(tmp_path):
    _make_tar(tmp_path / "a.tgz", {f"member{number}": b"" for number in range(4000)}, "w:gz")
    message, peak = _peak(f"{tmp_path}/a.tgz::member")
    assert "no member member; nearest names: member" in message
    assert peak < 8 * MIB

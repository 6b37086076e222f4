"""Whatever can be wrong with a folder of binarised data is found, all of it at once."""

import argparse
import hashlib
import json
import struct

import numpy as np
import pytest

from data_prep import indexed
from data_prep.commands import verify as command
from data_prep.verify import verify

PIECES = ["\u2581a", "\u2581b", "\u2581c", "d"]  # numbers 4 to 7
TRAIN = {"en": [[4, 5, 2], [6, 2], [2]], "de": [[5, 2], [6, 7, 7, 2], [4, 2]]}
TEST = {"en": [[4, 2], [7, 3, 2]], "de": [[5, 2], [6, 2]]}


def write_side(prefix, segments):
    sizes = np.array([len(segment) for segment in segments], dtype=np.int32)
    indexed.write(prefix, [(np.concatenate(segments).astype(np.uint16), sizes)])


def write_pair(folder, stem, sides):
    folder.mkdir(parents=True, exist_ok=True)
    for lang, segments in sides.items():
        write_side(folder / f"{stem}.en-de.{lang}", segments)
        text = "".join(f"{piece} {9 - number}\n" for number, piece in enumerate(PIECES))
        (folder / f"dict.{lang}.txt").write_text(text, encoding="utf-8")


def counts(sides):
    return {
        lang: {"lines": len(segments), "tokens": sum(map(len, segments)) - len(segments)}
        for lang, segments in sides.items()
    }


def sign(folder):
    """Write the signature of what is in the folder now."""
    signature = folder / "signature.json"
    signature.unlink(missing_ok=True)
    files = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "throughput.json"):
        content = path.read_bytes()
        facts = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        files[path.relative_to(folder).as_posix()] = facts
    dictionaries = {name: files[name]["sha256"] for name in ("dict.en.txt", "dict.de.txt", "dict.txt") if name in files}
    signature.write_text(json.dumps({"identity": "x", "dictionaries": dictionaries, "files": files}))


@pytest.fixture
def folder(tmp_path):
    """A small folder as ``prepare`` writes it."""
    out = tmp_path / "out"
    write_pair(out, "train", TRAIN)
    write_pair(out, "valid", TEST)
    write_pair(out / "tests" / "news", "test", TEST)
    for kind in ("src", "ref"):
        (out / "tests" / "news" / f"en-de.{kind}").write_text("a\nd x\n")
    encoded = {"train": counts(TRAIN), "valid": counts(TEST), "test-news": counts(TEST)}
    (out / "report.json").write_text(json.dumps({"pairs": {"en-de": {"encoded": encoded}}}))
    (out / "throughput.json").write_text("{}")
    sign(out)
    return out


@pytest.fixture
def sharded(folder):
    """The same training text as two shards."""
    for path in [*folder.glob("train.*"), *folder.glob("valid.*")]:
        path.unlink()
    for number, part in enumerate((slice(0, 2), slice(2, 3))):
        write_pair(folder / f"shard{number}", "train", {lang: segments[part] for lang, segments in TRAIN.items()})
        write_pair(folder / f"shard{number}", "valid", TEST)
    sign(folder)
    return folder


def wrong(folder):
    return [str(check) for check in verify(folder) if not check.ok]


def run(*arguments):
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    return command.run(parser.parse_args(list(map(str, arguments))), "")


def test_sound_folder_passes(folder, capsys):
    assert run(folder) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok: ") for line in lines)
    assert last == f"{folder}: {len(lines)} checks, 0 wrong"
    assert "ok: train.en-de.en: 3 segments, 6 tokens, all below 8" in lines
    assert "ok: tests/news/en-de.src: 2 lines" in lines
    assert "ok: train en-de de: report.json has {'lines': 3, 'tokens': 5}" in lines


def test_sharded_folder_passes_and_is_added_up(sharded):
    assert wrong(sharded) == []
    write_pair(sharded / "shard1", "train", TRAIN)
    sign(sharded)
    assert wrong(sharded) == [
        "WRONG: train en-de en: report.json has {'lines': 3, 'tokens': 3}, the data {'lines': 5, 'tokens': 6}",
        "WRONG: train en-de de: report.json has {'lines': 3, 'tokens': 5}, the data {'lines': 5, 'tokens': 9}",
    ]


def test_copies_of_the_validation_text_agree(sharded):
    write_pair(sharded / "shard1", "valid", TRAIN)
    sign(sharded)
    assert wrong(sharded) == [
        f"WRONG: shard1/valid.en-de.{lang}.{kind}: other content than shard0/valid.en-de.{lang}.{kind}"
        for lang in ("en", "de")
        for kind in ("bin", "idx")
    ]


def test_text_in_one_language_passes(tmp_path):
    for split in ("train", "valid", "test"):
        write_side(tmp_path / split, TRAIN["en"])
    (tmp_path / "dict.txt").write_text("a 3\nb 2\nc 1\n")
    (tmp_path / "report.json").write_text(json.dumps({"text": {"train": {"lines": 3, "tokens": 4}}}))
    sign(tmp_path)
    finding = "report.json has {'lines': 3, 'tokens': 4}, the data {'lines': 3, 'tokens': 3}"
    assert wrong(tmp_path) == [f"WRONG: train: {finding}"]


def test_flipped_byte(folder):
    path = folder / "valid.en-de.de.bin"
    content = bytearray(path.read_bytes())
    content[0] ^= 3  # token 5 becomes token 6: only the hash can tell
    path.write_bytes(content)
    (found,) = wrong(folder)
    assert found.startswith("WRONG: valid.en-de.de.bin: other content: sha256 ")


@pytest.mark.parametrize(("suffix", "of_data"), [("bin", "its index says 6 tokens"), ("idx", "3 segments take 62")])
def test_cut_file(folder, suffix, of_data):
    path = folder / f"train.en-de.en.{suffix}"
    path.write_bytes(path.read_bytes()[:-1])
    by_size, by_content = wrong(folder)
    size = path.stat().st_size
    assert by_size == f"WRONG: train.en-de.en.{suffix}: {size} bytes; expected {size + 1}"
    assert by_content.startswith("WRONG: train.en-de.en: ") and of_data in by_content


def test_swapped_dictionary(folder):
    (folder / "tests" / "news" / "dict.de.txt").write_text("\u2581b 9\n\u2581a 8\n\u2581c 7\nd 6\n", encoding="utf-8")
    sign(folder)  # only the comparison of the dictionaries can tell
    (found,) = wrong(folder)
    assert found.startswith("WRONG: tests/news/dict.de.txt: another dictionary: sha256 ")


def test_missing_dictionary(folder):
    (folder / "dict.en.txt").unlink()
    found = wrong(folder)
    assert "WRONG: dict.en.txt: no such file" in found
    assert "WRONG: dict.en.txt: no such file; the signature names it among the dictionaries" in found
    assert "WRONG: train.en-de.en: dict.en.txt: no such file; its tokens cannot be checked" in found


def test_missing_file(folder):
    (folder / "spm.model").write_text("model")
    sign(folder)
    (folder / "spm.model").unlink()
    assert wrong(folder) == ["WRONG: spm.model: no such file"]


def test_missing_side(folder):
    for kind in ("bin", "idx"):
        (folder / f"valid.en-de.de.{kind}").unlink()
    sign(folder)
    (found,) = wrong(folder)
    assert found.startswith("WRONG: valid.en-de.de: ") and "no such file" in found


def test_extra_files(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "tests" / "more").mkdir()
    (folder / "tests" / "more" / "x").write_text("mine")
    assert wrong(folder) == [
        f"WRONG: {name}: not listed in signature.json; remove it if you do not need it"
        for name in ("notes.txt", "tests/more/x")
    ]


def test_sides_of_different_length(folder):
    write_side(folder / "valid.en-de.de", TEST["de"][:1])
    sign(folder)
    assert wrong(folder) == [
        "WRONG: valid.en-de: segments: en 2, de 1",
        "WRONG: valid en-de de: report.json has {'lines': 2, 'tokens': 2}, the data {'lines': 1, 'tokens': 1}",
    ]


def test_plain_text_of_different_length(folder):
    (folder / "tests" / "news" / "en-de.src").write_text("a\nd x\nmore without a line end")
    (folder / "tests" / "news" / "en-de.ref").unlink()
    sign(folder)
    assert wrong(folder) == [
        "WRONG: tests/news/en-de.src: 3 lines; the binarised test has 2",
        "WRONG: tests/news/en-de.ref: no such file",
    ]


@pytest.mark.parametrize(
    ("segments", "problem", "first"),
    [
        ([[4, 2], [5, 8, 2], [9, 2]], "2 segments hold a token that is not below 8, the size of the dictionary", 2),
        ([[4, 2], [5, 6], [7]], "2 segments do not end with </s>", 2),
        ([[4, 2, 2], [1, 2], [0, 4, 2]], "3 segments hold <s>, <pad> or </s> before their end", 1),
    ],
)
@pytest.mark.parametrize("block", [1, 2, 200_000])
def test_unsound_tokens(folder, monkeypatch, segments, problem, first, block):
    monkeypatch.setattr("data_prep.verify._BLOCK", block)
    write_side(folder / "train.en-de.en", segments)
    (folder / "report.json").unlink()
    sign(folder)
    assert wrong(folder) == [f"WRONG: train.en-de.en: {problem}, the first is segment {first}"]


def test_segment_without_tokens(folder):
    write_side(folder / "train.en-de.en", [[4, 2], [], [2]])
    (folder / "report.json").unlink()
    sign(folder)
    assert wrong(folder) == ["WRONG: train.en-de.en: 1 segments have no token, the first is segment 2"]


def test_wrong_begins(folder):
    path = folder / "train.en-de.en.idx"
    content = path.read_bytes()
    path.write_bytes(content[:-8] + struct.pack("<q", 6))  # the last segment begins at byte 10
    sign(folder)
    problem = "1 segments begin elsewhere than the sizes say, the first is segment 3"
    assert wrong(folder) == [f"WRONG: train.en-de.en: {problem}"]


def test_all_failures_are_reported_and_nothing_else_when_quiet(folder, capsys):
    (folder / "extra").write_text("")
    (folder / "tests" / "news" / "en-de.src").write_text("a\n")
    (folder / "valid.en-de.en.bin").write_bytes(b"")
    assert run("--quiet", folder) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5 and all(line.startswith("WRONG: ") for line in lines)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "no such file"), ("{", "not readable (Expecting"), ("[]", "not a JSON object")],
)
def test_bad_signature(folder, content, problem):
    (folder / "signature.json").unlink()
    if content:
        (folder / "signature.json").write_text(content)
    first, *_ = wrong(folder)
    assert first.startswith(f"WRONG: signature.json: {problem}")


def test_signature_without_files(folder):
    signature = json.loads((folder / "signature.json").read_text())
    del signature["files"]
    (folder / "signature.json").write_text(json.dumps(signature))
    (found,) = wrong(folder)
    assert found.startswith("WRONG: files: signature.json lists none")


def test_bad_report_and_bad_entry(folder):
    signature = json.loads((folder / "signature.json").read_text())
    signature["files"]["report.json"] = {"bytes": 3}
    (folder / "signature.json").write_text(json.dumps(signature))
    (folder / "report.json").write_text("{")
    entry, report = wrong(folder)
    assert entry == "WRONG: report.json: its entry lacks sha256 or bytes, got {'bytes': 3}"
    assert report.startswith("WRONG: report.json: not readable")


def test_folder_without_data(tmp_path):
    assert wrong(tmp_path) == [
        "WRONG: signature.json: no such file",
        "WRONG: data: the folder holds no binarised text",
    ]
    with pytest.raises(FileNotFoundError, match="no such folder; expected one that prepare or download has written"):
        wrong(tmp_path / "missing")


def test_downloads(tmp_path):
    for name in ("good.tgz", "cut.tgz", "changed.tgz"):
        (tmp_path / name).write_text(name)
    facts = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "bytes": path.stat().st_size,
            "url": f"https://example.org/{path.name}",
        }
        for path in tmp_path.iterdir()
    }
    (tmp_path / "downloads.json").write_text(json.dumps({**facts, "gone.tgz": facts["good.tgz"]}))
    (tmp_path / "cut.tgz").write_text("cut")
    (tmp_path / "next.tgz.part").write_text("some")
    (tmp_path / "changed.tgz").write_text("Changed.tgz")
    found = {check.subject: check for check in verify(tmp_path)}
    assert found["good.tgz"].ok and found["downloads.json"].ok
    assert str(found["cut.tgz"]) == "WRONG: cut.tgz: 3 bytes; expected 7"
    assert str(found["changed.tgz"]).startswith("WRONG: changed.tgz: other content")
    assert str(found["gone.tgz"]) == "WRONG: gone.tgz: no such file"
    assert not found["next.tgz.part"].ok

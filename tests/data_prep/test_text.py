"""Aligned reading: lines end at the newline byte only, and every refusal names file and line."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_prep.clean import normalise
from data_prep.text import read_aligned, read_lines

NASTY = "\0\r\v\f\x1c\x1d\x1e\x85\u2028\u2029\u200b\u200d\u00ad\ufeff\u00a0\u2009\u2581"
LINES = st.lists(
    st.text(st.one_of(st.sampled_from(NASTY), st.characters(codec="utf-8", exclude_characters="\n"))), max_size=9
)


@settings(max_examples=200, deadline=None)
@given(src=LINES, seed=st.integers(0, 9))
def test_no_character_shifts_the_alignment(tmp_path_factory, src, seed):
    tgt = [line[::-1] + NASTY[seed] for line in src]
    paths = [tmp_path_factory.mktemp("aligned") / name for name in ("a", "b")]
    for path, lines in zip(paths, (src, tgt), strict=True):
        path.write_bytes("".join(f"{number} {line}\n" for number, line in enumerate(lines)).encode())
    pairs = list(read_aligned(*paths))
    assert len(pairs) == len(src)
    for number, pair in enumerate(pairs):
        for line in (*pair, *map(normalise, pair)):
            assert line.startswith(str(number))
            assert len(line.splitlines()) == 1
            assert "\0" not in line


def test_line_breaks_inside_a_line_become_spaces(tmp_path):
    path = tmp_path / "text"
    path.write_bytes("a\u2028b\rc\0d\ne\r\n\nlast without newline".encode())
    assert list(read_lines(path)) == ["a b c d", "e", "", "last without newline"]


def test_byte_order_mark_is_not_text(tmp_path):
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbffirst\nsecond\n")
    assert list(read_lines(path)) == ["first", "second"]


def test_wrong_encoding_names_file_and_line(tmp_path):
    path = tmp_path / "latin.de"
    path.write_bytes(b"gut\nsch\xf6n\n")
    with pytest.raises(ValueError, match=r"latin\.de:2: not UTF-8 \(byte 0xf6 at column 4\); .*iconv"):
        list(read_lines(path))


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such file"):
        list(read_lines(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"is a folder"):
        list(read_lines(tmp_path))


def test_misaligned_files_are_named_with_their_counts(tmp_path):
    for name, lines in (("a.en", 3), ("a.de", 2)):
        (tmp_path / name).write_text("x\n" * lines)
    with pytest.raises(ValueError, match=r"misaligned files: .*a\.en has 3 lines, .*a\.de has 2 lines; line N"):
        list(read_aligned(tmp_path / "a.en", tmp_path / "a.de"))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf16_is_named(tmp_path, encoding):
    (tmp_path / "text").write_bytes(
        ("\ufeff" if encoding.endswith("be") else "").encode(encoding) + "a\n".encode(encoding)
    )
    with pytest.raises(ValueError, match=r"text:1: UTF-16, expected UTF-8; convert it: iconv -f UTF-16"):
        list(read_lines(tmp_path / "text"))

"""Repeats are found in groups of any size, across files, and the first of each stays."""

from hypothesis import given
from hypothesis import strategies as st

from data_prep.dedupe import first_occurrences, key


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("xy"))), st.integers(1, 7), st.integers(1, 5))
def test_like_a_set(tmp_path_factory, pairs, group, per_file):
    folder = tmp_path_factory.mktemp("keys")
    files = []
    for begin in range(0, len(pairs), per_file):
        files.append(folder / f"{begin:03d}")
        files[-1].write_bytes(b"".join(key(*pair) for pair in pairs[begin : begin + per_file]))
    expected = [pair not in pairs[:index] for index, pair in enumerate(pairs)]
    assert first_occurrences(files, group).tolist() == expected


def test_sides_are_kept_apart():
    assert key("a", "b") != key("b", "a") and key("a b", "c") != key("a", "b c")


def test_an_empty_file_between(tmp_path):
    for name, content in (("1", key("a", "b")), ("2", b""), ("3", key("a", "b") + key("c", "d"))):
        (tmp_path / name).write_bytes(content)
    assert first_occurrences(sorted(tmp_path.iterdir())).tolist() == [True, False, True]
    assert first_occurrences([]).tolist() == []

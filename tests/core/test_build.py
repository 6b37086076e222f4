"""Compiling a small library at first use."""

import pytest

from rims_nlp.ops import build

SOURCE = 'extern "C" int answer() { return ANSWER; }\n'


@pytest.fixture
def source(monkeypatch, tmp_path):
    monkeypatch.setenv(build.CACHE, str(tmp_path / "cache"))
    path = tmp_path / "answer.cpp"
    path.write_text(SOURCE.replace("ANSWER", "42"))
    return path


def test_builds_once_into_the_cache(monkeypatch, source):
    assert build.load("answer", [source]).answer() == 42
    (built,) = build.cache_folder().iterdir()
    assert built.name.startswith("answer-") and built.suffix == ".so"
    monkeypatch.setattr(build, "_compile", lambda *arguments: pytest.fail("compiled again"))
    assert build.load("answer", [source]).answer() == 42


def test_a_changed_source_is_built_anew(source):
    build.load("answer", [source])
    source.write_text(SOURCE.replace("ANSWER", "43"))
    assert build.load("answer", [source]).answer() == 43


def test_a_changed_header_is_built_anew(source, tmp_path):
    header = tmp_path / "answer.h"
    for answer in (1, 2):
        header.write_text(f"#define ANSWER {answer}\n")
        source.write_text('#include "answer.h"\n' + SOURCE)
        assert build.load("answer", [source, header]).answer() == answer


def test_compiler_errors_are_shown_and_nothing_is_left(source):
    source.write_text("int answer( {\n")
    with pytest.raises(build.BuildError, match="failed: .*error"):
        build.load("answer", [source])
    assert list(build.cache_folder().iterdir()) == []


def test_no_compiler(monkeypatch, source):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    with pytest.raises(
        build.BuildError, match="no C\\+\\+ compiler was found: install g\\+\\+ or clang\\+\\+, or name one in CXX"
    ):
        build.load("answer", [source])


def test_compiler_named_in_cxx_is_missing(monkeypatch, source):
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        build.BuildError, match="the C\\+\\+ compiler 'no-such-compiler' was not found: install it, or set CXX"
    ):
        build.load("answer", [source])


def test_cache_that_is_a_file(monkeypatch, source, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv(build.CACHE, str(tmp_path / "file"))
    with pytest.raises(build.BuildError, match="cannot build 'answer' in .*file \\(from RIMS_NLP_CACHE\\)"):
        build.load("answer", [source])


def test_odd_compiler_in_cxx(monkeypatch, source):
    monkeypatch.setenv("CXX", "g++ 'unclosed")
    with pytest.raises(build.BuildError, match="No closing quotation"):
        build.load("answer", [source])


def test_damaged_library(source):
    build.load("answer", [source])
    (built,) = build.cache_folder().iterdir()
    source.write_text(source.read_text() + "\n")
    command = [*build.compiler(), *build.FLAGS]
    damaged = built.with_name(f"answer-{build._fingerprint(command, [source])}.so")
    damaged.write_bytes(b"not a library")
    with pytest.raises(build.BuildError, match="cannot build 'answer' in "):
        build.load("answer", [source])


def test_cache_folder(monkeypatch, tmp_path):
    monkeypatch.delenv(build.CACHE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert build.cache_folder() == tmp_path / "rims_nlp"

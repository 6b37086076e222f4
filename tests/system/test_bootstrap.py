"""What the set-up refuses, and when it has nothing to do."""

import sys

import bootstrap
import pytest


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_supported_pythons_pass(version):
    assert bootstrap.check_python(version) is None


@pytest.mark.parametrize("version", [(3, 10), (3, 13), (2, 7)])
def test_other_pythons_are_refused_in_one_line(version):
    with pytest.raises(bootstrap.SetupError, match=r"3\.11 or 3\.12 is needed, this is Python \d\.\d") as error:
        bootstrap.check_python(version)
    assert "\n" not in str(error.value) and "make setup PYTHON=" in str(error.value)


def test_wrong_python_stops_before_anything_is_installed(monkeypatch, capsys):
    monkeypatch.setattr(bootstrap, "is_current", lambda: False)
    monkeypatch.setattr(bootstrap, "install", lambda compiler: pytest.fail("installed"))
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    assert bootstrap.main([]) == 1
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("compiler", ["false", "/nonexistent/c++"])
def test_missing_compiler_is_said_in_one_line(monkeypatch, capsys, compiler):
    monkeypatch.setenv("CXX", compiler)
    monkeypatch.setattr(bootstrap, "needs_compiler", lambda *machine: True)
    assert bootstrap.main(["--check"]) == 1
    assert capsys.readouterr().err == (
        f"setup: no working C++ compiler found (tried {compiler}), and fairseq has to be compiled; "
        "install one (Debian or Ubuntu: apt install g++) or name it in CXX\n"
    )


def test_no_compiler_on_the_path(monkeypatch):
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(bootstrap.SetupError, match=r"tried c\+\+, g\+\+, clang\+\+"):
        bootstrap.check_compiler()


def test_missing_python_headers(monkeypatch, tmp_path):
    compiler = tmp_path / "c++"
    compiler.write_text("#!/bin/sh\necho 'fatal error: Python.h: No such file or directory'\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", str(compiler))
    with pytest.raises(bootstrap.SetupError, match=r"apt install python3\.\d+-dev"):
        bootstrap.check_compiler()


def test_only_one_platform_has_a_wheel():
    assert not bootstrap.needs_compiler((3, 12), "Linux", "x86_64")
    assert bootstrap.needs_compiler((3, 11), "Linux", "x86_64")
    assert bootstrap.needs_compiler((3, 12), "Linux", "aarch64")


def test_environment_is_current_until_a_pin_changes(monkeypatch, tmp_path):
    monkeypatch.delenv("EXTRAS", raising=False)
    for name in ("constraints.txt", "pyproject.toml"):
        (tmp_path / name).write_text("a==1\n")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.touch()
    for name, value in {
        "ROOT": str(tmp_path),
        "VENV": str(tmp_path / ".venv"),
        "PYTHON": str(python),
        "STAMP": str(tmp_path / ".venv" / "stamp"),
    }.items():
        monkeypatch.setattr(bootstrap, name, value)
    assert not bootstrap.is_current()
    installed = []
    monkeypatch.setattr(bootstrap, "venv_works", lambda: True)
    monkeypatch.setattr(bootstrap, "pin", lambda name: f"{name}==1")
    monkeypatch.setattr(bootstrap, "pip", lambda title, *arguments, **keywords: installed.append(arguments))
    bootstrap.install(None)
    assert bootstrap.is_current()
    assert [arguments[0] for arguments in installed][:2] == ["torch==1", "numpy==1"]
    assert installed[2] == ("--no-build-isolation", bootstrap.FAIRSEQ)
    assert installed[3][-1].endswith("[dev]")
    monkeypatch.setenv("EXTRAS", "gpu")
    assert not bootstrap.is_current()
    bootstrap.install(None)
    assert installed[-1][-1].endswith("[dev,gpu]") and bootstrap.is_current()
    monkeypatch.delenv("EXTRAS")
    assert bootstrap.is_current()
    (tmp_path / "constraints.txt").write_text("a==2\n")
    assert not bootstrap.is_current()


def test_the_order_is_pinned_in_the_constraints():
    assert bootstrap.pin("torch") == "torch==2.13.0"
    assert [bootstrap.pin(name).lower().startswith(name) for name in bootstrap.BUILD_TOOLS] == [True] * 4
    assert bootstrap.pin("fairseq-fixed") == bootstrap.FAIRSEQ
    with pytest.raises(bootstrap.SetupError, match=r"constraints.txt has no pin of nothing"):
        bootstrap.pin("nothing")


def test_pip_failure_shows_its_output(monkeypatch, tmp_path, capsys):
    pip = tmp_path / "python"
    pip.write_text("#!/bin/sh\necho 'No matching distribution'\nexit 1\n")
    pip.chmod(0o755)
    monkeypatch.setattr(bootstrap, "PYTHON", str(pip))
    with pytest.raises(bootstrap.SetupError, match="could not install the tools .* it goes on from here"):
        bootstrap.pip("the tools", "tools")
    assert "No matching distribution" in capsys.readouterr().err

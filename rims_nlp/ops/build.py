"""Compile a small C++ library at first use and keep it in the user's cache."""

from __future__ import annotations

import ctypes
import hashlib
import logging
import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path

logger = logging.getLogger(__name__)

CACHE = "RIMS_NLP_CACHE"
FLAGS = ("-std=c++17", "-O3", "-march=native", "-fno-math-errno", "-fopenmp", "-shared", "-fPIC")


class BuildError(Exception):
    """The library could not be built here; the message says why."""


def cache_folder() -> Path:
    """Where compiled libraries are kept: ``$RIMS_NLP_CACHE``, else ``rims_nlp`` in the user's cache folder."""
    if os.environ.get(CACHE):
        return Path(os.environ[CACHE])
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rims_nlp"


def cache_name() -> str:
    """The cache folder, for a message."""
    return (
        f"{os.environ[CACHE]} (from {CACHE})" if os.environ.get(CACHE) else f"the user's cache folder (or set {CACHE})"
    )


def compiler() -> list[str]:
    """The C++ compiler's command: ``$CXX``, else the first of c++, g++, clang++.

    Raises:
        BuildError: if there is none.
    """
    if os.environ.get("CXX"):
        return shlex.split(os.environ["CXX"])
    for name in ("c++", "g++", "clang++"):
        if shutil.which(name):
            return [name]
    raise BuildError("no C++ compiler was found: install g++ or clang++, or name one in CXX")


def load(name: str, sources: list[Path]) -> ctypes.CDLL:
    """The library built from ``sources`` (the first is compiled, the others are included by it) for this processor.

    Raises:
        BuildError: if there is no compiler, it fails, or the result cannot be written or loaded.
    """
    try:
        command = [*compiler(), *FLAGS]
        target = cache_folder() / f"{name}-{_fingerprint(command, sources)}.so"
        if not target.exists():
            logger.info("compiling %s once, into %s", name, target.parent)
            _compile([*command, str(sources[0])], target)
        return ctypes.CDLL(str(target))
    except (OSError, RuntimeError, ValueError) as error:  # no compiler or home, an odd CXX, a folder that is read-only
        raise BuildError(f"cannot build {name!r} in {cache_name()}: {error}") from error


def _fingerprint(command: list[str], sources: list[Path]) -> str:
    """Of all that the result depends on: sources, command, and what the compiler knows of itself and the processor."""
    macros = _run([*command, "-dM", "-E", "-x", "c++", os.devnull])
    digest = hashlib.sha256("\0".join(command).encode() + macros.encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()[:16]


def _compile(command: list[str], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        built = Path(folder) / target.name
        _run([*command, "-o", str(built)])
        built.replace(target)


def _run(command: list[str]) -> str:
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace")
    except FileNotFoundError as error:
        raise BuildError(f"the C++ compiler {command[0]!r} was not found: install it, or set CXX to another") from error
    if result.returncode:
        lines = result.stderr.strip().splitlines() or ["no message"]
        reason = next((line for line in lines if "error" in line), lines[-1])
        raise BuildError(f"{shlex.join(command)} failed: {reason}")
    return result.stdout

"""Create .venv and install the pinned dependencies and this project into it; does nothing when it is up to date.

Only the standard library is used, and nothing newer than Python 3.6, so that an unsuitable Python 3 can say so.
"""

import argparse
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "setup.sha256")
CONSTRAINTS = os.path.join(ROOT, "constraints.txt")

SUPPORTED = ((3, 11), (3, 12))
BUILD_TOOLS = ("numpy", "cython", "setuptools", "wheel")
FAIRSEQ = "fairseq-fixed==0.12.3.1"
PROBE = "#include <Python.h>\n#include <vector>\nint main() { return static_cast<int>(std::vector<int>{}.size()); }\n"


class SetupError(Exception):
    """The machine lacks something; the message is one line that says what, and the way out."""


def check_python(version):
    """Refuse a Python that the pinned dependencies do not support.

    Args:
        version: the first two numbers of the version, e.g. ``(3, 11)``.

    Raises:
        SetupError: if it is not in ``SUPPORTED``.
    """
    if tuple(version) not in SUPPORTED:
        raise SetupError(
            f"Python 3.11 or 3.12 is needed, this is Python {version[0]}.{version[1]} ({sys.executable}); "
            "install one of them, or name it: make setup PYTHON=/path/to/python3.11"
        )


def check_venv():
    """Refuse a Python without a working ``venv`` module (Debian and Ubuntu ship it apart)."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError as error:
        raise SetupError(
            "this Python cannot create virtual environments ({}); on Debian or Ubuntu: "
            "apt install python{}.{}-venv".format(error, *sys.version_info[:2])
        ) from error


def needs_compiler(version, system, machine):
    """Whether fairseq has to be compiled: its only ready-made wheel is for Python 3.12 on 64-bit Intel Linux."""
    return (tuple(version), system, machine) != ((3, 12), "Linux", "x86_64")


def compiler_candidates():
    """The C++ compilers to try, as lists of words; ``$CXX`` alone where it is set."""
    if os.environ.get("CXX"):
        return [shlex.split(os.environ["CXX"])]
    return [[name] for name in ("c++", "g++", "clang++") if shutil.which(name)]


def check_compiler():
    """Compile a small C++ program against the Python headers.

    Returns:
        the words of the command that worked, e.g. ``["c++"]``.

    Raises:
        SetupError: if there is no compiler, or none of them can compile it.
    """
    candidates = compiler_candidates()
    errors = []
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.cpp")
        with open(source, "w") as file:
            file.write(PROBE)
        include = "-I" + sysconfig.get_paths()["include"]
        for compiler in candidates:
            command = compiler + [include, "-c", source, "-o", os.path.join(folder, "probe.o")]
            try:
                result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            except OSError as error:
                errors.append(str(error))
                continue
            if result.returncode == 0:
                return compiler
            errors.append(result.stdout.decode(errors="replace"))
    if any("Python.h" in error for error in errors):
        raise SetupError(
            "the C++ compiler works but Python.h is missing, and fairseq has to be compiled; on Debian or Ubuntu: "
            "apt install python{}.{}-dev".format(*sys.version_info[:2])
        )
    tried = ", ".join(" ".join(words) for words in candidates) or "c++, g++, clang++"
    raise SetupError(
        f"no working C++ compiler found (tried {tried}), and fairseq has to be compiled; "
        "install one (Debian or Ubuntu: apt install g++) or name it in CXX"
    )


def fingerprint():
    """SHA-256 of what decides the content of the environment."""
    digest = hashlib.sha256()
    for name in ("constraints.txt", "pyproject.toml"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def extras():
    """The optional parts of the project asked for in ``$EXTRAS``, e.g. ``gpu``, and what tests need."""
    return sorted({"dev", *os.environ.get("EXTRAS", "").replace(",", " ").split()})


def is_current():
    """Whether the environment was completely installed from the present pins, for this folder, with the extras."""
    if not os.path.exists(PYTHON):
        return False
    try:
        with open(STAMP) as file:
            installed = file.read().split()
    except OSError:
        return False
    return installed[:2] == [fingerprint(), hashlib.sha256(VENV.encode()).hexdigest()] and set(extras()) <= set(
        installed[2:]
    )


def venv_works():
    """Whether .venv holds a Python of the version that runs this."""
    probe = [PYTHON, "-c", "import sys, pip; print(*sys.version_info[:2])"]
    try:
        result = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    except OSError:
        return False
    return result.stdout.decode().split() == [str(number) for number in sys.version_info[:2]]


def pin(name):
    """The requirement ``name==version`` of the constraints file."""
    with open(CONSTRAINTS) as file:
        for line in file:
            if line.lower().startswith(name + "=="):
                return line.strip()
    raise SetupError(f"constraints.txt has no pin of {name}")


def pip(title, *arguments, environment=None):
    """Install with the pins; pip's own output is shown only where it fails.

    Args:
        title: what is installed, for the line that is printed.
        arguments: what to give to ``pip install``.
        environment: variables to add to the present ones.

    Raises:
        SetupError: if pip fails.
    """
    start = time.time()
    print(f"setup: {title} ...", end=" ", flush=True)
    quiet = ["--quiet", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    command = [PYTHON, "-m", "pip", "install"] + quiet + ["--constraint", CONSTRAINTS] + list(arguments)
    variables = dict(os.environ, **(environment or {}))
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=variables, check=False)
    print(f"{time.time() - start:.0f} s", flush=True)
    if result.returncode:
        print(result.stdout.decode(errors="replace"), file=sys.stderr)
        raise SetupError(
            f"pip could not install {title} (its output is above); put that right and run the same command again, "
            "it goes on from here"
        )


def install(compiler):
    """Create the environment and fill it; every step is skipped by pip where it is already done.

    Args:
        compiler: the words of the C++ compiler's command, or None where nothing has to be compiled.
    """
    environment = {"CC": " ".join(compiler), "CXX": " ".join(compiler)} if compiler else {}
    if not venv_works():
        print(f"setup: creating {os.path.relpath(VENV)} with {sys.executable}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", VENV], check=True)
    pip("torch, a large download", pin("torch"))
    pip("build tools", *[pin(name) for name in BUILD_TOOLS])
    title = "fairseq, to be compiled: some minutes" if compiler else "fairseq"
    pip(title, "--no-build-isolation", FAIRSEQ, environment=environment)
    pip(
        "the other dependencies and this project", "--no-build-isolation", "--editable", f"{ROOT}[{','.join(extras())}]"
    )
    with open(STAMP + ".tmp", "w") as file:
        print(fingerprint(), hashlib.sha256(VENV.encode()).hexdigest(), *extras(), sep="\n", file=file)
    os.replace(STAMP + ".tmp", STAMP)
    print("setup: ready; `. .venv/bin/activate` to use it by hand", flush=True)


def main(argv=None):
    """Check the machine, then install; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], epilog="example: python3.11 scripts/bootstrap.py"
    )
    parser.add_argument("--check", action="store_true", help="only check the machine, install nothing")
    arguments = parser.parse_args(argv)
    try:
        if not arguments.check and is_current():
            return 0
        check_python(sys.version_info[:2])
        check_venv()
        must_compile = needs_compiler(sys.version_info[:2], platform.system(), platform.machine())
        compiler = check_compiler() if must_compile else None
        if not arguments.check:
            install(compiler)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

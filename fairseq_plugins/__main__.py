"""Print the folder to give to ``--user-dir``, or an architecture's options, which ``fairseq-train --help`` omits."""

from __future__ import annotations

import argparse
from pathlib import Path

from fairseq.models import ARCH_MODEL_REGISTRY


def main(argv: list[str] | None = None) -> int:
    """Command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m fairseq_plugins",
        description="Without an argument: print the folder to give to --user-dir, from wherever it is called.",
        epilog="example: python -m fairseq_plugins rims_seq2seq_small",
    )
    parser.add_argument("arch", nargs="?", help="print the options that fairseq-train takes for this architecture")
    arch = parser.parse_args(argv).arch
    if arch is None:
        print(Path(__file__).resolve().parent)
    elif arch in ARCH_MODEL_REGISTRY:
        print(describe(arch), end="")
    else:
        parser.error(f"unknown architecture {arch!r}; python scripts/model_sizes.py lists the named sizes")
    return 0


def describe(arch: str) -> str:
    """Help text of an architecture's own options."""
    options = argparse.ArgumentParser(prog=f"fairseq-train ... --arch {arch}", add_help=False)
    ARCH_MODEL_REGISTRY[arch].add_args(options)
    return options.format_help()


if __name__ == "__main__":
    raise SystemExit(main())

"""Command line of the data preparation: ``python -m data_prep COMMAND``."""

import argparse
import os
import shlex
import sys
from importlib import import_module

COMMANDS = ("list", "info", "download", "extract", "prepare", "inspect", "verify", "grammar", "synthetic")
"""Every name is a module of :mod:`data_prep.commands`."""


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns 0 on success, 1 after an error message, 130 when stopped by Ctrl-C."""
    argv = sys.argv[1:] if argv is None else argv
    args = build_parser().parse_args(argv)
    command = shlex.join(["python", "-m", "data_prep", *argv])
    try:
        return int(args.run(args, command))
    except BrokenPipeError:  # what reads the output has seen enough, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        print(f"data_prep {args.command}: stopped; the same command goes on where it was", file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f"data_prep {args.command}: error: {error}", file=sys.stderr)
        return 1


def build_parser() -> argparse.ArgumentParser:
    """Make the parser with all subcommands."""
    parser = argparse.ArgumentParser(
        prog="python -m data_prep", description="From parallel text to binarised fairseq data."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        module = import_module(f"data_prep.commands.{name}")
        subparser = commands.add_parser(
            name, help=module.HELP, epilog=module.EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        module.add_arguments(subparser)
        subparser.set_defaults(run=module.run)
    return parser


if __name__ == "__main__":
    sys.exit(main())

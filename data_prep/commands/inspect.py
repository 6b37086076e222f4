"""``python -m data_prep inspect``: figures and samples of binarised data."""

import argparse
import json
import time
from pathlib import Path
from typing import Any

from data_prep.progress import start_log

HELP = "show sizes, lengths, unseen words, domain overlap and samples of binarised data"
EXAMPLES = """\
examples:
  python -m data_prep inspect runs/demo/data                     # writes runs/demo/data.inspect/
  python -m data_prep inspect runs/wmt/data --sample 0 --out runs/wmt/report

Writes inspect.md, inspect.json and lengths.png. Reads folders that prepare has written, with or without shards,
and text in one language from fairseq-preprocess --only-source.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="binarised data")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to write to (default: DIR.inspect beside it)")
    parser.add_argument(
        "--sample",
        type=int,
        default=1_000_000,
        metavar="N",
        help="training segments compared with the tests, at a regular stride; 0 for all (default 1000000)",
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of the choice of examples (default 1)")


def run(args: argparse.Namespace, command: str) -> int:
    """Write the report; returns 0.

    Raises:
        ValueError: if an option is unfit, or the data cannot be read; see :func:`data_prep.inspection.inspect`.
    """
    from data_prep import inspection, inspection_report  # not at the top: matplotlib takes a second to import

    start_log(quiet=False)
    folder = args.folder.resolve()
    out = (args.out or folder.with_name(f"{folder.name}.inspect")).resolve()
    if out.is_relative_to(folder):
        raise ValueError(f"--out {out}: lies in the folder to inspect, which must stay as it is; give another folder")
    for name in ("sample", "seed"):
        if getattr(args, name) < 0:
            raise ValueError(f"--{name}: expected at least 0, got {getattr(args, name)}")
    start = time.monotonic()
    pairs = inspection.inspect(folder, sample=args.sample, seed=args.seed)
    about = {"command": command, "folder": folder.name, "sample": args.sample, "seed": args.seed}
    inspection_report.write(out, about, pairs, _cleaning(folder / "report.json"))
    print(f"wrote {out} in {time.monotonic() - start:.0f} s")
    return 0


def _cleaning(report: Path) -> dict[str, list[dict[str, Any]]]:
    """Return the counts of each training corpus by pair; none if there is no report."""
    if not report.is_file():
        return {}
    try:
        pairs = json.loads(report.read_text(encoding="utf-8")).get("pairs", {})
        return {pair: counts["train"] for pair, counts in pairs.items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{report}: not a report of prepare ({error!r}); see `python -m data_prep verify`") from error

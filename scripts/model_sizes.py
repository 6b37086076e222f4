"""Print the trained parameters of every named size."""

from __future__ import annotations

import argparse

from fairseq_plugins.parameters import FAMILIES, size_table


def main(argv: list[str] | None = None) -> int:
    """Print the table as Markdown."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="example: python scripts/model_sizes.py",
    )
    parser.parse_args(argv)
    print("| size | vocabulary | " + " | ".join(FAMILIES) + " | RIMs / LSTM | RIMs / RMC |")
    print("|---|---:|" + "---:|" * (len(FAMILIES) + 2))
    for size, vocabulary, counts in size_table():
        cells = [f"{counts[family]:,}" if family in counts else "" for family in FAMILIES]
        ratios = (f"{counts['rims_seq2seq'] / counts[rival]:.3f}" for rival in ("lstm_seq2seq", "rmc_seq2seq"))
        print(f"| {size} | {vocabulary:,} | " + " | ".join([*cells, *ratios]) + " |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

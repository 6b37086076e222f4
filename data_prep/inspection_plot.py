"""The lengths of binarised segments as a picture."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from data_prep.inspection import PairFigures

_SHOWN = 0.995  # share of the segments that have bars of their own; the last bar takes the longer ones
_BARS = 40


def draw_lengths(path: Path, pairs: Sequence[PairFigures]) -> None:
    """Draw a histogram of the lengths of each split, a row for each language pair."""
    columns = max(len(pair.sides) for pair in pairs)
    size = (3.6 * columns + 0.6, 2.8 * len(pairs) + 0.4)
    figure = Figure(figsize=size, layout="constrained")  # not of pyplot, which would need a display
    axes = figure.subplots(len(pairs), columns, squeeze=False, sharey="row")
    for row, pair in zip(axes, pairs, strict=True):
        sides = [side for split in pair.sides.values() for side in split.values()]
        longest = max(side.length(_SHOWN) for side in sides)
        width = longest // _BARS + 1
        for axis, split in zip(row, pair.sides, strict=False):
            _draw_split(axis, pair, split, width, last=longest // width * width)
        row[0].set_ylabel("share of the segments")
        for axis in row[len(pair.sides) :]:
            axis.set_visible(False)
    figure.savefig(path, dpi=120)


def _draw_split(axis: Axes, pair: PairFigures, split: str, width: int, last: int) -> None:
    """Draw one split in bars of ``width`` tokens; the one that begins at ``last`` takes all longer segments."""
    for lang, side in pair.sides[split].items():
        lengths = [min(length, last) for length in range(len(side.lengths))]
        bins = range(0, last + width + 1, width)
        shares = side.lengths / max(side.segments, 1)
        axis.hist(lengths, bins=bins, weights=shares, histtype="step", linewidth=1.4, label=lang or None)
    axis.set_title(" ".join(filter(None, [pair.pair, split.removeprefix("test-")])), fontsize=10)
    axis.set_xlabel(f"length in {'subwords' if pair.subwords else 'words'} (last bar: {last} or more)", fontsize=8)
    axis.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    if pair.pair:
        axis.legend(frameon=False, fontsize=8)

"""Two plain files: line N of the one belongs to line N of the other."""

from data_prep.formats.source import Pairs, PairSource, check_options, order_by_name
from data_prep.streams import Meter
from data_prep.text import read_aligned


def read(source: PairSource, src: str, tgt: str, meter: Meter | None) -> Pairs:
    """Yield the pairs.

    Raises:
        ValueError: if the files differ in their number of lines, or one is not UTF-8 text.
    """
    check_options(source, "plain")
    files = order_by_name(source.two("plain"), src, tgt)
    yield from read_aligned(*files, meter=meter)  # type: ignore[misc]

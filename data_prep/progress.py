"""Showing how far long work is: a bar on a terminal, a line a minute elsewhere and when only errors are wanted."""

import logging
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tqdm import tqdm

logger = logging.getLogger(__name__)

_INTERVAL = 60.0  # seconds between two lines
_ALL = logging.getLogger("data_prep")


def start_log(*, quiet: bool) -> None:
    """Send the log to standard error; ``quiet`` leaves errors, and a line a minute of long work."""
    logging.basicConfig(format="%(message)s", stream=sys.stderr)
    _ALL.setLevel(logging.ERROR if quiet else logging.INFO)
    logger.setLevel(logging.INFO)


class Progress:
    """Counts what is done; see :func:`progress`."""

    def __init__(self, bar: "tqdm[None]", title: str, unit: str, total: int | None) -> None:
        self._bar, self._title, self._unit, self._total = bar, title, unit, total
        self._start = self._said = time.monotonic()
        self.done = 0

    def add(self, count: int) -> None:
        """Count ``count`` more as done."""
        self.done += count
        self._bar.update(count)
        now = time.monotonic()
        if self._bar.disable and now - self._said >= _INTERVAL:
            self._said = now
            logger.info(self.line(now - self._start))

    def line(self, seconds: float) -> str:
        """Say how much is done, how fast, and how long the rest will take."""
        rate = self.done / seconds if seconds else 0.0
        said = f"{self._title}: {self.done:,} {self._unit}, {rate:,.0f} a second"
        if not self._total or not rate:
            return said
        left = max(self._total - self.done, 0) / rate
        return f"{said}, {100 * self.done / self._total:.0f} %, about {left / 60:.0f} min left"


@contextmanager
def progress(title: str, unit: str, total: int | None = None) -> Iterator[Progress]:
    """Show progress while the block runs.

    Args:
        title: what is being done.
        unit: what is counted, in the plural.
        total: how much there is to do, where that is known.
    """
    shown = sys.stderr.isatty() and _ALL.isEnabledFor(logging.INFO)
    with tqdm(desc=title, unit=f" {unit}", total=total, unit_scale=True, disable=not shown) as bar:
        yield Progress(bar, title, unit, total)

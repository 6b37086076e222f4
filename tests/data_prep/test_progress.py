"""What is said of long work where there is no terminal."""

import logging
import sys

import pytest

from data_prep import progress as module
from data_prep.progress import progress, start_log


class Clock:
    now = 0.0

    def monotonic(self):
        return self.now


def test_a_line_a_minute(monkeypatch, caplog):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    caplog.set_level(logging.INFO, "data_prep")
    with progress("cleaning", "pairs", 10_000) as shown:
        for _ in range(5):
            clock.now += 25
            shown.add(1000)
    assert [record.message for record in caplog.records] == [
        "cleaning: 3,000 pairs, 40 a second, 30 %, about 3 min left"
    ]


@pytest.mark.parametrize("quiet", [False, True])
def test_quiet_keeps_the_line_a_minute_and_hides_the_bar(monkeypatch, capsys, quiet):
    """On a terminal there is a bar; with ``--quiet`` only a line a minute, and errors."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    loggers = [logging.getLogger(name) for name in ("data_prep", "data_prep.progress")]
    levels = [logger.level for logger in loggers]
    lines = logging.StreamHandler(sys.stderr)
    loggers[0].addHandler(lines)
    try:
        start_log(quiet=quiet)
        logging.getLogger("data_prep.other").info("a remark")
        with progress("reading", "lines", 100) as shown:
            clock.now += 100
            shown.add(50)
    finally:
        loggers[0].removeHandler(lines)
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
    said = capsys.readouterr().err
    assert ("a remark" in said) == ("50%" in said) == (not quiet)
    assert ("reading: 50 lines, 0 a second, 50 %, about 2 min left" in said) == quiet


def test_no_end_without_a_total():
    with progress("reading", "lines") as shown:
        shown.add(1)
        assert shown.line(100.0) == shown.line(0.0) == "reading: 1 lines, 0 a second"

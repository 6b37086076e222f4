"""What is said of long work where there is no terminal."""

import logging

from data_prep import progress as module
from data_prep.progress import progress


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


def test_nothing_when_quiet_and_no_end_without_a_total(monkeypatch, caplog):
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    caplog.set_level(logging.ERROR, "data_prep")
    with progress("reading", "lines") as shown:
        clock.now += 100
        shown.add(1)
        assert shown.line(100.0) == "reading: 1 lines, 0 a second"
        assert shown.line(0.0) == "reading: 1 lines, 0 a second"
    assert not caplog.records

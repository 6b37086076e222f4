"""Results in order, items taken as needed, and no process left behind."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from data_prep.pool import ordered_map


def scaled(factor, number):
    time.sleep(0.02 * (number % 3))
    return factor * number, os.getpid()


def fails(_, number):
    if number == 3:
        raise ValueError(f"number {number}: no good")
    return number


def dies(_, number):
    if number == 3:
        os._exit(9)
    return number


@pytest.mark.parametrize("workers", [1, 2])
def test_order_and_sharing(workers):
    results = list(ordered_map(scaled, 10, range(12), workers=workers))
    assert [result for result, _ in results] == [10 * number for number in range(12)]
    processes = {process for _, process in results}
    assert (processes == {os.getpid()}) == (workers == 1)


def test_a_single_item_needs_no_process():
    assert list(ordered_map(scaled, 2, [4], workers=8)) == [(8, os.getpid())]
    assert list(ordered_map(scaled, 2, [], workers=8)) == []


def test_items_are_taken_as_they_are_needed():
    taken = []
    results = ordered_map(fails, None, (taken.append(number) or number for number in range(100, 200)), workers=2)
    assert next(results) == 100
    assert len(taken) <= 5
    results.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_errors_come_through(workers):
    with pytest.raises(ValueError, match="number 3: no good"):
        list(ordered_map(fails, None, range(10), workers=workers))


def test_a_killed_worker_is_told_of():
    with pytest.raises(RuntimeError, match="a worker process was killed.*; run the same command again"):
        list(ordered_map(dies, None, range(10), workers=2))


PARENT = """
import os, signal
from data_prep.pool import ordered_map
from tests.data_prep.test_pool import scaled

if __name__ == "__main__":
    results = ordered_map(scaled, 1, range(100), workers=2)
    print({next(results)[1] for _ in range(4)} | {next(results)[1]}, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_killed_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    done = subprocess.run(
        [sys.executable, "parent.py"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == -9, done.stderr
    workers = [int(word) for word in done.stdout.strip("{}\n").split(",")]
    deadline = time.monotonic() + 30
    while any(_runs(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_runs(worker) for worker in workers)


def _runs(process):
    """Tell whether a process is there and is no zombie that waits for its parent."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False

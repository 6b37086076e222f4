"""Stop the batch-loading thread before Python does.

Fault: ``fairseq.data.iterators.BufferedIterator`` fills its queue from a daemon thread and leaves it running when the
training ends in the middle of an epoch. Python ends such a thread by force at exit, which aborts the process when the
thread is inside PyTorch at that moment.
It shows, now and then, as "terminate called without an active exception" and exit status 134 after "done training".
"""

from __future__ import annotations

import atexit
import functools
import inspect
import queue
import time
import weakref
from collections.abc import Callable
from typing import Any

from fairseq.data import iterators

PATIENCE = 10.0  # seconds
_consumers: weakref.WeakSet[Any] = weakref.WeakSet()


def needed() -> bool:
    """Whether fairseq still leaves the thread to itself."""
    return "atexit" not in inspect.getsource(iterators)


def apply() -> None:
    """Remember the threads and stop them at exit."""
    iterators.BufferedIterator._create_consumer = remember(iterators.BufferedIterator._create_consumer)
    atexit.register(stop_consumers)


def remember(create: Callable[..., None]) -> Callable[..., None]:
    """Wrap ``BufferedIterator._create_consumer``."""

    @functools.wraps(create)
    def create_remembered(iterator: Any) -> None:
        create(iterator)
        _consumers.add(iterator._consumer)

    return create_remembered


def stop_consumers() -> None:
    """Let each thread finish the batch it is at; it stops after that one, if there is room in its queue."""
    deadline = time.monotonic() + PATIENCE
    for consumer in list(_consumers):
        consumer._max_len = 0
        while consumer.is_alive() and time.monotonic() < deadline:
            try:
                consumer._queue.get(timeout=0.05)
            except queue.Empty:
                continue

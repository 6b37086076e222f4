"""Work on many items in several processes, with results in order and a bounded number of items under way."""

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain, islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_shared: Any = None  # in a worker process: what all its calls share


def ordered_map(
    function: Callable[[Any, Item], Result], shared: Any, items: Iterable[Item], *, workers: int
) -> Iterator[Result]:
    """Yield ``function(shared, item)`` for every item, in order.

    At most two items a worker are under way, so that memory does not grow with the number of items. A single item, or
    one worker, needs no further process. Workers end when this process does, even if it is killed.

    Args:
        function: a function of a module.
        shared: sent to every worker once.
        items: taken one by one, as workers become free.
        workers: number of processes.

    Raises:
        RuntimeError: if a worker is killed.
    """
    items = iter(items)
    first = list(islice(items, 2))
    if workers == 1 or len(first) < 2:
        yield from (function(shared, item) for item in chain(first, items))
        return
    pending: deque[Future[Result]] = deque()
    context = multiprocessing.get_context("spawn")  # a forked process would inherit locks on files
    with ProcessPoolExecutor(workers, context, _start, (shared,)) as executor:
        try:
            for item in chain(first, items):
                pending.append(executor.submit(_call, function, item))
                if len(pending) >= 2 * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            raise RuntimeError(
                "a worker process was killed, perhaps for want of memory; run the same command again, it goes on "
                "(in a script of your own: call this under `if __name__ == '__main__':`)"
            ) from error
        finally:
            executor.shutdown(wait=False, cancel_futures=True)


def _start(shared: Any) -> None:
    global _shared
    _shared = shared
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent to answer
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _call(function: Callable[[Any, Item], Result], item: Item) -> Result:
    return function(_shared, item)

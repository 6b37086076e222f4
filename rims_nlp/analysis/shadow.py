"""Putting another function in a method's place for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def shadowed(owner: object, name: str, function: Callable) -> Iterator[None]:
    """Call ``function`` for ``owner.name(...)`` while the context is open; other objects of the class keep theirs."""
    before = vars(owner).get(name)
    setattr(owner, name, function)
    try:
        yield
    finally:
        delattr(owner, name)
        if before is not None:
            setattr(owner, name, before)

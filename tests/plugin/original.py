"""fairseq as it was before the repairs."""

from __future__ import annotations

import inspect
from typing import Any
from unittest import mock


def without_repair(owner: Any, name: str) -> Any:
    """A context in which ``owner.name`` is fairseq's own function, for the tests that explain a fault."""
    return mock.patch.object(owner, name, inspect.unwrap(getattr(owner, name)))

"""Batchline for those who write handlers, and for those who call it.

Handlers: `from batchline import operation, Item, Context, Outcome, Reject, Retry, Defer, Breaker`,
and fields for their schemas in `batchline.fields`; `batchline.testing` tries them without a server.
Callers: `batchline.client`. These names stay; where the code behind them is, may change.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from handlers import (
        Breaker,
        Context,
        Defer,
        Item,
        Operation,
        Outcome,
        Records,
        Reject,
        Retry,
        WrongOperation,
        operation,
    )

__all__ = [
    "Breaker",
    "Context",
    "Defer",
    "Item",
    "Operation",
    "Outcome",
    "Records",
    "Reject",
    "Retry",
    "WrongOperation",
    "operation",
]


def __getattr__(name: str) -> Any:
    """One of the names above. Fetched when it is asked for: a client needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module 'batchline' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module("handlers"), name)
    return found


def __dir__() -> list[str]:
    return [*globals(), *__all__]

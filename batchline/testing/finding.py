"""The operation that a test means."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handlers import Operation, registry
from handlers.load import load_handlers


def find_operation(handler: Callable[..., Any] | str) -> Operation:
    """The registered operation of that name, or the one with that handler.

    The shipped operations and those of installed packages are loaded where a name is not known yet.
    Raises LookupError.
    """
    if isinstance(handler, str):
        operation = registry.get(handler) or load_handlers().get(handler)
        if operation is None:
            raise LookupError(
                f"there is no operation {handler!r}: import the module that registers it"
            )
        return operation
    named = [one for one in registry if one.handler == handler]
    if not named:
        name = getattr(handler, "__qualname__", repr(handler))
        raise LookupError(f"{name} handles no operation: it has no `@operation` above it")
    if len(named) > 1:
        names = ", ".join(one.name for one in named)
        raise LookupError(f"it handles several operations; name one of them: {names}")
    return named[0]

"""Which operations there are: `@operation` registers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import marshmallow

from handlers.operation import Operation, WrongOperation

Handler = TypeVar("Handler", bound=Callable[..., Any])


class Registry:
    """Operations by name. One instance, `registry`, serves the process."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}

    def __iter__(self) -> Iterator[Operation]:
        return iter(sorted(self._operations.values(), key=lambda operation: operation.name))

    def __contains__(self, name: object) -> bool:
        return name in self._operations

    def get(self, name: str | None, *, since: float | None = None) -> Operation | None:
        """The operation of that name, or None.

        `since`: by time.monotonic(); None is not answered by what was known before that moment.
        """
        return None if name is None else self._operations.get(name)

    def add(self, operation: Operation) -> None:
        """Register `operation`. A name can be registered again only by the same handler."""
        known = self._operations.get(operation.name)
        if known is not None and known.handler.__qualname__ != operation.handler.__qualname__:
            raise WrongOperation(
                f"{operation.handler.__module__}: operation {operation.name!r}: "
                f"two handlers are registered for it, the other by {known.handler.__module__}"
            )
        self._operations[operation.name] = operation

    def discard(self, name: str) -> None:
        """Forget the operation of that name, if there is one."""
        self._operations.pop(name, None)


registry = Registry()


def operation(
    name: str, *, schema: type[marshmallow.Schema], key: Sequence[str] = (), **options: Any
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of operation `name`.

    `options` are the other fields of `Operation`; its description is the function's docstring
    unless given. Raises WrongOperation (a ValueError) where it could not work.
    """
    # A text is a sequence too, of letters.
    fields = (key,) if isinstance(key, str) else tuple(key)

    def register(handler: Handler) -> Handler:
        options.setdefault("description", _first_paragraph(handler.__doc__))
        registry.add(Operation(name=name, handler=handler, schema=schema, key=fields, **options))
        return handler

    return register


def _first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").strip().split("\n\n")[0].split())

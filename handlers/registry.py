"""Which operations there are: `@operation` registers them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields as fields_of
from typing import Any, TypeVar

import marshmallow

from handlers.operation import Operation, WrongOperation, wrong

_OPTIONS = {field.name for field in fields_of(Operation)}
Handler = TypeVar("Handler", bound=Callable[..., Any])


class Registry:
    """Operations by name. One instance, `registry`, serves the process."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation] = {}
        self._refused: list[WrongOperation] | None = None

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
            raise wrong(
                operation.handler,
                operation.name,
                f"two handlers are registered for it, the other by {known.handler.__module__}",
            )
        self._operations[operation.name] = operation

    @contextmanager
    def collecting(self) -> Iterator[list[WrongOperation]]:
        """In the block `@operation` refuses nothing: what it would have is in the list."""
        before, self._refused = self._refused, []
        try:
            yield self._refused
        finally:
            self._refused = before

    def refuse(self, error: WrongOperation) -> None:
        """Raise the error, or collect it."""
        if self._refused is None:
            raise error
        self._refused.append(error)

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
        options.setdefault("description", _first_paragraph(getattr(handler, "__doc__", None)))
        try:
            if unknown := sorted(options.keys() - _OPTIONS):
                raise wrong(handler, name, f"there is no option {' or '.join(unknown)}")
            made = Operation(name=name, handler=handler, schema=schema, key=fields, **options)
            registry.add(made)
        except WrongOperation as error:
            registry.refuse(error)
        return handler

    return register


def _first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").strip().split("\n\n")[0].split())

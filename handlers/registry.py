"""Which operations there are: `@operation` registers them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
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
        if known is not None and _place(known.handler) != _place(operation.handler):
            other = getattr(known.handler, "__module__", None)
            raise wrong(
                operation.handler,
                operation.name,
                f"two handlers are registered for it, the other by {other}: "
                "one of them wants another name",
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


def _place(handler: Any) -> tuple[object, ...]:
    """Where it is defined: the same again where its module is executed again."""
    code = getattr(handler, "__code__", None)
    return (
        getattr(handler, "__module__", None),
        getattr(handler, "__qualname__", None),
        getattr(code, "co_firstlineno", None),
    )


def operation(
    name: str,
    *,
    # Without a default the error of one that is missing would name no operation.
    schema: type[marshmallow.Schema] = None,  # type: ignore[assignment]  # noqa: RUF013
    key: Sequence[str] = (),
    **options: Any,
) -> Callable[[Handler], Handler]:
    """Register the decorated function as the handler of operation `name`.

    `options` are the other fields of `Operation`; its description is the function's docstring
    unless given. Raises WrongOperation (a ValueError) where it could not work.
    """
    bare: Any = name
    if callable(bare):
        why = 'its decorator lacks name and schema: @operation("name", schema=...)'
        registry.refuse(wrong(bare, getattr(bare, "__name__", bare), why))
        return bare  # type: ignore[no-any-return]
    # A text is iterable too, by letters; what is no text and not iterable is refused as a field.
    one = isinstance(key, str) or not isinstance(key, Iterable)
    fields: tuple[Any, ...] = (key,) if one else tuple(key)

    def register(handler: Handler) -> Handler:
        options.setdefault("description", _first_paragraph(getattr(handler, "__doc__", None)))
        try:
            if unknown := sorted(options.keys() - _OPTIONS):
                raise wrong(handler, name, _no_options(unknown))
            made = Operation(name=name, handler=handler, schema=schema, key=fields, **options)
            registry.add(made)
        except WrongOperation as error:
            registry.refuse(error)
        return handler

    return register


def _no_options(unknown: Iterable[str]) -> str:
    said = []
    for one in unknown:
        near = difflib.get_close_matches(one, _OPTIONS, 1)
        said.append(f"{one} (perhaps {near[0]} is meant)" if near else one)
    return f"there is no option {' or '.join(said)}"


def _first_paragraph(docstring: str | None) -> str:
    return " ".join((docstring or "").strip().split("\n\n")[0].split())

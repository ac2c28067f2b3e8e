"""What keeps an operation from working, found when it is registered."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, get_args

import marshmallow
from marshmallow import fields

from handlers.breaker import flaws_of

if TYPE_CHECKING:
    from handlers.operation import Operation

Queue = Literal["fast", "slow"]

_LONGEST_NAME = 255
_COUNTS = ("max_attempts", "concurrency", "slice_items")
_ABOVE_ZERO = ("timeout_seconds", "rate_limit")
_FLAGS = ("bulk", "in_database", "gathers")
_NOT_BELOW_ZERO = ("backoff_seconds", "backoff_cap_seconds")
# Fields whose values are no texts and no whole or exact numbers: nothing can be named by them.
_NO_PARTS_OF_KEYS = (
    fields.Boolean,
    fields.Date,
    fields.DateTime,
    fields.Enum,
    fields.Float,
    fields.List,
    fields.Mapping,
    fields.Nested,
    fields.Time,
    fields.TimeDelta,
    fields.Tuple,
    fields.UUID,
)


def flaws(operation: Operation) -> Iterator[str]:
    """Everything that is wrong with it, each in a few words that name the option or the field."""
    for check in (
        _of_name,
        _of_handler,
        _of_numbers,
        _of_flags,
        _of_queue,
        _of_collection,
        _of_breaker,
        _of_schema_and_key,
    ):
        yield from check(operation)


def _of_name(operation: Operation) -> Iterator[str]:
    name: object = operation.name
    if not isinstance(name, str) or not name.isprintable() or name != "".join(name.split()):
        yield "its name must be text without blanks"
    elif not 0 < len(name) <= _LONGEST_NAME:
        yield f"its name must have 1 to {_LONGEST_NAME} characters"


def _of_handler(operation: Operation) -> Iterator[str]:
    handler = operation.handler
    if not callable(handler):
        yield f"its handler is no function but a {type(handler).__name__}"
        return
    called = handler if inspect.isroutine(handler) else type(handler).__call__
    for one in (handler, called):
        if inspect.iscoroutinefunction(one) or inspect.isasyncgenfunction(one):
            yield "its handler is an `async def`, which is not awaited; it must be a `def`"
            return
        if inspect.isgeneratorfunction(one):
            yield "its handler is a generator (it has a `yield`); it must return its answer"
            return
    if not _takes_two(handler):
        given, takes = ("a list of items", "items") if operation.bulk else ("an item", "item")
        yield (
            f"its handler cannot be called with {given} and a context; "
            f"it must be a `def` that takes ({takes}, context)"
        )


def _takes_two(handler: Callable[..., Any]) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # it tells nothing of itself, as some that are written in C
        return True
    return True


def _of_numbers(operation: Operation) -> Iterator[str]:
    for name in (*_COUNTS, *_ABOVE_ZERO, *_NOT_BELOW_ZERO):
        value = getattr(operation, name)
        if value is None and name in ("concurrency", "rate_limit", "slice_items"):
            continue
        # What another process told of its own is Decimal (app/operations/description.py).
        kinds = (int,) if name in _COUNTS else (int, float, Decimal)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            what = "a whole number" if name in _COUNTS else "a number"
            yield f"{name} must be {what}, not {value!r}"
        elif value < 0 or (value == 0 and name not in _NOT_BELOW_ZERO):
            above = "0 or more" if name in _NOT_BELOW_ZERO else "above 0"
            yield f"{name} must be {above}, not {value}"


def _of_flags(operation: Operation) -> Iterator[str]:
    for name in _FLAGS:
        if not isinstance(value := getattr(operation, name), bool):
            yield f"{name} must be True or False, not {value!r}"
    if operation.gathers is True and not operation.bulk:
        yield "gathers is for a handler that takes a list: it wants bulk=True"


def _of_collection(operation: Operation) -> Iterator[str]:
    name: object = operation.collection
    if name is None:
        return
    # It is a part of a path: GET /v1/records/{collection}.
    if not isinstance(name, str) or not name or "/" in name or name != "".join(name.split()):
        yield f"collection must be text without blanks and slashes, not {name!r}"


def _of_queue(operation: Operation) -> Iterator[str]:
    if operation.queue not in get_args(Queue):
        yield f"queue must be {' or '.join(map(repr, get_args(Queue)))}, not {operation.queue!r}"


def _of_breaker(operation: Operation) -> Iterator[str]:
    if operation.breaker is not None:
        yield from flaws_of(operation.breaker)


def _of_schema_and_key(operation: Operation) -> Iterator[str]:
    schema: object = operation.schema
    if schema is None:
        yield "it has no schema: schema must be a class of marshmallow's Schema"
        return
    if not (isinstance(schema, type) and issubclass(schema, marshmallow.Schema)):
        yield f"schema must be a class of marshmallow's Schema, not {schema!r}"
        return
    try:
        loader = operation.loader
    except Exception as error:  # a schema's own code
        yield f"its schema {schema.__name__} cannot be made ({type(error).__name__}: {error})"
        return
    known = {
        known: field
        for name, field in loader.fields.items()
        for known in (name, field.attribute, field.data_key)
        if known is not None
    }
    for name in dict.fromkeys(filter(_is_text, operation.key)):
        if operation.key.count(name) > 1:
            yield f"key has {name!r} more than once"
    for name in operation.key:
        found = known.get(name) if _is_text(name) else None
        if found is None:
            if loader.unknown != marshmallow.INCLUDE or not _is_text(name):
                yield f"key has {name!r}, which is no field of {schema.__name__}"
        elif found.dump_only:
            yield f"key has {name!r}, which {schema.__name__} does not load (dump_only)"
        elif isinstance(found, _NO_PARTS_OF_KEYS):
            yield (
                f"key has {name!r}, a field of {type(found).__name__}, which can be no part of a "
                "key: it must be text, or a whole or exact number"
            )


def _is_text(value: object) -> bool:
    return isinstance(value, str)

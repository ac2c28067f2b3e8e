"""An operation: a name, a schema, a handler, and how the engine has to treat it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any, Literal, get_args

import marshmallow
from marshmallow.exceptions import ValidationError

from handlers.fields import WholeNumber, exact_decimal
from handlers.keys import LONGEST_KEY, join_key

Queue = Literal["fast", "slow"]


class WrongOperation(ValueError):
    """What was registered cannot work; the message names the module, the operation and why."""


@dataclass(frozen=True)
class Operation:
    """What `@operation` registers.

    `name`: dotted, as requests say it. `schema`: what an item's data must be.
    `key`: the fields whose values name the record an item touches; items of one batch with the
    same key run in the order submitted. `collection`: where its records are kept, or None.
    `bulk`: the handler takes a list. `in_database`: its effects are in Batchline's database and
    commit with the outcome, exactly once; otherwise they are at-least-once and the handler should
    pass `Context.idempotency_key` on. `max_attempts`: tries before FAILED. `timeout_seconds`: an
    item's time limit. `concurrency`: most calls of the handler at once over all workers, None for
    no limit. `rate_limit`: most items a second over all workers, None for no limit. `queue`:
    "fast" for database work, "slow" for work that waits on a network. `slice_items`: items a task
    begins with until the operation's cost has been measured.
    """

    name: str
    handler: Callable[..., Any]
    schema: type[marshmallow.Schema]
    description: str = ""
    key: tuple[str, ...] = ()
    collection: str | None = None
    bulk: bool = False
    in_database: bool = True
    max_attempts: int = 3
    backoff_seconds: float = 1.0
    backoff_cap_seconds: float = 300.0
    timeout_seconds: float = 30.0
    concurrency: int | None = None
    rate_limit: float | None = None
    queue: Queue = "fast"
    slice_items: int | None = None
    gathers: bool = False
    examples: tuple[Mapping[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse what could not work, or would keep every item waiting for ever."""
        for wrong in (self._wrong_handler(), self._wrong_option(), self._wrong_key()):
            if wrong is not None:
                module = getattr(self.handler, "__module__", None)
                raise WrongOperation(f"{module}: operation {self.name!r}: {wrong}")

    def _wrong_handler(self) -> str | None:
        if not callable(self.handler):
            return f"its handler is no function but a {type(self.handler).__name__}"
        called = self.handler if inspect.isroutine(self.handler) else type(self.handler).__call__
        for handler in (self.handler, called):
            if inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler):
                return "its handler is an `async def`, which is not awaited; it must be a `def`"
            if inspect.isgeneratorfunction(handler):
                return "its handler is a generator (it has a `yield`); it must return its answer"
        return None

    def _wrong_option(self) -> str | None:
        for name in ("max_attempts", "timeout_seconds", "concurrency", "rate_limit", "slice_items"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                return f"{name} must be above 0, not {value}"
        if self.queue not in get_args(Queue):
            return f"queue must be {' or '.join(map(repr, get_args(Queue)))}, not {self.queue!r}"
        return None

    def _wrong_key(self) -> str | None:
        if not (isinstance(self.schema, type) and issubclass(self.schema, marshmallow.Schema)):
            return f"schema must be a class of marshmallow's Schema, not {self.schema!r}"
        if self.loader.unknown == marshmallow.INCLUDE:
            return None
        known = {
            known
            for name, field in self.loader.fields.items()
            for known in (name, field.attribute, field.data_key)
        }
        for name in self.key:
            if name not in known:
                return f"key has {name!r}, which is no field of {self.schema.__name__}"
        return None

    @property
    def limited(self) -> bool:
        """Whether it has a limit that holds over all workers."""
        return self.concurrency is not None or self.rate_limit is not None

    @cached_property
    def loader(self) -> marshmallow.Schema:
        """One schema instance; marshmallow schemas may be shared."""
        return self.schema()

    @cached_property
    def whole_number_keys(self) -> frozenset[str]:
        """Key fields that hold whole numbers, so that 7, "7" and 7.0 name one record."""
        return frozenset(
            name for name in self.key if isinstance(self.loader.fields.get(name), WholeNumber)
        )

    def load(self, data: Any) -> dict[str, Any]:
        """`data` checked and converted by the schema.

        Raises marshmallow's ValidationError, whose messages name the fields.
        """
        return self.load_keyed(data)[0]

    def load_keyed(self, data: Any) -> tuple[dict[str, Any], str | None]:
        """What `load` gives, and its key."""
        if not isinstance(data, dict):
            raise ValidationError("Must be an object.")
        loaded: dict[str, Any] = self.loader.load(data)
        key = self.key_of(loaded)
        if key is not None and len(key.encode()) > LONGEST_KEY:
            raise ValidationError({name: ["Makes the key too long."] for name in self.key})
        return loaded, key

    def key_of(self, data: Mapping[str, Any]) -> str | None:
        """The key in `data`, raw or loaded, or None where a part is missing or not usable."""
        if not self.key:
            return None
        parts = []
        for name in self.key:
            part = self._key_part(name, data.get(name))
            if part is None:
                return None
            parts.append(part)
        return join_key(parts)

    def _key_part(self, name: str, value: Any) -> str | None:
        if name in self.whole_number_keys:
            if type(value) is int:
                return str(value)
            number = exact_decimal(value)
            if number is None or number != number.to_integral_value():
                return None
            return str(int(number))
        if isinstance(value, str):
            return value or None
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            return str(value)
        return None

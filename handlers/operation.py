"""An operation: a name, a schema, a handler, and how the engine has to treat it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import Any

import marshmallow
from marshmallow.exceptions import ValidationError

from handlers.breaker import Breaker
from handlers.checks import Queue, flaws
from handlers.fields import WholeNumber, exact_decimal
from handlers.keys import LONGEST_KEY, join_key


class WrongOperation(ValueError):
    """What was registered cannot work; the message names the module, the operation and why."""


def wrong(handler: object, name: object, why: str) -> WrongOperation:
    """The error for operation `name` of `handler`'s module."""
    return WrongOperation(f"{getattr(handler, '__module__', None)}: operation {name!r}: {why}")


@dataclass(frozen=True)
class Operation:
    """What `@operation` registers.

    `name`: dotted, as requests say it. `schema`: what an item's data must be.
    `key`: the fields whose values name the record an item touches; items of one batch with the
    same key run in the order submitted. `collection`: where its records are kept, or None.
    `bulk`: the handler takes a list. `in_database`: its effects are in Batchline's database and
    commit with the outcome, exactly once, and a dry run may undo them; otherwise they are
    at-least-once and the handler should pass `Context.idempotency_key` on. `max_attempts`: tries
    before FAILED. `timeout_seconds`: an item's time limit. `concurrency`: most calls of the handler
    at once over all workers, None for no limit. `rate_limit`: most items a second over all workers,
    None for no limit. `queue`: "fast" for database work, "slow" for work that waits on a network.
    `slice_items`: items a task begins with until the operation's cost has been measured. `breaker`:
    when it is left alone because what it needs is away; None for never. `bases`: what its items may
    be for, by their field `base`, where each of these has a breaker of its own.
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
    breaker: Breaker | None = None
    bases: tuple[str, ...] = ()
    examples: tuple[Mapping[str, Any], ...] = field(default=())

    def __post_init__(self) -> None:
        """Refuse what could not work, or would keep every item waiting for ever."""
        if found := list(flaws(self)):
            raise wrong(self.handler, self.name, "; ".join(found))

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

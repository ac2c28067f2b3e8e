"""Operations of which every item fails, for benchmarks/failures.py; loaded by its workers.

Of those whose name ends in `.bare` failures are not grouped: what is left is what a batch would
cost without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from marshmallow import Schema, fields
from sqlalchemy import Connection

from app.batches.failures.identity import Identity
from app.batches.failures.kinds import Ended, Kinds
from handlers import Context, Item, Operation, Reject, registry
from workers.engine.outcome import write_outcomes

CAUSES = 50
BARE = ".bare"
_UNGROUPED = Identity("", None, "FAILED", 422, "")


class _FailingSchema(Schema):
    n = fields.Integer(required=True)


def _reject(item: Item) -> Reject:
    n = item.data["n"]
    return Reject(f"Order {n} of shop {'abcdefghij'[n % 10]}{'vwxyz'[n % CAUSES // 10]} was closed")


def _alone(item: Item, _: Context) -> Any:
    raise _reject(item)


def _together(items: Sequence[Item], _: Context) -> list[Any]:
    return [_reject(item) for item in items]


for _end in ("", BARE):
    registry.add(Operation(f"failing.alone{_end}", _alone, _FailingSchema))
    registry.add(Operation(f"failing.bulk{_end}", _together, _FailingSchema, bulk=True))


_module: Any = write_outcomes
_tell_apart, _count = _module.tell_apart, _module.count_failures


def _tell_unless_bare(items: Sequence[Ended], messages: Sequence[str]) -> Any:
    if (items[0].operation or "").endswith(BARE):
        return Kinds([_UNGROUPED], [0] * len(items))
    return _tell_apart(items, messages)


def _count_unless_bare(
    connection: Connection, batch_id: UUID, failures: Kinds, **more: Any
) -> list[Any]:
    if failures.kinds[0] is _UNGROUPED:
        return [None]
    return list(_count(connection, batch_id, failures, **more))


_module.tell_apart, _module.count_failures = _tell_unless_bare, _count_unless_bare

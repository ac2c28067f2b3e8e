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
from handlers import Context, Item, Operation, Reject, registry
from workers.engine.outcome import write_outcomes

CAUSES = 50
BARE = ".bare"
_UNGROUPED = Identity("", None, "FAILED", None, "")


class _FailingSchema(Schema):
    n = fields.Integer(required=True)


def _reject(item: Item) -> Reject:
    n = item.data["n"]
    return Reject(f"Order {n} of shop {'abcdefghij'[n % 10]}{n % CAUSES // 10} was closed")


def _alone(item: Item, _: Context) -> Any:
    raise _reject(item)


def _together(items: Sequence[Item], _: Context) -> list[Any]:
    return [_reject(item) for item in items]


for _end in ("", BARE):
    registry.add(Operation(f"failing.alone{_end}", _alone, _FailingSchema))
    registry.add(Operation(f"failing.bulk{_end}", _together, _FailingSchema, bulk=True))


_module: Any = write_outcomes
_identify, _count = _module.identify, _module.count_failures


def _identify_unless_bare(operation: str | None, *of: Any) -> Identity:
    return _UNGROUPED if (operation or "").endswith(BARE) else _identify(operation, *of)


def _count_unless_bare(
    connection: Connection, batch_id: UUID, failures: Sequence[Identity], **more: Any
) -> list[Any]:
    if failures[0] is _UNGROUPED:
        return [None] * len(failures)
    return list(_count(connection, batch_id, failures, **more))


_module.identify, _module.count_failures = _identify_unless_bare, _count_unless_bare

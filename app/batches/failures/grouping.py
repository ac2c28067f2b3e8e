"""Items that went wrong get their failure, and are counted: in the transaction that ends them."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

from sqlalchemy import Connection

from app.batches.failures.kinds import Kinds, tell_apart
from app.db.statements.failures import (
    COUNT_FAILURES,
    FIND_UNGROUPED_ITEMS,
    SET_FAILURE_OF_ITEMS,
    SPREAD,
    KeptFailure,
    UngroupedItem,
)
from app.db.statements.rows import rows_of

_AT_ONCE = 5000
_LAST_INDEX = 2**31 - 1


def count_failures(
    connection: Connection, batch_id: UUID, failures: Kinds, *, spread: int
) -> list[str]:
    """Count items by their failures; what to write as the failure of each kind, in that order.

    That is `other` for those beyond the batch's thousandth. `spread`: any number, a different one
    for those who do this at the same time: two of the same wait for each other's commit. One
    statement, and one more for each race for a new failure that was lost.
    """
    counts = Counter(failures.places)
    left = {kind.id: (kind, counts[place]) for place, kind in enumerate(failures.kinds)}
    kept: dict[str, str] = {}
    while left:
        these = [left[each] for each in sorted(left)]
        found = rows_of(
            KeptFailure,
            connection.execute(
                COUNT_FAILURES,
                {
                    "batch_id": batch_id,
                    "spread": spread % SPREAD,
                    "failures": [kind.id for kind, _ in these],
                    "operations": [kind.operation for kind, _ in these],
                    "statuses": [kind.status for kind, _ in these],
                    "codes": [kind.code for kind, _ in these],
                    "messages": [kind.message for kind, _ in these],
                    "counts": [count for _, count in these],
                },
            ),
        )
        for row in found:
            if row.kept is not None:
                kept[row.failure] = row.kept
                del left[row.failure]
    return [kept[kind.id] for kind in failures.kinds]


def group_items(
    connection: Connection, batch_id: UUID, first: int = 0, last: int = _LAST_INDEX
) -> None:
    """Give those items from `first` to `last` their failure that went wrong and have none yet.

    For what is ended by a statement that knows no failures. The caller has locked their slice, or
    the batch.
    """
    while True:
        items = rows_of(
            UngroupedItem,
            connection.execute(
                FIND_UNGROUPED_ITEMS,
                {"batch_id": batch_id, "first": first, "last": last, "most": _AT_ONCE},
            ),
        )
        if not items:
            return
        failures = tell_apart(items, [item.message or "" for item in items])
        kept = count_failures(connection, batch_id, failures, spread=first)
        connection.execute(
            SET_FAILURE_OF_ITEMS,
            {
                "batch_id": batch_id,
                "first": items[0].index,
                "last": items[-1].index,
                "indexes": [item.index for item in items],
                "failures": [kept[place] for place in failures.places],
            },
        )
        if len(items) < _AT_ONCE:
            return
        first = items[-1].index + 1

"""Items that went wrong get their failure, and are counted: in the transaction that ends them."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import Connection

from app.batches.failures.identity import Identity, identify
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
    connection: Connection, batch_id: UUID, failures: Sequence[Identity], *, spread: int
) -> list[str]:
    """Count items by their failures, one each; what to write as each item's, in that order.

    That is `other` for those beyond the batch's thousandth. `spread`: any number, a different one
    for those who do this at the same time: two of the same wait for each other's commit. One
    statement, and one more for each race for a new failure that was lost.
    """
    counts: dict[str, int] = {}
    kinds: dict[str, Identity] = {}
    for failure in failures:
        counts[failure.id] = counts.get(failure.id, 0) + 1
        kinds[failure.id] = failure
    kept: dict[str, str] = {}
    while counts:
        these = [kinds[each] for each in sorted(counts)]
        found = rows_of(
            KeptFailure,
            connection.execute(
                COUNT_FAILURES,
                {
                    "batch_id": batch_id,
                    "spread": spread % SPREAD,
                    "failures": [each.id for each in these],
                    "operations": [each.operation for each in these],
                    "statuses": [each.status for each in these],
                    "codes": [each.code for each in these],
                    "messages": [each.message for each in these],
                    "counts": [counts[each.id] for each in these],
                },
            ),
        )
        for row in found:
            if row.kept is not None:
                kept[row.failure] = row.kept
                del counts[row.failure]
    return [kept[failure.id] for failure in failures]


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
        failures = count_failures(
            connection,
            batch_id,
            [identify(item.operation, item.status, item.code, item.message) for item in items],
            spread=first,
        )
        connection.execute(
            SET_FAILURE_OF_ITEMS,
            {
                "batch_id": batch_id,
                "first": items[0].index,
                "last": items[-1].index,
                "indexes": [item.index for item in items],
                "failures": failures,
            },
        )
        if len(items) < _AT_ONCE:
            return
        first = items[-1].index + 1

"""Repeated keys: items of one batch that touch the same record are put into a lane.

The same record is the same collection and key; where an operation has no collection, its own
records are meant. A lane is named by the index of its first item. Its items leave the first pass
and are picked in order, a lane's always within one slice. A batch whose keys are all different
never gets here.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.db.statements.batches import BatchRow
from app.db.statements.item_planning import PUT_ITEMS_INTO_LANES, find_repeated_items
from handlers import Registry

_CHUNK = 5000


def find_lanes(connection: Connection, registry: Registry, batch: BatchRow) -> int:
    """Put every pending item of `batch` whose key is repeated into its lane; returns how many."""
    marked = 0
    parameters: dict[str, Any] = {"batch_id": batch.id}
    if batch.mixed:
        known = list(registry)
        parameters["operation"] = batch.operation
        parameters["operations"] = [one.name for one in known]
        parameters["collections"] = [one.collection or one.name for one in known]
    repeated = connection.execute(
        find_repeated_items(mixed=batch.mixed), parameters, execution_options={"yield_per": _CHUNK}
    )
    for rows in repeated.partitions(_CHUNK):
        indexes, heads = (list(column) for column in zip(*rows, strict=True))
        connection.execute(
            PUT_ITEMS_INTO_LANES,
            {
                "batch_id": batch.id,
                "indexes": indexes,
                "heads": heads,
                "first": indexes[0],
                "last": indexes[-1],
            },
        )
        marked += len(rows)
    return marked

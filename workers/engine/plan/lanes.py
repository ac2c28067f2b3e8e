"""Repeated keys: items of one batch that touch the same record are put into a lane.

The same record is the same collection and key; where an operation has no collection, its own
records are meant. A lane is named by the index of its first item. Its items leave the first pass
and are picked in order, a lane's always within one slice. A batch whose keys are all different
never gets here.

What is left of a batch is put into lanes at once where it is little. Otherwise that is long work
(lane_steps.py): `find_lanes` only notes that it is to be done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.batches.long_work import Pace, Work, note_work
from app.core.lifecycle import FIND_KEYS
from app.db.statements.batches import BatchRow
from app.db.statements.lanes import (
    DROP_LANE_CHUNKS,
    PUT_ITEMS_INTO_LANES,
    find_repeated_items,
)
from handlers import Registry

_CHUNK = 5000
# Keys are found in parts of so many steps' items: at ten thousand a step, of a million, which is
# sorted in a second.
_STEPS_A_PART = 100


def find_lanes(connection: Connection, registry: Registry, batch: BatchRow, pace: Pace) -> bool:
    """Put every pending item of `batch` whose key is repeated into its lane; whether that is done.

    False where it is too much for now, and is noted as what the batch is doing.
    """
    left = batch.total - batch.ended_items
    if left > pace.items:
        everything = {"batch_id": batch.id, "first": 0, "end": batch.total}
        connection.execute(DROP_LANE_CHUNKS, everything)
        parts = -(-left // (pace.items * _STEPS_A_PART))
        note_work(connection, batch.id, Work(FIND_KEYS, index=0, total=parts, done=pace.items))
        return False
    repeated = connection.execute(
        find_repeated_items(mixed=batch.mixed, due=all_are_due(batch)),
        parameters(registry, batch),
        execution_options={"yield_per": _CHUNK},
    )
    for rows in repeated.partitions(_CHUNK):
        indexes, heads = (list(column) for column in zip(*rows, strict=True))
        put_into_lanes(connection, batch.id, indexes, heads)
    return True


def put_into_lanes(
    connection: Connection, batch_id: UUID, indexes: Sequence[int], heads: Sequence[int]
) -> int:
    """Put the items of these indexes, in order, into the lanes of `heads`; how many are PENDING."""
    return connection.execute(
        PUT_ITEMS_INTO_LANES,
        {
            "batch_id": batch_id,
            "indexes": indexes,
            "heads": heads,
            "first": indexes[0],
            "last": indexes[-1],
        },
    ).rowcount


def all_are_due(batch: BatchRow) -> bool:
    """Whether all that is PENDING has a moment of its own: after a retry, unless it validates."""
    return batch.next_index >= batch.total


def parameters(registry: Registry, batch: BatchRow) -> dict[str, Any]:
    """What the statements that find repeated keys are given."""
    given: dict[str, Any] = {"batch_id": batch.id}
    if batch.mixed:
        known = list(registry)
        given["operation"] = batch.operation
        given["operations"] = [one.name for one in known]
        given["collections"] = [one.collection or one.name for one in known]
    return given

"""The lanes of a large batch, found and marked in steps.

First its keys, part by part (by their hash), without a lock on the batch: nothing changes the items
of one that is PENDING. What is repeated is written down (`lane_chunks`). Then chunk by chunk, in
order of index, the items are put into their lanes, each step in a transaction that locks the batch.

From the first chunk on the batch runs, as far as lanes have been marked (`BatchRow.reach`): all
items of a lane before that point are in it, and none behind it is run. Not so where items are due
from the beginning (a retry), or are only looked at (validation): there all are marked first.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.batches.long_work import Left, Work, end_work, note_work
from app.core import lifecycle
from app.db import transaction
from app.db.statements.batch_progress import SET_NEXT_INDEX_OF_BATCH
from app.db.statements.batches import BatchRow, lock_batch_row
from app.db.statements.lanes import (
    DROP_LANE_CHUNKS,
    GET_LANE_CHUNKS,
    GET_NEXT_LANE_CHUNK,
    NOTE_PART_OF_BATCH,
    READ_BATCH,
    TRY_KEYS_LOCK,
    store_repeated_items,
)
from app.db.statements.rows import row_of
from workers.engine.plan.beginning import begin
from workers.engine.plan.lanes import all_are_due, parameters, put_into_lanes
from workers.engine.runtime import Runtime


class _OvertakenError(Exception):
    """The batch is doing something else by now: what was found is not kept."""


def may_run_ahead(batch: BatchRow) -> bool:
    """Whether the batch may run while lanes behind `reach` are still to be marked."""
    return (
        batch.doing == lifecycle.MARK_LANES
        and batch.reach > 0
        and batch.phase != "validate"
        and not all_are_due(batch)
    )


def lane_step(runtime: Runtime, batch_id: UUID) -> Left:
    """Find a part of the repeated keys, or mark a chunk of what was found."""
    try:
        with transaction(runtime.engine) as connection:
            batch = row_of(BatchRow, connection.execute(READ_BATCH, {"batch_id": batch_id}))
            if batch is not None and batch.doing == lifecycle.FIND_KEYS:
                return _find_part(runtime, connection, batch)
            return _mark_chunk(connection, batch_id)
    except _OvertakenError:
        return Left.FOR_OTHERS


def _find_part(runtime: Runtime, connection: Connection, batch: BatchRow) -> Left:
    if batch.status != lifecycle.PENDING:
        # Paused; or an earlier release, which does all of it at once, has begun the batch.
        if batch.status == lifecycle.RUNNING:
            end_work(connection, batch.id)
            return Left.NOTHING
        return Left.FOR_OTHERS
    if not connection.execute(TRY_KEYS_LOCK, {"batch_id": str(batch.id)}).scalar_one():
        return Left.FOR_OTHERS
    part, parts, size = batch.doing_index or 0, batch.doing_total or 1, batch.doing_done or 1
    connection.execute(
        store_repeated_items(mixed=batch.mixed, due=all_are_due(batch)),
        {**parameters(runtime.known, batch), "part": part, "parts": parts, "size": size},
    )
    last = part + 1 == parts
    noted = connection.execute(
        NOTE_PART_OF_BATCH,
        {
            "batch_id": batch.id,
            "part": part,
            "doing": lifecycle.MARK_LANES if last else lifecycle.FIND_KEYS,
            "index": 0 if last else part + 1,
        },
    )
    if noted.rowcount == 0:
        raise _OvertakenError
    return Left.MORE


def _mark_chunk(connection: Connection, batch_id: UUID) -> Left:
    this = {"batch_id": batch_id}
    batch = row_of(BatchRow, connection.execute(lock_batch_row(if_free=True), this))
    if batch is None:
        return Left.FOR_OTHERS
    if batch.doing != lifecycle.MARK_LANES:
        return Left.NOTHING if batch.doing is None else Left.FOR_OTHERS
    if batch.status not in (lifecycle.PENDING, lifecycle.RUNNING):
        return Left.FOR_OTHERS
    size = batch.doing_done or 1
    first = connection.execute(GET_NEXT_LANE_CHUNK, this).scalar_one()
    following = None
    if first is not None:
        end = min((first // size + 1) * size, batch.total)
        where = {**this, "first": first, "end": end}
        chunks = connection.execute(GET_LANE_CHUNKS, where).all()
        marked = sum(put_into_lanes(connection, batch_id, *chunk) for chunk in chunks)
        connection.execute(DROP_LANE_CHUNKS, where)
        if marked == end - first and batch.next_index == first:
            # Of these the first pass has nothing to take.
            connection.execute(SET_NEXT_INDEX_OF_BATCH, {**this, "next_index": end})
        following = connection.execute(GET_NEXT_LANE_CHUNK, this).scalar_one()
    if following is None:
        end_work(connection, batch_id)
        begin(connection, batch)
        return Left.NOTHING
    work = Work(lifecycle.MARK_LANES, index=following, total=batch.total, done=size)
    note_work(connection, batch_id, work)
    return Left.MORE

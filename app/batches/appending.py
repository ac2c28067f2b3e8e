"""More items for a batch that is still OPEN.

The batch's row is locked while they are copied in, so that those of two calls at once are numbered
one after the other, without a gap. By then the items are in memory or spooled to disk, so the lock
is not held while a client sends.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from uuid import UUID

from sqlalchemy import Connection

from app.audit.recording import record
from app.batches.actions.lock import lock_batch, require
from app.batches.admission import admit
from app.batches.approval import note_contributor
from app.batches.batch_view import BatchView
from app.batches.copying import copy_items
from app.batches.item_keys import ItemReader
from app.batches.queries import find_batch
from app.batches.submission import publish
from app.clients.quotas import PENDING_ITEMS, STORED_ITEMS, Quotas
from app.core.errors import FieldError, TooLarge
from app.core.lifecycle import OPEN
from app.db.statements.batches import ADD_ITEMS_TO_BATCH
from app.formats.raw_item import RawItem
from handlers import Registry


def check_open(connection: Connection, client_id: UUID, batch_id: UUID) -> BatchView:
    """The batch. Raises NotFound or WrongState before a long body is received, not after."""
    batch = find_batch(connection, client_id, batch_id)
    require(batch, (OPEN,), "take items")
    return batch


def append(
    connection: Connection,
    registry: Registry,
    client_id: UUID,
    batch_id: UUID,
    items: Iterable[RawItem],
    *,
    count: int,
    most: int,
    operations: Collection[str] = (),
    quotas: Quotas | None = None,
) -> int:
    """Add `items`, of which there are `count`, to the client's batch; how many it has then.

    `most`: items that the batch may have. `operations`: patterns of those that they may be of, as
    the caller's key says; none: any. Raises NotFound, WrongState unless the batch is OPEN, TooLarge
    naming the first item that is too many, Invalid for an item without an operation, and Forbidden
    for one of another operation.
    """
    batch = lock_batch(connection, client_id, batch_id)
    require(batch, (OPEN,), "take items")
    if batch.total + count > most:
        index = max(0, most - batch.total)
        message = f"The batch has {batch.total} items; at most {most} are taken."
        raise TooLarge(
            f"Item {index} is one too many. {message}",
            errors=[FieldError(f"/items/{index}", message)],
        )
    publish(registry)
    reader = ItemReader(registry, batch.operation, allowed=operations)
    added = copy_items(connection, batch_id, reader.read(items), first_index=batch.total)
    # Keys are remembered within a call only: beside items of another call, any may be a repeat.
    may_repeat = reader.keyed if batch.total else reader.may_repeat
    if added:
        connection.execute(
            ADD_ITEMS_TO_BATCH,
            {
                "batch_id": batch_id,
                "added": added,
                "mixed": reader.mixed,
                "may_repeat": may_repeat,
            },
        )
        note_contributor(connection, batch)
        record(
            connection,
            "batch.append",
            client_id=batch.client_id,
            batch_id=batch_id,
            detail={"items": added},
        )
        admit(
            connection,
            batch.client_id,
            quotas,
            raised=(PENDING_ITEMS, STORED_ITEMS),
            added=added,
        )
    return batch.total + added

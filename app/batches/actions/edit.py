"""Another input for an item that did not succeed, or that waits in an OPEN batch."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.batches.actions.lock import lock_batch, require
from app.batches.approval import note_contributor
from app.batches.item_keys import KeyReader, require_operation
from app.batches.item_view import ItemView
from app.batches.queries import find_item
from app.core import lifecycle
from app.core.errors import NotFound, WrongState
from app.db import transaction
from app.db.statements.batches import BatchRow
from app.db.statements.item_tries import (
    EDIT_ITEM,
    KEEP_INPUT_OF_LAST_TRY,
    KEEP_OUTCOME_OF_ITEM,
    NOTE_CHANGED_KEY,
    READ_ITEM_TO_EDIT,
    EditedItem,
)
from app.db.statements.rows import row_of
from handlers import Registry


def edit_item(
    engine: Engine,
    registry: Registry,
    client_id: UUID,
    batch_id: UUID,
    index: int,
    text: str,
    *,
    operations: Collection[str] = (),
) -> ItemView:
    """Put the JSON object `text` in the place of an item's input; the item as it is then.

    Its key is read anew; its operation and how it ended stay, and nothing is run. What it was
    stays in its history. `operations`: patterns of those that it may be of, as the caller's key
    says; none: any. Raises NotFound; WrongState unless the batch is OPEN or has ended, and for an
    item that succeeded; and Forbidden.
    """
    with transaction(engine) as connection:
        batch = lock_batch(connection, client_id, batch_id)
        require(batch, (lifecycle.OPEN, *lifecycle.BATCH_ENDED), "have items edited")
        this = {"batch_id": batch.id, "index": index}
        item = row_of(EditedItem, connection.execute(READ_ITEM_TO_EDIT, this))
        if item is None:
            raise NotFound(f"There is no item {index} in batch {batch_id}.")
        if item.status == lifecycle.SUCCESS:
            raise WrongState(
                f"The batch is {batch.status}, and item {index} is SUCCESS: only what did not "
                "succeed can be edited."
            )
        key = _key(registry, batch, item, text, operations)
        if not connection.execute(KEEP_OUTCOME_OF_ITEM, this).rowcount:
            connection.execute(KEEP_INPUT_OF_LAST_TRY, this)
        connection.execute(EDIT_ITEM, {**this, "input": text, "key": key})
        if key is not None and key != item.key and not batch.may_repeat:
            connection.execute(NOTE_CHANGED_KEY, {"batch_id": batch.id})
        _tell(connection, batch, index)
        return find_item(connection, client_id, batch_id, index)


def _key(
    registry: Registry,
    batch: BatchRow,
    item: EditedItem,
    text: str,
    operations: Collection[str],
) -> str | None:
    name = item.operation or batch.operation or ""
    require_operation(operations, name)
    known = registry.get(name)
    return None if known is None else KeyReader(known).key(text)


def _tell(connection: Connection, batch: BatchRow, index: int) -> None:
    note_contributor(connection, batch)
    record(
        connection,
        "item.edit",
        client_id=batch.client_id,
        batch_id=batch.id,
        detail={"index": index},
    )

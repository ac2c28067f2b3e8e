"""What may be changed of a batch that exists: its name, its metadata, its time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Engine

from app.audit.recording import record
from app.batches.actions.lock import lock_batch, require
from app.batches.approval import check_first, is_needed
from app.core import lifecycle
from app.core.errors import FieldError, Invalid, WrongState
from app.db import transaction
from app.db.clock import has_passed
from app.db.statements.batches import AMEND_BATCH, BatchRow


def amend(
    engine: Engine,
    client_id: UUID,
    batch_id: UUID,
    changes: Mapping[str, Any],
    *,
    unless: Callable[[Connection], None] = lambda _: None,
) -> bool:
    """Change `name`, `metadata` and `scheduled_at`, as far as they are in `changes`.

    Name and metadata may be changed in any state. `scheduled_at` (aware, in the future) only
    while the batch is OPEN, which makes it SCHEDULED, or SCHEDULED; None makes it OPEN again. One
    that needs approval awaits that first, and needs it anew once it is OPEN again. Whether the
    caller has to send `advance` now that it is committed.
    `unless`: called while nobody else can change the batch; what it raises is raised.
    Raises NotFound, Invalid (a time that is past) and WrongState, all before anything is changed.
    """
    with transaction(engine) as connection:
        batch = lock_batch(connection, client_id, batch_id)
        unless(connection)
        values: dict[str, Any] = {}
        begins = False
        if "name" in changes:
            values["name"] = changes["name"]
        if "metadata" in changes:
            values["metadata"] = changes["metadata"]
        if "scheduled_at" in changes:
            rescheduled = _rescheduled(connection, batch, changes["scheduled_at"])
            if batch.status == lifecycle.OPEN and changes["scheduled_at"] and is_needed(batch):
                check_first(connection, batch, changes["scheduled_at"])
                begins = True
            else:
                values.update(rescheduled)
        if values:
            connection.execute(AMEND_BATCH, {"batch_id": batch_id, **values})
        if values or begins:
            record(
                connection,
                "batch.amend",
                client_id=batch.client_id,
                batch_id=batch_id,
                detail=_told(changes),
            )
    return begins


def _told(changes: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of it: all but the metadata, which may be long, and are the batch's to show."""
    names = {"name": "name", "metadata": "metadata", "scheduled_at": "scheduledAt"}
    values = {names[name]: value for name, value in changes.items() if name != "metadata"}
    return {"changed": [names[name] for name in changes if name in names], **values}


def _rescheduled(
    connection: Connection, batch: BatchRow, moment: datetime | None
) -> dict[str, Any]:
    require(batch, (lifecycle.OPEN, lifecycle.SCHEDULED), "be scheduled")
    if moment is None:
        anew = {"approval": lifecycle.APPROVAL_NEEDED} if batch.approval is not None else {}
        return {"scheduled_at": None, "status": lifecycle.OPEN, **anew}
    if has_passed(connection, moment):
        raise Invalid(
            "A batch can be scheduled only for a time in the future.",
            errors=[FieldError("/scheduledAt", "Must be in the future.")],
        )
    if batch.total == 0:
        raise WrongState(
            f"The batch is {batch.status} and empty; it needs an item to be scheduled."
        )
    return {"scheduled_at": moment, "status": lifecycle.SCHEDULED}

"""A batch begins: PENDING to RUNNING, by whichever statement plans the first of it.

Whoever wants to be told (`batch.started`) is, in the same transaction; once each time that it runs,
so once more after a retry. While items are looked at before an approval nothing has begun yet.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from app.batches.telling import tell_webhooks
from app.core import lifecycle
from app.db import after_commit
from app.db.statements.batch_progress import BEGIN_BATCH, BegunBatch
from app.db.statements.batches import BatchRow
from app.db.statements.rows import row_of
from app.events.listeners import listener
from app.webhooks.recording import BATCH_STARTED


def begins(batch: BatchRow) -> bool:
    """Whether `batch`, as it was locked, begins with what is planned of it now."""
    checked = batch.approval == lifecycle.APPROVAL_CHECKING
    return batch.status == lifecycle.PENDING and not checked


def begin(connection: Connection, batch: BatchRow) -> None:
    """Begin the batch, whose row the caller has locked, if it has not begun."""
    this = {"batch_id": batch.id, "begins": begins(batch)}
    begun = row_of(BegunBatch, connection.execute(BEGIN_BATCH, this))
    if begun is not None:
        tell_of_beginning(connection, batch, begun)


def tell_of_beginning(connection: Connection, batch: BatchRow, begun: BegunBatch | Any) -> None:
    """Tell those who want to know, as far as the statement that began it says that there are any.

    `begun`: a row that has the two columns of `BegunBatch`.
    """
    if not begun.heard:
        return
    if tell_webhooks(connection, batch.client_id, batch.id, BATCH_STARTED, at=begun.started_at):
        after_commit(connection, lambda: listener().delivery_due())

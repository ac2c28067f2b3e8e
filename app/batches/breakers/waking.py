"""Batches that wait for a breaker join the line once it is closed."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.rows import rows_of
from app.db.statements.sessions import LIMIT_WAIT_FOR_LOCKS
from app.db.statements.turns import WaitingBatch
from app.db.statements.waiting_for_breakers import WAKE_HELD_BATCHES

MOST_SENT = 8
"""Batches for which messages are sent at once; the others' come with the sweep."""


def wake(connection: Connection) -> list[WaitingBatch]:
    """Those that wait for a breaker that is closed by now; the caller sends for them.

    In a transaction of its own, behind the one that closed it: batches are locked before breakers.
    """
    connection.execute(LIMIT_WAIT_FOR_LOCKS)
    return rows_of(WaitingBatch, connection.execute(WAKE_HELD_BATCHES))

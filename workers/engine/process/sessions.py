"""A worker process's sessions of the database bear its id, so that others can end them.

A process that is frozen, or whose handler hangs, may sit in a transaction, and the locks of that
hold up whoever takes its work over.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.sessions import END_SESSIONS


def session_name(worker_id: UUID) -> str:
    """The `application_name` of the sessions of that worker process."""
    return f"batchline-worker {worker_id}"


def end_sessions(connection: Connection, worker_ids: Iterable[UUID]) -> None:
    """End the sessions of these processes, other than this one, with whatever they are in."""
    names = [session_name(one) for one in worker_ids]
    if names:
        connection.execute(END_SESSIONS, {"names": names})

"""Database sessions are named after their worker process, so that others can end them.

A process that is frozen, or whose handler hangs, may hold a transaction open, whose locks would
block the process that takes over its work.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.sessions import END_SESSIONS


def session_name(worker_id: UUID) -> str:
    """The `application_name` of the sessions of that worker process."""
    return f"batchline-worker {worker_id}"


def heartbeat_name(worker_id: UUID) -> str:
    """That of its heartbeat's session, which is never ended with them."""
    return f"batchline-heartbeat {worker_id}"


def end_sessions(connection: Connection, worker_ids: Iterable[UUID]) -> None:
    """End the database sessions of these processes (not this one), and their transactions."""
    names = [session_name(one) for one in worker_ids]
    if names:
        connection.execute(END_SESSIONS, {"names": names})

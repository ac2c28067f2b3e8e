"""A worker process's sessions of the database bear its id, so that others can end them.

A process that is frozen, or whose handler hangs, may sit in a transaction, and the locks of that
hold up whoever takes its work over.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, text

# Not those that do nothing just then. The call waits, up to a second, until each has ended.
_END = text(
    """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE application_name = ANY(:names) AND datname = current_database()
      AND pid <> pg_backend_pid() AND state <> 'idle'
    """
)


def session_name(worker_id: UUID) -> str:
    """The `application_name` of the sessions of that worker process."""
    return f"batchline-worker {worker_id}"


def end_sessions(connection: Connection, worker_ids: Iterable[UUID]) -> None:
    """End the sessions of these processes, other than this one, with whatever they are in."""
    names = [session_name(one) for one in worker_ids]
    if names:
        connection.execute(_END, {"names": names})

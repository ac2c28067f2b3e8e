"""What a worker that stops still holds goes back as it was claimed.

It ends each slice after the item under way and leaves the rest of it to others. What is not over
when its time is up goes back: no item has lost an attempt by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.sessions import LIMIT_WAIT_FOR_LOCKS
from app.db.statements.slice_claims import GIVE_BACK_CLAIMS_OF_WORKERS
from app.db.statements.workers import DELETE_WORKERS, FIND_WORKERS_OF_PIDS
from workers.engine.process.heartbeat import this_machine
from workers.engine.process.sessions import end_sessions


def workers_of(connection: Connection, pids: Iterable[int]) -> list[UUID]:
    """The worker ids of these processes of this machine."""
    these = {"machine": this_machine(), "pids": list(pids)}
    return list(connection.execute(FIND_WORKERS_OF_PIDS, these).scalars())


def give_back(connection: Connection, worker_ids: list[UUID]) -> int:
    """Make the slices that these hold READY, as if they had never been claimed; how many.

    Their sessions are ended, with what their transactions have done so far. For processes of
    ours that work no more: others are to be taken over from (takeover.py).
    """
    if not worker_ids:
        return 0
    # Their sessions are ended; one that lingers must not keep the process from ending.
    connection.execute(LIMIT_WAIT_FOR_LOCKS)
    end_sessions(connection, worker_ids)
    given = connection.execute(GIVE_BACK_CLAIMS_OF_WORKERS, {"ids": worker_ids}).rowcount
    connection.execute(DELETE_WORKERS, {"ids": worker_ids})
    return given

"""Giving back slices that a stopping worker has not finished in time.

A stopping worker ends each slice after the item under way. A slice that is still running when the
time is up becomes READY as it was before its claim; no item has lost an attempt by it.
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
    """Make the slices that these workers hold READY, as before their claims; returns how many.

    Their sessions are ended, and so their transactions rolled back. Only for processes of this
    worker that have stopped working; for all others see takeover.py.
    """
    if not worker_ids:
        return 0
    # A session that lingers must not keep the process from ending.
    connection.execute(LIMIT_WAIT_FOR_LOCKS)
    end_sessions(connection, worker_ids)
    given = connection.execute(GIVE_BACK_CLAIMS_OF_WORKERS, {"ids": worker_ids}).rowcount
    connection.execute(DELETE_WORKERS, {"ids": worker_ids})
    return given

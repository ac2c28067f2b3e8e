"""What a worker that stops still holds goes back as it was claimed.

It ends each slice after the item under way and leaves the rest of it to others. What is not over
when its time is up goes back: no item has lost an attempt by it.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from sqlalchemy import Connection, bindparam, delete, text, update

from app.db.models import Slice, Worker
from workers.engine.process.heartbeat import this_machine
from workers.engine.process.sessions import end_sessions

_OF_PIDS = text("SELECT id FROM workers WHERE machine = :machine AND pid = ANY(:pids)")
# Its sessions have been ended; one that lingers must not keep the process from ending.
_PATIENCE = text("SET LOCAL lock_timeout = '3s'")
_GIVE_BACK = (
    update(Slice)
    .where(Slice.worker_id.in_(bindparam("ids", expanding=True)), Slice.state == "CLAIMED")
    .values(state="READY", claim=None, worker_id=None, sent_at=text("'-infinity'"))
)


def workers_of(connection: Connection, pids: Iterable[int]) -> list[UUID]:
    """The worker ids of these processes of this machine."""
    found = connection.execute(_OF_PIDS, {"machine": this_machine(), "pids": list(pids)})
    return list(found.scalars())


def give_back(connection: Connection, worker_ids: list[UUID]) -> int:
    """Make the slices that these hold READY, as if they had never been claimed; how many.

    Their sessions are ended, with what their transactions have done so far. For processes of
    ours that work no more: others are to be taken over from (takeover.py).
    """
    if not worker_ids:
        return 0
    connection.execute(_PATIENCE)
    end_sessions(connection, worker_ids)
    given = connection.execute(_GIVE_BACK, {"ids": worker_ids}).rowcount
    connection.execute(delete(Worker).where(Worker.id.in_(worker_ids)))
    return given

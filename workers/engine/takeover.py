"""Taking slices from worker processes that are dead, or seem so.

A claimed slice whose worker's heartbeat is stale, or whose process is seen to be gone, is ended
without counts, and its items that have no outcome are due again: in small groups first, after a
second death each by itself, so that whichever of them kills workers does so alone. One that has
been there at `POISON_AFTER` deaths ends FAILED. A process that was only paused finds its
claim gone when it comes back; should it sit in a transaction, that is ended here, so that its
locks do not hold up the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, text

from workers.engine.identity import this_machine

log = structlog.get_logger(__name__)

POISON_AFTER = 4

_STALE = text(
    """
    SELECT s.batch_id, s.wave, s.number, s.phase, s.first_index, s.last_index, s.picks,
           s.backend_pid, s.worker_id
    FROM slices s LEFT JOIN workers w ON w.id = s.worker_id
    WHERE s.state = 'CLAIMED'
      AND (w.id IS NULL OR w.id = ANY(CAST(:gone AS uuid[]))
           OR w.heartbeat_at < now() - make_interval(secs => :stale))
    """
)
# Those of the machine that the sweep runs on can be looked at: no need to wait for as long a
# silence as elsewhere. Some it takes: a process that was ended for one item's sake leaves word of
# it, which the one in its place writes down when it starts (watchdog.py).
_HERE = text(
    """
    SELECT DISTINCT w.id, w.pid FROM workers w JOIN slices s ON s.worker_id = w.id
    WHERE s.state = 'CLAIMED' AND w.machine = :machine
      AND w.heartbeat_at < now() - make_interval(secs => least(:stale, greatest(:stale / 2, 5.0)))
    """
)
_END_BACKEND = text(
    """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid = :pid AND datname = current_database() AND application_name = 'batchline-worker'
      AND pid <> pg_backend_pid() AND state IN ('idle in transaction', 'active')
    """
)
_TAKE = text(
    """
    UPDATE slices SET state = :state, claim = NULL, worker_id = NULL, sent_at = '-infinity'
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number AND state = 'CLAIMED'
      AND worker_id = :worker_id
    """
)
# What had been deferred is free again: this try of it does not count as one in vain.
_THEIRS = """
    WHERE batch_id = :batch_id AND index BETWEEN :first AND :last AND status = 'PENDING'
      AND CASE WHEN CAST(:picks AS integer[]) IS NULL THEN due_at IS NULL
               ELSE index = ANY(CAST(:picks AS integer[])) END
"""
_POISON = text(
    f"""
    UPDATE items SET status = 'FAILED', finished_at = clock_timestamp(), due_at = NULL,
        crashes = crashes + 1, attempts = attempts + 1, code = 500,
        message = 'Its worker process died each of the ' || crashes + 1 || ' times it was tried.'
    {_THEIRS} AND crashes + 1 >= :poison_after
    """
)
_AGAIN = text(
    f"""
    UPDATE items SET due_at = now(), deferred = false, crashes = crashes + 1,
        attempts = attempts + 1, code = 500, message = :message
    {_THEIRS}
    """
)
_COUNT_POISON = text(
    """
    UPDATE slices SET failed = failed + :failed
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
    """
)


def take_over_dead_claims(connection: Connection, *, stale_seconds: float) -> int:
    """Take every claim whose worker has not been heard of for that long; how many."""
    here = connection.execute(_HERE, {"machine": this_machine(), "stale": stale_seconds}).all()
    gone = [row.id for row in here if not Path(f"/proc/{row.pid}").exists()]
    taken = 0
    for row in connection.execute(_STALE, {"stale": stale_seconds, "gone": gone}).all():
        taken += _take_over(connection, row)
    return taken


def _take_over(connection: Connection, row: Any) -> bool:
    end_backend(connection, row.backend_pid)
    slice_ = {"batch_id": row.batch_id, "wave": row.wave, "number": row.number}
    # Looking at items without an effect is simply done again.
    state = "READY" if row.phase == "validate" else "DONE"
    found = connection.execute(_TAKE, {**slice_, "state": state, "worker_id": row.worker_id})
    if found.rowcount == 0:
        return False
    if state == "DONE":
        theirs = {
            "batch_id": row.batch_id,
            "first": row.first_index,
            "last": row.last_index,
            "picks": row.picks,
        }
        failed = connection.execute(_POISON, {**theirs, "poison_after": POISON_AFTER}).rowcount
        again = take_again(connection, row, "Its worker process died while it was tried.")
        connection.execute(_COUNT_POISON, {**slice_, "failed": failed})
        log.warning(
            "claim.taken_over",
            batch=str(row.batch_id),
            slice=row.number,
            worker=str(row.worker_id),
            items_again=again,
            items_failed=failed,
        )
    return True


def end_backend(connection: Connection, pid: int | None) -> None:
    """End a worker's session of the database, with whatever transaction it is in."""
    if pid is not None:
        connection.execute(_END_BACKEND, {"pid": pid})


def take_again(connection: Connection, row: Any, message: str) -> int:
    """What the slice `row` has not done is due again, each item by itself; how many."""
    return connection.execute(
        _AGAIN,
        {
            "batch_id": row.batch_id,
            "first": row.first_index,
            "last": row.last_index,
            "picks": row.picks,
            "message": message,
        },
    ).rowcount

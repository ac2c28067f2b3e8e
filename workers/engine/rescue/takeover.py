"""Taking slices from worker processes that are dead, or seem so.

A claimed slice whose worker's heartbeat is stale, or whose process is seen to be gone, is ended
without counts, and its items that have no outcome are due again: in small groups first, after a
second death each by itself (regrouping.py), so that whichever of them kills workers does so alone.
One that has been there at `POISON_AFTER` deaths ends FAILED. A process that was only paused finds
its claim gone when it comes back; should it sit in a transaction, that is ended here, so that its
locks do not hold up the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, text

from app.db.statements.held_items import GIVEN, held, held_by
from workers.engine.outcome.regroup import regroup, take_again
from workers.engine.process.heartbeat import this_machine
from workers.engine.process.sessions import end_sessions

log = structlog.get_logger(__name__)

POISON_AFTER = 4

_STALE = text(
    """
    SELECT s.*, w.ended
    FROM slices s LEFT JOIN workers w ON w.id = s.worker_id
    WHERE s.state = 'CLAIMED'
      AND (w.id IS NULL OR w.id = ANY(CAST(:gone AS uuid[]))
           OR w.heartbeat_at < now() - make_interval(secs => :stale))
    """
)
# Those of the machine that the sweep runs on can be looked at: no need to wait for a silence.
_HERE = text(
    """
    SELECT DISTINCT w.id, w.pid, w.main_pid, w.ended
    FROM workers w JOIN slices s ON s.worker_id = w.id
    WHERE s.state = 'CLAIMED' AND w.machine = :machine
    """
)
# One that is still locked is left to the next round: the sweep has more to do than to wait.
_LOCK = text(
    """
    SELECT FROM slices
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number AND state = 'CLAIMED'
      AND worker_id = :worker_id
    FOR UPDATE SKIP LOCKED
    """
)
_TAKE = text(
    """
    UPDATE slices SET state = :state, claim = NULL, worker_id = NULL, sent_at = '-infinity'
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
    """
)
_POISON = {
    picked: text(
        f"""
        UPDATE items SET status = 'FAILED', finished_at = clock_timestamp(), due_at = NULL,
            crashes = crashes + 1, attempts = attempts + 1, code = 500,
            message = 'Its worker process died each of the ' || crashes + 1
                      || ' times it was tried'
                      || coalesce(', the last time by ' || CAST(:ended AS text), '') || '.'
        WHERE {held(GIVEN, picked=picked)} AND crashes + 1 >= :poison_after
        """
    )
    for picked in (False, True)
}
_COUNT_POISON = text(
    """
    UPDATE slices SET failed = failed + :failed
    WHERE batch_id = :batch_id AND wave = :wave AND number = :number
    """
)


def take_over_dead_claims(connection: Connection, *, stale_seconds: float) -> int:
    """Take every claim whose worker is gone or has not been heard of for that long; how many."""
    here = connection.execute(_HERE, {"machine": this_machine()}).all()
    gone = [row.id for row in here if _is_gone(row)]
    rows = connection.execute(_STALE, {"stale": stale_seconds, "gone": gone}).all()
    end_sessions(connection, {row.worker_id for row in rows})
    return sum(_take_over(connection, row) for row in rows)


def _is_gone(row: Any) -> bool:
    """Whether the process has ended; one whose parent lives, once that has noted what it was."""
    if Path(f"/proc/{row.pid}").exists():
        return False
    parent_lives = row.main_pid is not None and Path(f"/proc/{row.main_pid}").exists()
    return row.ended is not None or not parent_lives


def _take_over(connection: Connection, row: Any) -> bool:
    slice_ = {"batch_id": row.batch_id, "wave": row.wave, "number": row.number}
    held = connection.execute(_LOCK, {**slice_, "worker_id": row.worker_id})
    if held.one_or_none() is None:
        return False
    # Looking at items without an effect is simply done again.
    state = "READY" if row.phase == "validate" else "DONE"
    connection.execute(_TAKE, {**slice_, "state": state})
    if state == "DONE":
        failed = connection.execute(
            _POISON[row.picks is not None],
            {**held_by(row), "poison_after": POISON_AFTER, "ended": row.ended},
        ).rowcount
        how = f" ({row.ended})" if row.ended else ""
        again = take_again(connection, row, f"Its worker process died{how} while it was tried.")
        connection.execute(_COUNT_POISON, {**slice_, "failed": failed})
        regroup(connection, row, again)
        log.warning(
            "claim.taken_over",
            batch=str(row.batch_id),
            slice=row.number,
            worker=str(row.worker_id),
            ended=row.ended,
            items_again=len(again),
            items_failed=failed,
        )
    return True

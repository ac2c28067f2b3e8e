"""How far a batch's long work is, as it stands in the batch's row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.core import lifecycle
from app.core.jsontext import dumps
from app.db import after_commit
from app.db.statements.batches import BatchRow
from app.db.statements.long_work import END_WORK_OF_BATCH, NOTE_WORK_OF_BATCH
from app.events.listeners import listener


@dataclass(frozen=True, slots=True)
class Work:
    """`action`: one of lifecycle.LONG_WORK. `index`: where the next step ends; it goes downwards.

    `done` of `total`: for those who watch, in items. `statuses`: of the items to retry. `where`:
    instead of these, what is `given` of the items that are chosen; of those to retry their `counts`
    by status, of those to cancel what the batch does `after` that.
    """

    action: str
    index: int
    total: int
    done: int = 0
    statuses: tuple[str, ...] = ()
    where: Mapping[str, Any] | None = None


def work_of(batch: BatchRow) -> Work | None:
    """What the batch's row says is under way."""
    if batch.doing is None:
        return None
    return Work(
        batch.doing,
        batch.doing_index or 0,
        batch.doing_total or 0,
        batch.doing_done or 0,
        tuple(batch.doing_statuses or ()),
        batch.doing_where,
    )


def fits(work: Work, batch: BatchRow) -> bool:
    """Whether the batch's state is one in which the work is done.

    It always is, unless a process of an earlier release, which knows nothing of `doing`, has moved
    the batch on meanwhile.
    """
    ended = batch.status in lifecycle.BATCH_ENDED
    return ended == (work.action in (lifecycle.RETRY, lifecycle.RESET, lifecycle.DELETE))


def note_work(connection: Connection, batch_id: UUID, work: Work) -> None:
    """Write how far it is; the caller has locked the batch's row. Watchers are told."""
    connection.execute(
        NOTE_WORK_OF_BATCH,
        {
            "batch_id": batch_id,
            "doing": work.action,
            "index": work.index,
            "done": work.done,
            "total": work.total,
            "statuses": list(work.statuses) or None,
            "where": None if work.where is None else dumps(work.where),
        },
    )
    tell(connection, batch_id)


def end_work(connection: Connection, batch_id: UUID) -> None:
    """Write that nothing is under way any more."""
    connection.execute(END_WORK_OF_BATCH, {"batch_id": batch_id})
    tell(connection, batch_id)


def tell(connection: Connection, batch_id: UUID) -> None:
    """Notify those who watch the batch, once this has committed."""
    after_commit(connection, lambda: listener().progressed(batch_id))

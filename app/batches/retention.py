"""Old batches: removed with their items once they have been over for longer than is kept."""

from __future__ import annotations

from sqlalchemy import Connection

from app.batches.long_work import BEHIND
from app.db.statements.batches import DELETE_EXPIRED_BATCHES, EXPIRE_BATCH


def remove_expired(connection: Connection, *, days: int, most: int = BEHIND.items) -> int:
    """Remove batches that ended over `days` days ago, oldest first; returns how many. 0 keeps all.

    As many as have `most` items together, and at most a hundred; a larger one is deleted in steps
    from then on, as if its client had asked for it. Those that are locked are passed over.
    """
    if days <= 0:
        return 0
    which = {"days": days, "most": most}
    removed = connection.execute(DELETE_EXPIRED_BATCHES, which).rowcount
    return removed or connection.execute(EXPIRE_BATCH, which).rowcount

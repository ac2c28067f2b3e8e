"""Old batches: removed with their items once they have been over for longer than is kept."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.batches import DELETE_EXPIRED_BATCHES


def remove_expired(connection: Connection, *, days: int) -> int:
    """Remove at most ten batches that ended over `days` days ago; returns how many. 0 keeps all."""
    if days <= 0:
        return 0
    return connection.execute(DELETE_EXPIRED_BATCHES, {"days": days}).rowcount

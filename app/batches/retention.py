"""Old batches: removed with their items once they have been over for longer than is kept."""

from __future__ import annotations

from sqlalchemy import Connection, text

# A few at a time: a batch of millions of items takes a while to remove, and nobody waits for it.
_REMOVE = text(
    """
    DELETE FROM batches WHERE id IN (
        SELECT id FROM batches WHERE finished_at < now() - make_interval(days => :days)
        ORDER BY finished_at LIMIT 10 FOR UPDATE SKIP LOCKED)
    """
)


def remove_expired(connection: Connection, *, days: int) -> int:
    """Remove batches that ended more than `days` ago, at most ten; how many. 0 days keeps all."""
    return connection.execute(_REMOVE, {"days": days}).rowcount if days > 0 else 0

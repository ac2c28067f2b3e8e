"""How long a session may take, and be silent, while handlers use its transaction."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.sessions import SET_TIMEOUTS
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.claim.load_items import Loaded

# Seconds that a session may sit idle in the slice's transaction, at least.
_SILENCE = 60.0


def set_timeouts(connection: Connection, claimed: ClaimedSlice, items: list[Loaded]) -> None:
    """Set both for `items`, and the claim by which the transaction is known again."""
    longest = max((loaded.operation.timeout_seconds for loaded in items), default=0.0)
    connection.execute(
        SET_TIMEOUTS,
        {
            # A little later than the interruption, which says better what happened.
            "statement": f"{int((longest + 0.25) * 1000)}ms" if longest else "0",
            "idle": f"{int(max(_SILENCE, 2 * longest))}s",
            "claim": str(claimed.claim),
        },
    )

"""What the handlers of a slice did in a dry run is undone, once what they say of it is known."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.undoing import (
    BEGIN_UNDOING,
    CHECK_CONSTRAINTS,
    LIFT_TIMEOUT,
    UNDO_EFFECTS,
)
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.run.given_connection import TransactionEnded, is_gone


def begin_undoing(connection: Connection, claimed: ClaimedSlice) -> None:
    """From here to `undo_effects` the transaction cannot be committed."""
    connection.execute(BEGIN_UNDOING, {"claim": claimed.claim})


def undo_effects(connection: Connection, claimed: ClaimedSlice) -> None:
    """Back to `begin_undoing`. Raises TransactionEnded where a handler has left no way back.

    First all constraints are checked, the deferred ones too, and raise what they would have raised
    at the commit.
    """
    connection.execute(LIFT_TIMEOUT)
    connection.execute(CHECK_CONSTRAINTS)
    try:
        undone = connection.execute(UNDO_EFFECTS, {"claim": claimed.claim}).scalar()
    except Exception as error:
        if is_gone(error):
            raise TransactionEnded from error
        raise
    if not undone:
        raise TransactionEnded

"""An admin opens or closes a breaker."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.audit.recording import record
from app.batches.breakers.changing import close_by_hand, open_by_hand


def set_breaker(
    connection: Connection, client_id: UUID, operation: str, base: str | None, *, opened: bool
) -> bool:
    """Open or close it, and write who did; whether anything has changed.

    `client_id`: of the admin, as whose action it is recorded. `base`: which of the operation's
    bases; None for all of it, which when closed closes its bases too.
    """
    if opened:
        changed = open_by_hand(connection, operation, base or "")
    else:
        changed = close_by_hand(connection, operation, base)
    if changed:
        action = "operation.open" if opened else "operation.close"
        detail = {"operation": operation, "base": base}
        record(connection, action, client_id=client_id, detail=detail)
    return changed

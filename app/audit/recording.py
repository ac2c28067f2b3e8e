"""Writing the row of an action, in the transaction that it happens in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.core.actor import current_actor
from app.core.correlation import current_request
from app.core.jsontext import dumps
from app.db.statements.audit import INSERT_AUDIT_ROW


def record(
    connection: Connection,
    action: str,
    *,
    client_id: UUID,
    batch_id: UUID | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Write that the action was done: there if, and only if, the transaction commits.

    `action`: `batch.start`. `client_id`: whose the thing is that was changed, whoever did it; that
    stands in the row too, as this thread's actor. `detail`: what else is worth knowing, as JSON; no
    secret and no item's content. One statement.
    """
    connection.execute(
        INSERT_AUDIT_ROW,
        {"action": action, "client_id": client_id, "batch_id": batch_id, **audit_values(detail)},
    )


def audit_values(detail: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The parameters of a statement that writes such a row beside what it is made for."""
    actor = current_actor()
    return {
        "audit_key_id": actor.key_id,
        "audit_key_name": actor.key_name,
        "audit_address": actor.address,
        "audit_request_id": current_request(),
        "audit_detail": dumps(detail or {}),
    }

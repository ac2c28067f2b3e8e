"""Reading what was done, the newest first."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.core.ids import earliest_id
from app.db.statements.audit import AUDIT_FILTERS, select_audit_page, select_end_of_look

LOOK = 10_000
"""Rows that one page looks at: where a filter passes over more, the page ends early."""
# A row's time is of the millisecond of its id.
_SLACK = 2


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An action, as it is shown. `detail`: JSON text."""

    id: UUID
    at: datetime
    action: str
    client_id: UUID
    key_id: UUID | None
    key_name: str | None
    address: str | None
    request_id: str | None
    batch_id: UUID | None
    detail: str


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which actions. `client_id`: whose; None for everybody's. Times are aware, and exclusive."""

    client_id: UUID | None
    batch_id: UUID | None = None
    action: str | None = None
    key_id: UUID | None = None
    after: datetime | None = None
    before: datetime | None = None


def list_audit(
    connection: Connection, which: AuditFilter, *, below: UUID | None = None, limit: int
) -> tuple[list[AuditEntry], UUID | None]:
    """At most `limit` entries older than the entry `below`, newest first, and where to go on.

    That is None where there is no more; it need not be an entry that was found, since no more than
    `LOOK` rows are read.
    """
    asked: dict[str, Any] = {
        "client_id": which.client_id,
        "batch_id": which.batch_id,
        "action": which.action,
        "key_id": which.key_id,
        "after": which.after,
        "before": which.before,
        "below": _lowest(
            below, None if which.before is None else earliest_id(which.before, _SLACK)
        ),
        "from_id": None if which.after is None else earliest_id(which.after, -_SLACK),
    }
    if which.batch_id is not None:
        # The rows of a batch are few; whose they are is looked at among them.
        asked["owner"] = asked.pop("client_id")
    given = {name: value for name, value in asked.items() if value is not None}
    names, values = frozenset(given), {**given, "look": LOOK}
    rows = connection.execute(select_audit_page(names), {**values, "limit": limit + 1}).all()
    found = [AuditEntry(*row) for row in rows]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    if names.isdisjoint(AUDIT_FILTERS):
        return found, None
    end = connection.execute(select_end_of_look(names), values).scalar_one_or_none()
    return found, end


def _lowest(*ids: UUID | None) -> UUID | None:
    return min((each for each in ids if each is not None), default=None)

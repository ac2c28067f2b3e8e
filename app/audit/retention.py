"""Old rows of the audit trail, removed a few thousand at a time."""

from __future__ import annotations

from sqlalchemy import Connection

from app.db.statements.audit import DELETE_OLD_AUDIT

FORGET_AT_ONCE = 5000


def forget_old(connection: Connection, *, days: int, at_once: int = FORGET_AT_ONCE) -> int:
    """Remove rows that are older than `days`, at most `at_once`; returns how many. 0 keeps all."""
    if days <= 0:
        return 0
    return connection.execute(DELETE_OLD_AUDIT, {"days": days, "at_once": at_once}).rowcount

"""The one clock that decides what is due: Postgres'. The clocks of machines differ."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from app.db.statements.server import COMPARE_CLOCK


def has_passed(connection: Connection, moment: datetime) -> bool:
    """Whether `moment` (aware) is past."""
    return bool(connection.execute(COMPARE_CLOCK, {"moment": moment}).scalar_one())

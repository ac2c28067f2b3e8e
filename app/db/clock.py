"""The one clock by which it is decided what is due: Postgres'. Those of machines differ."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text

_PASSED = text("SELECT CAST(:moment AS timestamptz) <= clock_timestamp()")


def has_passed(connection: Connection, moment: datetime) -> bool:
    """Whether `moment` (aware) is over."""
    return bool(connection.execute(_PASSED, {"moment": moment}).scalar_one())

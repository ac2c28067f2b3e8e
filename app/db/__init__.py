"""Postgres: the engine and its transactions, the tables, their migrations, the statements."""

from app.db.engine import (
    after_commit,
    cursor_of,
    is_away,
    is_retryable,
    make_engine,
    refuses_writes,
    sqlstate,
    transaction,
)
from app.db.reading import each_by_itself, read

__all__ = [
    "after_commit",
    "cursor_of",
    "each_by_itself",
    "is_away",
    "is_retryable",
    "make_engine",
    "read",
    "refuses_writes",
    "sqlstate",
    "transaction",
]

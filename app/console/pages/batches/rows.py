"""The list's rows: what each shows, and its HTML, which is kept for who asks again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from uuid import UUID

from markupsafe import Markup, escape

from app.batches.batch_view import BatchView
from app.console.shell.rendering import fragment
from app.console.shell.shown import ago

MOST_KEPT = 2_000
"""Rows whose HTML is kept: forty pages, 2 KB each or at most 5, so 4 MB and at most 10."""


@dataclass(frozen=True, slots=True)
class Row:
    """All that a row shows, so that two that are equal have the same HTML, whoever looks.

    `client`: what its client is called, None where that has no column, empty where it has gone.
    `chosen`: whether it can be, to do something with it.
    """

    id: UUID
    name: str | None
    operation: str | None
    client: str | None
    status: str
    dry_run: str
    waiting_for: str | None
    total: int
    ended: int
    completed: int
    failed: int
    invalid: int
    canceled: int
    running: int
    created_at: datetime
    dialect: str
    chosen: bool


def row_of(batch: BatchView, client: str | None, *, chosen: bool) -> Row:
    """The row of a batch."""
    summary = batch.summary
    return Row(
        id=batch.id,
        name=batch.name,
        operation=batch.operation,
        client=client,
        status=batch.status,
        dry_run=batch.dry_run,
        waiting_for=batch.waiting_for,
        total=summary.total,
        ended=summary.ended,
        completed=summary.completed,
        failed=summary.failed,
        invalid=summary.invalid,
        canceled=summary.canceled,
        running=summary.running,
        created_at=batch.created_at,
        dialect=batch.dialect,
        chosen=chosen,
    )


def html_of(rows: Iterable[Row], now: datetime | None = None) -> Markup:
    """The HTML of the rows, one below the other, as it is `now`."""
    now = now or datetime.now(UTC)
    return Markup("").join(
        Markup(  # noqa: S704 (of what is HTML)
            f"{_html(row)}<td>{ago(row.created_at, now)}</td>"
            f'<td class="muted">{escape(row.dialect)}</td></tr>\n'
        )
        for row in rows
    )


@lru_cache(maxsize=MOST_KEPT)
def _html(row: Row) -> str:
    """Up to the cell that says when it was made, which another moment changes."""
    return str(fragment("batches/row.html", b=row))

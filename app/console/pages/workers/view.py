"""The live worker processes, and what they are at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response
from sqlalchemy import Connection

from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.db import read
from app.db.statements.rows import rows_of
from app.db.statements.workers import (
    LIST_LIVE_WORKERS,
    LIST_WORK_UNDER_WAY,
    ShownWork,
    ShownWorker,
)
from app.web.auth import caller
from app.web.services import services

MOST = 500
"""Workers that are shown, and slices that they are at."""
page = Page(__name__, link=Link("Workers", "/console/workers"))


@dataclass(frozen=True, slots=True)
class _Work:
    """A slice under way. Of another client's it is said that there is one, and no more."""

    operation: str | None
    batch_id: UUID | None
    name: str | None
    since: datetime


@page.get("/workers")
def show() -> Response:
    """The page."""
    return page.answer("page.html", live=part("workers/live.html", **_values()))


@page.get("/workers/live")
def live() -> Response:
    """What of it moves."""
    return page.live("live.html", **_values())


def _values() -> dict[str, Any]:
    workers, work = read(services().engine, _look)
    # Each sign of life makes these another, by less than is shown.
    shown = [
        replace(
            each,
            silent=0.0,
            took_at=_second(each.took_at),
            starving_since=_second(each.starving_since),
        )
        for each in workers
    ]
    # Where they run is for those who run them.
    return {"workers": shown, "work": work, "with_hosts": caller().is_admin}


def _look(connection: Connection) -> tuple[list[ShownWorker], dict[str, list[_Work]]]:
    given = {"stale": services().settings.heartbeat_timeout, "limit": MOST}
    workers = rows_of(ShownWorker, connection.execute(LIST_LIVE_WORKERS, given))
    found = rows_of(ShownWork, connection.execute(LIST_WORK_UNDER_WAY, {"limit": MOST}))
    who, work = caller(), dict[str, list[_Work]]()
    for each in found:
        may_see = who.is_admin or each.client_id == who.client_id
        work.setdefault(str(each.worker_id), []).append(
            _Work(
                each.operation if may_see else None,
                each.batch_id if may_see else None,
                each.name if may_see else None,
                each.claimed_at.replace(microsecond=0),
            )
        )
    return workers, work


def _second(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)

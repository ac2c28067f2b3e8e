"""The live worker processes, and whether they are at work."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from flask import Response

from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.db import read
from app.db.statements.rows import rows_of
from app.db.statements.workers import LIST_LIVE_WORKERS, ShownWorker
from app.web.auth import caller
from app.web.services import services

MOST = 500
page = Page(__name__, link=Link("Workers", "/console/workers"))


@page.get("/workers")
def show() -> Response:
    """The page."""
    return page.answer("page.html", live=part("workers/live.html", **_values()))


@page.get("/workers/live")
def live() -> Response:
    """What of it moves."""
    return page.live("live.html", **_values())


def _values() -> dict[str, Any]:
    here = services()
    given = {"stale": here.settings.heartbeat_timeout, "limit": MOST}
    workers = read(
        here.engine,
        lambda connection: rows_of(ShownWorker, connection.execute(LIST_LIVE_WORKERS, given)),
    )
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
    return {"workers": shown, "with_hosts": caller().is_admin}


def _second(moment: datetime | None) -> datetime | None:
    return moment and moment.replace(microsecond=0)

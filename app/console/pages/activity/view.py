"""The audit: who changed what, newest first."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from app.audit.reading import list_audit
from app.clients.checks import client_id_of
from app.clients.credentials import list_clients
from app.console.pages.activity.filters import PATH, Filters, filters_of
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.db import read
from app.web.auth import caller
from app.web.owners import client_names
from app.web.services import services

PAGE_SIZE = 50
page = Page(__name__, link=Link("Activity", PATH))


@page.get("/activity")
def show() -> Response:
    """The page: a client's own, or for an admin everybody's."""
    filters = filters_of(request.args)
    return page.answer(
        "page.html",
        filters=filters,
        clients=list_clients(services().engine) if caller().is_admin else (),
        live=part("activity/live.html", **_values(filters)),
    )


@page.get("/activity/live")
def live() -> Response:
    """Its rows."""
    return page.live("live.html", **_values(filters_of(request.args)))


def _values(filters: Filters) -> dict[str, Any]:
    who = caller()
    which = filters.asked(client_id_of(filters.client) if who.is_admin else who.client_id)
    before = client_id_of(request.args.get("before", ""))
    entries, end = read(
        services().engine,
        lambda connection: list_audit(connection, which, below=before, limit=PAGE_SIZE),
    )
    return {
        "filters": filters,
        "entries": entries,
        "clients": client_names({each.client_id for each in entries}),
        "before": before,
        "next": end,
    }

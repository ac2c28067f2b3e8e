"""The audit: who changed what, newest first."""

from __future__ import annotations

from flask import Response, request

from app.audit.reading import AuditFilter, list_audit
from app.clients.checks import client_id_of
from app.console.shell.page import Link, Page
from app.db import read
from app.web.auth import caller
from app.web.services import services

PATH = "/console/activity"
PAGE_SIZE = 50
_LONGEST = 60
page = Page(__name__, link=Link("Activity", PATH))


@page.get("/activity")
def show() -> Response:
    """The page: a client's own, or for an admin everybody's."""
    who = caller()
    action = request.args.get("action", "").strip()[:_LONGEST]
    action = action if action.isascii() and action.isprintable() else ""
    which = AuditFilter(None if who.is_admin else who.client_id, action=action or None)
    below = client_id_of(request.args.get("before", ""))
    entries, end = read(
        services().engine,
        lambda connection: list_audit(connection, which, below=below, limit=PAGE_SIZE),
    )
    return page.answer("page.html", entries=entries, action=action, before=below, next=end)

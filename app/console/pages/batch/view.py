"""One batch: how far it is, what went wrong, who did what, and what can be done now."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, g, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.audit.reading import AuditEntry, AuditFilter, list_audit
from app.batches.actions import act, remove
from app.batches.batch_view import BatchView
from app.batches.failures.reading import list_failures
from app.batches.queries import find_batch
from app.batches.waiting import as_it_waits
from app.clients.checks import ADMIN
from app.console.pages.batch.actions import offer, offers
from app.console.shell import csrf
from app.console.shell.page import Page
from app.console.shell.rendering import part
from app.console.shell.roles import WEBHOOKS, WRITE, may
from app.core.errors import NotFound
from app.core.lifecycle import AWAITING
from app.db import read
from app.db.statements.approvals import IS_CONTRIBUTOR
from app.db.statements.overview import LIST_DELIVERIES_OF_BATCH
from app.web.auth import caller
from app.web.owners import client_names, owner_of
from app.web.services import services

page = Page(__name__)
MOST_FAILURES = 50
MOST_ENTRIES = 20
_DELIVERIES_LOOKED_AT = 200
_STOOD = frozenset({"batch.pause", "batch.resume", "batch.retry", "items.retry"})
_ACTIONS = ["start", "approve", "reject", "pause", "resume", "cancel", "retry", "reset", "delete"]


@page.get("/batches/<uuid:batch_id>")
def show(batch_id: UUID) -> Response:
    """The page."""
    values = _values(batch_id)
    return page.answer(
        "page.html",
        batch=values["batch"],
        live=part("batch/live.html", **values),
    )


@page.get("/batches/<uuid:batch_id>/live")
def live(batch_id: UUID) -> Response:
    """What of it moves. Where the batch is gone, an open page loads anew, which says so."""
    try:
        values = _values(batch_id)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page.live("live.html", **values)


@page.get("/batches/<uuid:batch_id>/<action>", scope=WRITE)
def ask(batch_id: UUID, action: str) -> Response:
    """What a dialog asks, as a page of its own: for browsers without scripts."""
    batch = _find(batch_id)
    asked = offer(_known(action), batch)
    return page.answer(
        "ask.html", batch=batch, offer=asked, sentence=asked.sentence or f"{asked.label} it now?"
    )


@page.post("/batches/<uuid:batch_id>/<action>")
def do(batch_id: UUID, action: str) -> BaseResponse:
    """Do it, where the batch's state allows it."""
    here, client_id = services(), owner_of(batch_id)
    if _known(action) == "delete":
        gone = remove(here.engine, client_id, batch_id)
        if not gone:
            here.dispatcher.advance(batch_id)
        return redirect("/console/batches", 303)
    if act(here.engine, client_id, batch_id, action, quotas=caller().quotas):
        here.dispatcher.advance(batch_id)
    return redirect(f"/console/batches/{batch_id}", 303)


def _known(action: str) -> str:
    if action not in _ACTIONS:
        raise NotFound("There is nothing at this path.")
    return action


def _find(batch_id: UUID) -> BatchView:
    client_id = owner_of(batch_id)
    return read(services().engine, lambda connection: find_batch(connection, client_id, batch_id))


def _values(batch_id: UUID) -> dict[str, Any]:
    who, client_id = caller(), owner_of(batch_id)

    def look(connection: Connection) -> dict[str, Any]:
        batch = find_batch(connection, client_id, batch_id)
        failed = batch.summary.failed + batch.summary.invalid
        which = AuditFilter(None if ADMIN in who.scopes else who.client_id, batch_id=batch_id)
        given = {
            "client_id": batch.client_id,
            "batch_id": batch_id,
            "look": _DELIVERIES_LOOKED_AT,
            "limit": MOST_ENTRIES,
        }
        return {
            "batch": batch,
            "failures": list_failures(connection, client_id, batch_id, limit=MOST_FAILURES)
            if failed
            else [],
            "activity": list_audit(connection, which, limit=MOST_ENTRIES)[0],
            "deliveries": connection.execute(LIST_DELIVERIES_OF_BATCH, given).all(),
            "offers": _offers(connection, batch) if may(who, WRITE) else [],
            # An address may hold secrets. One's own webhooks only, as with the API.
            "may_manage": batch.client_id == who.client_id and may(who, WEBHOOKS),
        }

    found = read(services().engine, look)
    found["batch"] = as_it_waits(found["batch"], services().registry)
    # Forms within it are sent with the session that asked for it.
    token = csrf.token_of(g.console_token)
    found["client"] = client_names([found["batch"].client_id]).get(found["batch"].client_id)
    return {**found, "form_token": token, "passing": _pace(found["batch"], found["activity"])}


def _offers(connection: Connection, batch: BatchView) -> list[Any]:
    may_approve = False
    if batch.status == AWAITING:
        asked = {"batch_id": batch.id, "key_id": caller().key_id}
        may_approve = not connection.execute(IS_CONTRIBUTOR, asked).scalar_one()
    return offers(batch, may_approve=may_approve)


def _pace(batch: BatchView, activity: Sequence[AuditEntry]) -> dict[str, float | None]:
    """Items a second since it began, and the seconds that it will take at that pace.

    Neither where it has stood still meanwhile, as `activity` says: the time since it began is then
    not what those items took.
    """
    stood = any(entry.action in _STOOD for entry in activity)
    if stood or batch.started_at is None or not batch.summary.processed:
        return {"rate": None, "left": None}
    until = batch.finished_at or datetime.now(UTC)
    seconds = max(0.001, (until - batch.started_at).total_seconds())
    rate = batch.summary.processed / seconds
    waiting = batch.summary.pending + batch.summary.running
    moving = batch.finished_at is None and batch.status == "RUNNING"
    return {"rate": rate, "left": waiting / rate if moving else None}

"""One batch: how far it is, what went wrong, who did what, and what can be done now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, g, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.batches.actions import act, remove
from app.batches.batch_view import BatchView
from app.batches.queries import find_batch
from app.batches.waiting import as_it_waits
from app.console.pages.batch.actions import Offer, offer, offers
from app.console.pages.batch.reading import Shown, find_shown
from app.console.shell import csrf
from app.console.shell.page import Page
from app.console.shell.rendering import part
from app.console.shell.roles import WEBHOOKS, WRITE, may
from app.core.errors import NotFound
from app.core.lifecycle import AWAITING
from app.db import read
from app.db.statements.approvals import IS_CONTRIBUTOR
from app.db.statements.batch_pages import Action
from app.web.auth import caller
from app.web.owners import owner_of
from app.web.services import services

page = Page(__name__)
_STOOD = frozenset({"batch.pause", "batch.resume", "batch.retry", "items.retry"})
_ACTIONS = ["start", "approve", "reject", "pause", "resume", "cancel", "retry", "reset", "delete"]


@page.get("/batches/<uuid:batch_id>")
def show(batch_id: UUID) -> Response:
    """The page."""
    found = _look(batch_id)
    return page.answer(
        "page.html",
        batch=found[0].batch,
        live=part("batch/live.html", told_by=found, **_values(*found)),
    )


@page.get("/batches/<uuid:batch_id>/live")
def live(batch_id: UUID) -> Response:
    """What of it moves. Where the batch is gone, an open page loads anew, which says so."""
    try:
        found = _look(batch_id)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    if same := page.unchanged("live.html", found):
        return same
    return page.live("live.html", told_by=found, **_values(*found))


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


def _look(batch_id: UUID) -> tuple[Shown, list[Offer]]:
    """The batch, and what its caller may do with it now: all that the live part is made of."""
    who = caller()

    def look(connection: Connection) -> tuple[Shown, list[Offer]]:
        shown = find_shown(connection, who, batch_id)
        return shown, _offers(connection, shown.batch) if may(who, WRITE) else []

    shown, offered = read(services().engine, look)
    return replace(shown, batch=as_it_waits(shown.batch, services().registry)), offered


def _values(shown: Shown, offered: list[Offer]) -> dict[str, Any]:
    who, batch = caller(), shown.batch
    failures, actions, deliveries = shown.beside()
    return {
        "batch": batch,
        "failures": failures,
        "activity": actions,
        "deliveries": deliveries,
        "offers": offered,
        # An address may hold secrets. One's own webhooks only, as with the API.
        "may_manage": batch.client_id == who.client_id and may(who, WEBHOOKS),
        "client": shown.client,
        # Forms within it are sent with the session that asked for it.
        "form_token": csrf.token_of(g.console_token),
        "passing": _pace(batch, actions),
    }


def _offers(connection: Connection, batch: BatchView) -> list[Offer]:
    may_approve = False
    if batch.status == AWAITING:
        asked = {"batch_id": batch.id, "key_id": caller().key_id}
        may_approve = not connection.execute(IS_CONTRIBUTOR, asked).scalar_one()
    return offers(batch, may_approve=may_approve)


def _pace(batch: BatchView, activity: Sequence[Action]) -> dict[str, float | None]:
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

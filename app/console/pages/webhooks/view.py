"""Webhooks, and what was delivered to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.console.shell.roles import WEBHOOKS
from app.console.shell.sign_in_form import HOME, safe_path
from app.core.errors import NotFound
from app.db import after_commit, read, transaction
from app.events.listeners import listener
from app.web.auth import caller
from app.web.services import services
from app.webhooks.delivery_log import list_deliveries, resend
from app.webhooks.registering import WebhookEntry, get_webhook, list_webhooks, rotate_secret
from app.webhooks.trying import send_test

PATH = "/console/webhooks"
MOST = 200
MOST_DELIVERIES = 50
_SENT = {
    "test": "An event is sent, in a moment: below is what comes of it.",
    "resend": "It is sent again, in a moment: below is what comes of it.",
}
page = Page(__name__, link=Link("Webhooks", PATH), scope=WEBHOOKS)


@page.get("/webhooks")
def show() -> Response:
    """A client's own, newest first."""
    return page.answer("page.html", live=part("webhooks/list.html", webhooks=_list()))


@page.get("/webhooks/live")
def live_list() -> Response:
    """Its rows."""
    return page.live("list.html", webhooks=_list())


@page.get("/webhooks/<uuid:webhook_id>")
def one(webhook_id: UUID) -> Response:
    """One, with its latest deliveries."""
    return _one(webhook_id, sent=_SENT.get(request.args.get("done", ""), ""))


@page.get("/webhooks/<uuid:webhook_id>/live")
def live(webhook_id: UUID) -> Response:
    """What of it moves. Where it is gone, the browser loads the page, which says so."""
    try:
        values = _look(webhook_id)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page.live("live.html", **values)


@page.get("/webhooks/<uuid:webhook_id>/rotate")
def back(webhook_id: UUID) -> BaseResponse:
    """Whoever asks for the address of a new secret again is led to the webhook."""
    client_id = caller().client_id
    read(services().engine, lambda found: get_webhook(found, client_id, webhook_id))
    return redirect(f"{PATH}/{webhook_id}", 303)


@page.post("/webhooks/<uuid:webhook_id>/rotate", scope=WEBHOOKS)
def rotate(webhook_id: UUID) -> Response:
    """Give it another secret, which is shown this once."""
    here, client_id = services(), caller().client_id
    with transaction(here.engine) as connection:
        _, secret = rotate_secret(connection, client_id, webhook_id)
    return _one(webhook_id, secret=secret)


@page.post("/webhooks/<uuid:webhook_id>/test", scope=WEBHOOKS)
def test(webhook_id: UUID) -> BaseResponse:
    """Send it an event that tells of nothing."""
    here, client_id = services(), caller().client_id
    with transaction(here.engine) as connection:
        send_test(connection, client_id, webhook_id)
        after_commit(connection, listener().delivery_due)
    return redirect(f"{PATH}/{webhook_id}?done=test", 303)


@page.post("/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend", scope=WEBHOOKS)
def send_again(webhook_id: UUID, delivery_id: UUID) -> BaseResponse:
    """Send a delivery again, now; then `back` to where that was asked for."""
    here, client_id = services(), caller().client_id
    with transaction(here.engine) as connection:
        resend(connection, client_id, webhook_id, delivery_id)
        after_commit(connection, listener().delivery_due)
    back = safe_path(request.form.get("back", ""))
    return redirect(f"{PATH}/{webhook_id}?done=resend" if back == HOME else back, 303)


def _one(webhook_id: UUID, *, secret: str | None = None, sent: str = "") -> Response:
    """`secret`: a new one, to be shown. `sent`: what has just been done, in words."""
    values = _look(webhook_id)
    shown = part("webhooks/live.html", **values)
    return page.answer("one.html", **values, secret=secret, sent=sent, live=shown)


def _list() -> list[WebhookEntry]:
    client_id = caller().client_id
    return read(
        services().engine, lambda connection: list_webhooks(connection, client_id, limit=MOST)
    )


def _look(webhook_id: UUID) -> dict[str, Any]:
    client_id = caller().client_id

    def look(connection: Connection) -> dict[str, Any]:
        return {
            "webhook": get_webhook(connection, client_id, webhook_id),
            "deliveries": list_deliveries(connection, client_id, webhook_id, limit=MOST_DELIVERIES),
        }

    return read(services().engine, look)

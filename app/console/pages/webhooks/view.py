"""Webhooks, and what was delivered to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, redirect
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.console.shell.page import Link, Page
from app.db import after_commit, read, transaction
from app.events.listeners import listener
from app.web.auth import caller
from app.web.services import services
from app.webhooks.delivery_log import list_deliveries, resend
from app.webhooks.registering import get_webhook, list_webhooks, rotate_secret

PATH = "/console/webhooks"
SCOPE = "webhooks.manage"
MOST = 200
MOST_DELIVERIES = 50
page = Page(__name__, link=Link("Webhooks", PATH), scope=SCOPE)


@page.get("/webhooks")
def show() -> Response:
    """A client's own, newest first."""
    client_id = caller().client_id
    found = read(
        services().engine, lambda connection: list_webhooks(connection, client_id, limit=MOST)
    )
    return page.answer("page.html", webhooks=found)


@page.get("/webhooks/<uuid:webhook_id>")
def one(webhook_id: UUID) -> Response:
    """One, with its latest deliveries."""
    return page.answer("one.html", **read(services().engine, _look(webhook_id)), secret=None)


@page.post("/webhooks/<uuid:webhook_id>/rotate", scope=SCOPE)
def rotate(webhook_id: UUID) -> Response:
    """Give it another secret, which is shown this once."""
    here, client_id = services(), caller().client_id
    with transaction(here.engine) as connection:
        _, secret = rotate_secret(connection, client_id, webhook_id)
    return page.answer("one.html", **read(here.engine, _look(webhook_id)), secret=secret)


@page.post("/webhooks/<uuid:webhook_id>/deliveries/<uuid:delivery_id>/resend", scope=SCOPE)
def send_again(webhook_id: UUID, delivery_id: UUID) -> BaseResponse:
    """Send a delivery again, now."""
    here, client_id = services(), caller().client_id
    with transaction(here.engine) as connection:
        resend(connection, client_id, webhook_id, delivery_id)
        after_commit(connection, listener().delivery_due)
    return redirect(f"{PATH}/{webhook_id}", 303)


def _look(webhook_id: UUID) -> Any:
    client_id = caller().client_id

    def look(connection: Connection) -> dict[str, Any]:
        return {
            "webhook": get_webhook(connection, client_id, webhook_id),
            "deliveries": list_deliveries(connection, client_id, webhook_id, limit=MOST_DELIVERIES),
        }

    return look

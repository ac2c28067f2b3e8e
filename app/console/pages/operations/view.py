"""The operations: what their items look like, their limits, and whether they are left alone."""

from __future__ import annotations

from typing import Any

from flask import Response, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.batches.breakers.by_hand import set_breaker
from app.batches.breakers.reading import Breakers
from app.batches.breakers.waking import MOST_SENT, wake
from app.clients.checks import ADMIN
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.core.errors import Invalid, NotFound
from app.core.jsontext import dumps
from app.db import read, transaction
from app.db.statements.operations import LIST_COSTS
from app.operations.description import describe
from app.operations.known import is_remembered, list_operations
from app.web.auth import caller
from app.web.services import services

PATH = "/console/operations"
page = Page(__name__, link=Link("Operations", PATH))


@page.get("/operations")
def show() -> Response:
    """The page."""
    return page.answer("page.html", live=part("operations/live.html", **_values()))


@page.get("/operations/live")
def live() -> Response:
    """What of it moves."""
    return page.live("live.html", **_values())


@page.post("/operations/<path:name>/breaker", scope=ADMIN)
def switch(name: str) -> BaseResponse:
    """Open or close its breaker: all of the operation, or one of its bases."""
    here, state, base = services(), request.form.get("state"), request.form.get("base") or None
    if state not in ("open", "closed"):
        raise Invalid("There is no such state.")
    with transaction(here.engine) as connection:
        found = {each["name"]: each for each in _operations(connection)}.get(name)
        if found is None or base not in {None, *(each["base"] for each in found["breakers"])}:
            raise NotFound(f"There is no operation {name}, or it has no such base.")
        client_id = caller().client_id
        changed = set_breaker(connection, client_id, name, base, opened=state == "open")
    if changed and state == "closed":
        with transaction(here.engine) as connection:
            woken = wake(connection)
        for batch in woken[:MOST_SENT]:
            here.dispatcher.advance(batch.id, batch.queue)
    return redirect(PATH, 303)


def _values() -> dict[str, Any]:
    return {
        "operations": read(services().engine, _operations),
        "may_switch": caller().is_admin,
    }


def _operations(connection: Connection) -> list[dict[str, Any]]:
    here = services()
    known = list_operations(connection, stale=here.settings.heartbeat_timeout)
    published = {one.name: one for one in known}
    said = {operation.name: describe(operation) for operation in here.registry.own}
    for one in known:
        if one.name not in said and one.description and is_remembered(one):
            said[one.name] = dict(one.description)
    breakers = Breakers(connection)
    costs = {row.operation: row.seconds_per_item for row in connection.execute(LIST_COSTS)}
    return [
        {
            "name": name,
            "description": str(said[name].get("description") or ""),
            "schema": dumps(said[name].get("schema") or {}),
            "queue": said[name].get("queue"),
            "attempts": said[name].get("maxAttempts"),
            "timeout": said[name].get("timeoutSeconds"),
            "concurrency": said[name].get("concurrency"),
            "rate": said[name].get("rateLimit"),
            "key": said[name].get("key") or (),
            "cost": costs.get(name),
            "served": name in published and published[name].served,
            **breakers.body(name, said[name]),
        }
        for name in sorted(said)
    ]

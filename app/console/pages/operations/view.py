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
from app.clients.limits import fits
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.console.shell.roles import SUBMIT, may
from app.core.errors import Invalid, NotFound
from app.db import read, transaction
from app.db.statements.operations import LIST_COSTS
from app.operations.listing import listed
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
    def look(connection: Connection) -> tuple[list[dict[str, Any]], dict[str, float]]:
        return _operations(connection), {
            row.operation: row.seconds_per_item for row in connection.execute(LIST_COSTS)
        }

    operations, costs = read(services().engine, look)
    return {
        "operations": operations,
        # Each slice that ends makes it another.
        "passing": {"costs": costs},
        "may_switch": caller().is_admin,
    }


def _operations(connection: Connection) -> list[dict[str, Any]]:
    here = services()
    found = listed(connection, here.registry, stale=here.settings.heartbeat_timeout)
    breakers = Breakers(connection)
    return [
        {
            "name": name,
            "description": str(one.description.get("description") or ""),
            "schema": one.description.get("schema") or {},
            "queue": one.description.get("queue"),
            "attempts": one.description.get("maxAttempts"),
            "timeout": one.description.get("timeoutSeconds"),
            "concurrency": one.description.get("concurrency"),
            "rate": one.description.get("rateLimit"),
            "key": one.description.get("key") or (),
            "served": one.served,
            "offered": (one.here or one.served) and _may_submit(name),
            **breakers.body(name, one.description),
        }
        for name, one in found.items()
    ]


def _may_submit(name: str) -> bool:
    who = caller()
    return may(who, SUBMIT) and (not who.operations or fits(who.operations, name))

"""The batches of a client, or for an admin of all, newest first; and what several are done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response, current_app, redirect, request
from werkzeug.wrappers import Response as BaseResponse

from app.batches.actions import act, remove
from app.batches.ended_views import EndedViews
from app.clients.checks import client_id_of
from app.clients.credentials import list_clients
from app.console.pages.batches.filters import PATH, Filters, filters_of
from app.console.pages.batches.rows import html_of, row_of
from app.console.shell.page import Link, Page
from app.console.shell.rendering import part
from app.console.shell.roles import WRITE, may
from app.console.shell.searches import Searches
from app.core.errors import BatchlineError, Invalid
from app.core.lifecycle import BATCH_STATUSES
from app.db import read
from app.web.auth import caller
from app.web.owners import as_they_wait, client_names, owner_of
from app.web.rates import count_request
from app.web.services import services

page = Page(__name__, link=Link("Batches", PATH))
PAGE_SIZE = 50
MOST_AT_ONCE = 500
_ASKED = {
    "cancel": "What of them has not begun ends CANCELED; what is under way finishes.",
    "delete": "They are removed with all their items. This cannot be undone.",
}
_SEARCHES = Searches()
_VIEWS = "batchline.console.ended_views"
_DONE = {"cancel": "canceled", "retry": "retried", "delete": "deleted"}


@page.get("/batches")
def show() -> Response:
    """The list."""
    filters = filters_of(request.args)
    return page.answer(
        "page.html",
        filters=filters,
        asked=_ASKED,
        statuses=BATCH_STATUSES,
        operations=[each.name for each in services().registry],
        clients=list_clients(services().engine) if caller().is_admin else (),
        done=request.args.get("done", "") if request.args.get("done") in _DONE.values() else "",
        live=part("batches/live.html", **_values(filters)),
    )


@page.get("/batches/live")
def live() -> Response:
    """Its rows."""
    filters, who = filters_of(request.args), caller()
    if not filters.text:
        return page.live("live.html", **_values(filters))
    asked = (who.client_id, who.is_admin, filters, request.args.get("before"))
    return page.live("live.html", **_SEARCHES.again(asked, lambda: _values(filters)))


@page.get("/batches/act")
def back() -> BaseResponse:
    """Whoever asks for the address of what several were done again is led to the list."""
    return redirect(filters_of(request.args).url(), 303)


@page.post("/batches/act")
def act_on_several() -> BaseResponse:
    """Do one thing with all that were chosen; those whose state does not allow it are told of.

    Each counts as a request of its own, so that no quota is got round by a form.
    """
    action, ids = request.form.get("action", ""), _chosen()
    filters = filters_of(request.args)
    if action not in _DONE:
        raise Invalid("There is no such action.")
    if action in _ASKED and "confirmed" not in request.form:
        return page.answer("confirm.html", action=action, ids=ids, asked=_ASKED, filters=filters)
    passed_over = []
    for place, batch_id in enumerate(ids):
        try:
            if place:
                count_request(caller(), services().rates)
            _do(action, batch_id)
        except BatchlineError as error:
            if error.status >= 500:
                raise
            passed_over.append((batch_id, error.detail))
    if passed_over:
        number = len(ids) - len(passed_over)
        return page.answer(
            "partly.html", number=number, done=_DONE[action], others=passed_over, filters=filters
        )
    return redirect(filters.url(done=_DONE[action]), 303)


def _chosen() -> list[UUID]:
    ids = [client_id_of(each) for each in dict.fromkeys(request.form.getlist("id"))]
    chosen = [each for each in ids if each is not None]
    if not chosen:
        raise Invalid("No batch was chosen: tick the box of at least one row.")
    if len(chosen) > MOST_AT_ONCE:
        raise Invalid(f"At most {MOST_AT_ONCE} batches at once.")
    return chosen


def _do(action: str, batch_id: UUID) -> None:
    here, client_id = services(), owner_of(batch_id)
    if action == "delete":
        more = not remove(here.engine, client_id, batch_id)
    else:
        more = act(here.engine, client_id, batch_id, action, quotas=caller().quotas)
    if more:
        here.dispatcher.advance(batch_id)


def _values(filters: Filters) -> dict[str, Any]:
    who = caller()
    client_id = filters.client_id if who.is_admin else who.client_id
    before = client_id_of(request.args.get("before", ""))
    found, end = read(
        services().engine,
        lambda connection: _ended_views().list_batches(
            connection, client_id, filters.asked(), before=before, limit=PAGE_SIZE + 1
        ),
    )
    names = client_names(each.client_id for each in found)
    chosen = may(who, WRITE)
    return {
        "filters": filters,
        "rows": [
            row_of(each, names.get(each.client_id, "") if names else None, chosen=chosen)
            for each in as_they_wait(found[:PAGE_SIZE])
        ],
        "with_clients": bool(names),
        "passing": {"html_of": html_of},
        "before": before,
        "next": found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else end,
        # Without the version that the browser has, which it adds itself each time.
        "query": filters.url(**({"before": str(before)} if before else {})).partition("?")[2],
    }


def _ended_views() -> EndedViews:
    views: EndedViews = current_app.extensions.setdefault(_VIEWS, EndedViews())
    return views

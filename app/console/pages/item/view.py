"""One item: what was sent, what came of it at each try; tried again, with another input or not."""

from __future__ import annotations

from contextlib import suppress
from typing import Any
from uuid import UUID

import msgspec
from flask import Response, redirect, request
from sqlalchemy import Connection
from werkzeug.wrappers import Response as BaseResponse

from app.batches.actions.chosen import act_on_items
from app.batches.actions.edit import edit_item
from app.batches.choices import UNSUCCESSFUL, Choice
from app.batches.history import list_latest_tries
from app.batches.queries import find_batch, find_item
from app.console.shell.page import Page
from app.console.shell.rendering import part
from app.core.errors import BatchlineError, Invalid, NotFound, TooLarge
from app.core.lifecycle import BATCH_ENDED, OPEN, PENDING
from app.db import read
from app.formats.jsonstream import check
from app.web.auth import caller
from app.web.jsonbody import fields_of, read_object
from app.web.owners import owner_of
from app.web.services import services

page = Page(__name__)
MOST_TRIES = 50
# Characters of a try's input, one more than are shown.
_OF_AN_INPUT = 121
_PATH = "/batches/<uuid:batch_id>/items/<int:index>"
_LAST = 2**31 - 1


@page.get(_PATH)
def show(batch_id: UUID, index: int) -> Response:
    """The page."""
    return _page(batch_id, index)


@page.get(f"{_PATH}/live")
def live(batch_id: UUID, index: int) -> Response:
    """What of it moves. Where the item is gone, the browser loads the page, which says so."""
    try:
        values = _values(batch_id, index)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page.live("live.html", **values)


def _page(
    batch_id: UUID, index: int, *, status: int = 200, text: str | None = None, refusal: str = ""
) -> Response:
    """`text`: what stands in the field instead of the input. `refusal`: why that was not taken."""
    values = _values(batch_id, index, text=text, refusal=refusal)
    return page.answer(
        "page.html",
        status,
        batch=values["batch"],
        item=values["item"],
        refused=bool(refusal),
        live=part("item/live.html", **values),
    )


def _values(
    batch_id: UUID, index: int, *, text: str | None = None, refusal: str = ""
) -> dict[str, Any]:
    client_id = owner_of(batch_id)

    def look(connection: Connection) -> dict[str, Any]:
        number = min(index, _LAST)
        item = find_item(connection, client_id, batch_id, number)
        tries = list_latest_tries(
            connection, batch_id, item, limit=MOST_TRIES + 1, characters=_OF_AN_INPUT
        )
        return {
            "batch": find_batch(connection, client_id, batch_id),
            "item": item,
            "tries": tries[:MOST_TRIES],
            "more_tries": len(tries) > MOST_TRIES,
        }

    found = read(services().engine, look)
    batch, item = found["batch"], found["item"]
    ended = batch.status in BATCH_ENDED and batch.doing is None
    return {
        **found,
        "text": text,
        "refusal": refusal,
        "may_retry": ended and item.status in UNSUCCESSFUL,
        "may_edit": (ended and item.status in UNSUCCESSFUL) or batch.status == OPEN,
        "may_cancel": batch.status not in BATCH_ENDED and item.status == PENDING,
    }


@page.post(f"{_PATH}/retry")
def retry(batch_id: UUID, index: int) -> BaseResponse:
    """Run it again as it is."""
    return _act(batch_id, index, "retry")


@page.post(f"{_PATH}/cancel")
def cancel(batch_id: UUID, index: int) -> BaseResponse:
    """Have it end CANCELED before it has begun."""
    return _act(batch_id, index, "cancel")


@page.get(f"{_PATH}/edit")
def back(batch_id: UUID, index: int) -> BaseResponse:
    """Whoever asks for the address of a refused edit again is led to the item."""
    client_id, number = owner_of(batch_id), min(index, _LAST)
    read(services().engine, lambda found: find_item(found, client_id, batch_id, number))
    return redirect(f"/console/batches/{batch_id}/items/{index}", 303)


@page.post(f"{_PATH}/edit")
def edit(batch_id: UUID, index: int) -> BaseResponse:
    """Give it another input, and run it again where its batch has ended."""
    here, client_id = services(), owner_of(batch_id)
    sent = request.form.get("input", "")
    try:
        edit_item(
            here.engine,
            here.registry,
            client_id,
            batch_id,
            min(index, _LAST),
            _checked(sent, here.settings.max_item_bytes),
            operations=caller().operations,
        )
    except BatchlineError as error:
        if error.status not in (400, 413, 422):
            raise
        return _page(batch_id, index, status=error.status, text=sent, refusal=error.detail)
    batch = read(here.engine, lambda connection: find_batch(connection, client_id, batch_id))
    if batch.status == OPEN:
        return redirect(f"/console/batches/{batch_id}/items/{index}", 303)
    try:
        return _act(batch_id, index, "retry")
    except BatchlineError as error:
        if error.status >= 500:
            raise
        # Those were two steps, and the first has been taken.
        return _saved_only(batch_id, index, error)


def _saved_only(batch_id: UUID, index: int, error: BatchlineError) -> Response:
    """The page, where an edit was saved and its retry refused."""
    refusal = f"The edit was saved, but the item was not run again: {error.detail}"
    response = _page(batch_id, index, status=error.status, refusal=refusal)
    if error.retry_after is not None:
        response.headers["Retry-After"] = str(error.retry_after)
    return response


def _checked(text: str, most: int) -> str:
    """The JSON object that it is, without the spaces that are there for whoever reads it.

    Raises as the API does; without those it has to be within the bounds of an item.
    """
    sent = text.strip().encode("utf-8", "replace")
    with suppress(msgspec.DecodeError, RecursionError):  # what is wrong is said below
        sent = msgspec.json.format(sent, indent=-1)
    if len(sent) > most:
        raise TooLarge(f"The item is too large: it may have {most:,} bytes.")
    if not sent.startswith(b"{"):
        raise Invalid("The input must be a JSON object.")
    fields_of(read_object(b'{"input": ' + sent + b"}"), longest=most)
    check(sent)
    return sent.decode()


def _act(batch_id: UUID, index: int, action: str) -> BaseResponse:
    here, client_id, who = services(), owner_of(batch_id), caller()
    choice = Choice(indexes=(min(index, _LAST),))
    act_on_items(
        here.engine,
        client_id,
        batch_id,
        "retry" if action == "retry" else "cancel",
        choice,
        quotas=who.quotas,
    )
    here.dispatcher.advance(batch_id)
    return redirect(f"/console/batches/{batch_id}/items/{index}", 303)

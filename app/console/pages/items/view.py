"""The items of a batch: narrowed down, taken away, run again or canceled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from flask import Response, redirect, request
from sqlalchemy import Connection
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response as BaseResponse

from app.batches.actions.chosen import act_on_items
from app.batches.batch_view import BatchView
from app.batches.choices import Choice
from app.batches.export import Lines, csv_header, csv_rows, ndjson, resubmission
from app.batches.item_pages import read_items
from app.batches.item_view import ItemView, size_of
from app.batches.queries import ItemFilter, find_batch, list_items
from app.console.shell.page import Page
from app.console.shell.rendering import part
from app.core.errors import Invalid, NotFound
from app.core.lifecycle import ITEM_STATUSES_SHOWN
from app.db import read
from app.web.auth import caller
from app.web.owners import owner_of
from app.web.services import services
from app.web.streaming import streamed

page = Page(__name__)
PAGE_SIZE = 50
# Bytes of inputs and results that a page reads.
_MOST_BYTES = 4 * 1024 * 1024
_LONGEST_KEY = 1000
_LAST = 2**31 - 1
_FORMATS: Mapping[str, tuple[bytes, Lines, str, str]] = {
    "ndjson": (b"", ndjson, "application/x-ndjson", "ndjson"),
    "resubmit": (b"", resubmission, "application/x-ndjson", "resubmit.ndjson"),
    # Who takes it away here opens it in a spreadsheet.
    "csv": (csv_header(), csv_rows(guarded=True), "text/csv", "csv"),
}


@dataclass(frozen=True, slots=True)
class Filters:
    """What is asked for; what is nonsense is left out."""

    statuses: tuple[str, ...] = ()
    failure: str = ""
    key: str = ""

    def query(self, **more: str) -> str:
        """The same as an address' query, and `more`."""
        said = [("status", status) for status in self.statuses]
        said += [("failure", self.failure), ("key", self.key), *more.items()]
        given = [(name, value) for name, value in said if value]
        return f"?{urlencode(given)}" if given else ""

    def with_status(self, status: str) -> str:
        """With that status too, or without it if it is among them."""
        others = tuple(each for each in self.statuses if each != status)
        chosen = others if status in self.statuses else (*self.statuses, status)
        return Filters(chosen, self.failure, self.key).query()

    def without(self, name: str) -> str:
        """Without what it says of `failure`, or of `key`; all else stays."""
        failure = "" if name == "failure" else self.failure
        return replace(self, failure=failure, key="" if name == "key" else self.key).query()

    def asked(self) -> ItemFilter:
        """The same for the domain."""
        return ItemFilter(
            statuses=self.statuses, failure=self.failure or None, key=self.key or None
        )


def filters_of(query: MultiDict[str, str]) -> Filters:
    """What the address says."""
    said = [part for each in query.getlist("status") for part in each.split(",")]
    failure, key = query.get("failure", ""), query.get("key", "")
    return Filters(
        tuple(status for status in ITEM_STATUSES_SHOWN if status in said),
        failure if failure.isascii() and failure.isalnum() and len(failure) <= 64 else "",
        key.strip().replace("\x00", "").encode("utf-8", "ignore").decode()[:_LONGEST_KEY],
    )


@page.get("/batches/<uuid:batch_id>/items")
def show(batch_id: UUID) -> Response:
    """The list, by index."""
    values = _values(batch_id)
    return page.answer(
        "page.html",
        batch=values["batch"],
        filters=values["filters"],
        statuses=ITEM_STATUSES_SHOWN,
        live=part("items/live.html", **values),
    )


@page.get("/batches/<uuid:batch_id>/items/live")
def live(batch_id: UUID) -> Response:
    """Its rows. Where the batch is gone, the browser loads the page, which says so."""
    try:
        values = _values(batch_id)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page.live("live.html", **values)


def _values(batch_id: UUID) -> dict[str, Any]:
    filters, after = filters_of(request.args), _index(request.args.get("after", ""))
    client_id = owner_of(batch_id)

    def look(connection: Connection) -> tuple[BatchView, list[ItemView], int | None]:
        batch = find_batch(connection, client_id, batch_id)
        items, end = list_items(
            connection,
            client_id,
            batch_id,
            which=filters.asked(),
            after=after,
            limit=PAGE_SIZE + 1,
            most_bytes=_MOST_BYTES,
        )
        return batch, items, end

    batch, items, end = read(services().engine, look)
    # Where inputs are large, a page ends early: whether there is more is then seen on the next.
    if len(items) > PAGE_SIZE or size_of(items) >= _MOST_BYTES:
        end = items[:PAGE_SIZE][-1].index
    return {
        "batch": batch,
        "items": items[:PAGE_SIZE],
        "filters": filters,
        "after": after,
        "next": end,
    }


@page.get("/batches/<uuid:batch_id>/download")
def download(batch_id: UUID) -> Response:
    """The items as a file, streamed; always as a download, since others wrote what is in it."""
    wanted = request.args.get("format", "ndjson")
    if wanted not in _FORMATS:
        raise NotFound("There is no such format.")
    head, lines, kind, ending = _FORMATS[wanted]
    which = filters_of(request.args).asked()
    pages = read_items(services().engine, owner_of(batch_id), batch_id, which=which, after=-1)
    first = next(pages)

    def chunks() -> Iterator[bytes]:
        yield head
        for each in chain([first], pages):
            yield lines(each)

    return streamed(request, chunks(), kind, filename=f"{batch_id}.{ending}")


@page.post("/batches/<uuid:batch_id>/items/act")
def act_on_chosen(batch_id: UUID) -> BaseResponse:
    """Run the ticked items again, or cancel them."""
    action = request.form.get("action", "")
    indexes = [_index(each) for each in request.form.getlist("index")]
    chosen = tuple(sorted({each for each in indexes if each >= 0}))
    if not chosen:
        raise Invalid("No item was chosen: tick the box of at least one row.")
    here, client_id = services(), owner_of(batch_id)
    choice = Choice(indexes=chosen)
    if action == "retry":
        act_on_items(here.engine, client_id, batch_id, "retry", choice, quotas=caller().quotas)
    elif action == "cancel":
        act_on_items(here.engine, client_id, batch_id, "cancel", choice, quotas=caller().quotas)
    else:
        raise Invalid("There is no such action.")
    here.dispatcher.advance(batch_id)
    return redirect(f"/console/batches/{batch_id}", 303)


def _index(text: str) -> int:
    """-1 for what is none."""
    plain = text.isascii() and text.isdigit() and len(text) <= 10
    return min(int(text), _LAST) if plain else -1

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

from app.audit.reading import AuditFilter, list_audit
from app.batches.actions.chosen import act_on_items
from app.batches.batch_view import BatchView
from app.batches.choices import Choice
from app.batches.export import Lines, csv_header, csv_rows, ndjson, resubmission
from app.batches.fields import JsonText
from app.batches.item_pages import read_items
from app.batches.item_view import ItemView, size_of
from app.batches.queries import ItemFilter, find_batch, list_items
from app.console.shell.page import Page
from app.console.shell.rendering import part
from app.console.shell.searches import Searches
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
_LEFT_OUT = JsonText("null")
_ENTRIES = 20
_SEARCHES = Searches()
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


@dataclass(frozen=True, slots=True)
class _Asked:
    """A page of items that is asked for, and its batch as it was just before they are read.

    `state`: what tells one state of that page from another, once the batch has ended; else None.
    """

    batch: BatchView
    filters: Filters
    after: int
    state: tuple[Any, ...] | None


@dataclass(frozen=True, slots=True)
class _Found:
    """Its items, without what it does not show; `next`: behind which there are more."""

    items: list[ItemView]
    next: int | None


@page.get("/batches/<uuid:batch_id>/items")
def show(batch_id: UUID) -> Response:
    """The list, by index."""
    asked = _ask(batch_id)
    return page.answer(
        "page.html",
        batch=asked.batch,
        filters=asked.filters,
        statuses=ITEM_STATUSES_SHOWN,
        live=part("items/live.html", told_by=asked.state, **_values(asked, _look(asked))),
    )


@page.get("/batches/<uuid:batch_id>/items/live")
def live(batch_id: UUID) -> Response:
    """Its rows. Where the batch is gone, the browser loads the page, which says so."""
    try:
        asked = _ask(batch_id)
        if asked.state is not None and (same := page.unchanged("live.html", asked.state)):
            return same
        found = _look_again(asked)
    except NotFound:
        if "HX-Request" not in request.headers:
            raise
        return Response(status=200, headers={"HX-Refresh": "true"})
    return page.live("live.html", told_by=asked.state, **_values(asked, found))


def _ask(batch_id: UUID) -> _Asked:
    filters, after = filters_of(request.args), _index(request.args.get("after", ""))
    client_id = owner_of(batch_id)

    def look(connection: Connection) -> _Asked:
        batch = find_batch(connection, client_id, batch_id)
        state = (filters, after, _changes_of(connection, batch)) if batch.ended else None
        return _Asked(batch, filters, after, state)

    return read(services().engine, look)


def _changes_of(connection: Connection, batch: BatchView) -> tuple[Any, ...]:
    """What is another once anything has changed an item of the ended batch.

    Nothing does by itself. What somebody does stands in the audit; an edit there alone. Several
    entries, as they are of the clocks of several processes: the newest may not be the last.
    """
    which = AuditFilter(None, batch_id=batch.id)
    entries, _ = list_audit(connection, which, limit=_ENTRIES)
    return (batch.id, batch.revision, [entry.id for entry in entries])


def _look(asked: _Asked) -> _Found:
    batch = asked.batch
    items, end = read(
        services().engine,
        lambda connection: list_items(
            connection,
            batch.client_id,
            batch.id,
            which=asked.filters.asked(),
            after=asked.after,
            limit=PAGE_SIZE + 1,
            most_bytes=_MOST_BYTES,
        ),
    )
    # Where inputs are large, a page ends early: whether there is more is then seen on the next.
    if len(items) > PAGE_SIZE or size_of(items) >= _MOST_BYTES:
        end = items[:PAGE_SIZE][-1].index
    shown = [replace(each, input=_LEFT_OUT, result=None) for each in items[:PAGE_SIZE]]
    return _Found(shown, end)


def _look_again(asked: _Asked) -> _Found:
    """No index finds a key: of an unfinished batch it is looked for again as a search is."""
    if asked.state is not None or not asked.filters.key:
        return _look(asked)
    whose = (asked.batch.client_id, asked.batch.id, asked.filters, asked.after)
    found: _Found = _SEARCHES.again(whose, lambda: _look(asked))
    return found


def _values(asked: _Asked, found: _Found) -> dict[str, Any]:
    return {
        "batch": asked.batch,
        "items": found.items,
        "filters": asked.filters,
        "after": asked.after,
        "next": found.next,
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

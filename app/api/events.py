"""/v1/batches/{id}/events: a batch's progress and end, as they happen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from uuid import UUID

from flask import Response, request

from app.api.documents import LAST_EVENT_ID, text_answer
from app.batches.batch_view import BatchView
from app.batches.queries import find_batch
from app.batches.serializers import summary_body
from app.batches.watched_batch import Following
from app.db import read
from app.web.auth import caller, require
from app.web.blueprint import Blueprint
from app.web.owners import Bodies, owner_of
from app.web.quotas import take_stream
from app.web.responses import encode
from app.web.services import services
from app.web.sse import HEADERS, HEARTBEAT, MIMETYPE, Line, event
from app.web.still_good import IDLE_EVERY, still_good
from app.web.turns import rest
from app.web.watch import batch_watch, waiting_places

blueprint = Blueprint(
    "events", __name__, url_prefix="/v1/batches/<uuid:batch_id>", description="Follow a batch."
)
_HEARTBEAT_EVERY = 15.0
# Seconds between two comments on a silent stream, which show whether the client is still there.
_GLANCE_EVERY = 2.0
_EXAMPLE = """retry: 2000

event: progress
id: 7-1-0-1
data: {"total": 1, "pending": 0, "running": 0, "completed": 1, "failed": 0, "invalid": 0, \
"canceled": 0, "processed": 1}

"""
_RETRY = b"retry: 2000\n\n"
_LATER = b"retry: 5000\n\n"


@blueprint.route("/events", methods=["GET"])
@require("batches.read", or_admin=True)
@blueprint.response(
    200,
    **text_answer(_EXAMPLE),
    content_type=MIMETYPE,
    description="`progress` (the summary) when it changes, at most four times a second; then "
    "`finished` (the batch), and the end.",
)
@blueprint.alt_response(204, description="`Last-Event-ID` was the `finished` of this batch.")
@blueprint.doc(operationId="followBatch", parameters=[LAST_EVENT_ID])
def events(batch_id: UUID) -> Response:
    """Follow a batch

    Server-Sent Events. After an interruption, `Last-Event-ID` goes on: what it names is not told
    again. Every event tells how things stand, so that none that was missed is needed.
    """
    client_id = owner_of(batch_id)
    batch = read(services().engine, lambda connection: find_batch(connection, client_id, batch_id))
    last = request.headers.get("Last-Event-ID", "")
    if batch.ended and last == _finished_id(batch):
        # 204 keeps a browser from reconnecting.
        return Response(status=204)
    told = _events(
        _follow(batch_id),
        batch,
        last,
        Line(request.environ),
        Bodies([batch]),
        still_good(every=IDLE_EVERY),
        still_good(),
        rest(),
    )
    place = take_stream()
    response = Response(
        told,
        headers=HEADERS,
        content_type=MIMETYPE,
    )
    if place is not None:
        response.call_on_close(place.give_back)
    return response


def _follow(batch_id: UUID) -> AbstractContextManager[Following | None]:
    """A context in which the batch is followed; of None where the client, or all, follow enough."""
    watch, places, client_id = batch_watch(), waiting_places(), caller().client_id

    @contextmanager
    def following() -> Iterator[Following | None]:
        with places.place(client_id) as found:
            if not found:
                yield None
                return
            with watch.follow(batch_id) as following:
                yield following

    return following()


def _events(
    follow: AbstractContextManager[Following | None],
    batch: BatchView,
    last: str,
    line: Line,
    body: Bodies,
    is_good: Callable[[], bool],
    is_good_now: Callable[[], bool],
    rest: Callable[[], AbstractContextManager[None]],
) -> Iterator[bytes]:
    with follow as following:
        # If too many follow already, the client gets one look, and reconnects for the next.
        yield _LATER if following is None else _RETRY
        newest: BatchView | None = batch
        written_at = time.monotonic()
        while True:
            state = line.state()
            if state == "gone" or not is_good():
                return
            if state == "free" and newest is not None:
                text, last = _events_after(newest, last, body)
                if text:
                    if not is_good_now():
                        return
                    yield text
                    written_at = time.monotonic()
                if newest.ended:
                    return
                newest = None
            elif state == "free" and time.monotonic() - written_at >= _HEARTBEAT_EVERY:
                yield HEARTBEAT
                written_at = time.monotonic()
            if following is None or following.over:
                return
            with rest():
                seen = following.next(_GLANCE_EVERY)
            newest = seen or newest


def _events_after(batch: BatchView, last: str, body: Bodies) -> tuple[bytes, str]:
    """The events to send after `last` (an event's id, or empty), and the id that is then last."""
    text = b""
    progress = _progress_id(batch)
    if last != progress:
        text = event("progress", encode(summary_body(batch.summary)), progress)
        last = progress
    if batch.ended:
        last = _finished_id(batch)
        text += event("finished", encode(body(batch)), last)
    return text, last


def _progress_id(batch: BatchView) -> str:
    summary = batch.summary
    return f"{batch.revision}-{summary.ended}-{summary.running}-{summary.total}"


def _finished_id(batch: BatchView) -> str:
    return f"{batch.revision}-finished"

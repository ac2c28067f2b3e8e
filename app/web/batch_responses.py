"""Answers about batches: `ETag` and `Retry-After`."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from flask import Response, request
from sqlalchemy import Connection

from app.batches.batch_view import BatchView
from app.core.lifecycle import AWAITING, OPEN, SCHEDULED
from app.web.owners import Bodies
from app.web.responses import encode

# How long to wait before asking again: by the age of the batch, so that a short one is seen to
# end at once and a long one is not asked for all the time. Seconds: younger than, then.
_PATIENCE = ((10, 1), (60, 2), (300, 5), (1800, 15))
_LONGEST_PATIENCE = 30


def batch_headers(batch: BatchView) -> dict[str, str]:
    """`Retry-After` as long as the batch has not ended."""
    return {} if batch.ended else {"Retry-After": str(retry_after(batch))}


def batch_answer(
    batch: BatchView, status: int = 200, *, connection: Connection | None = None
) -> Response:
    """The batch, with `Retry-After` until it has ended, and the `ETag` of what is answered.

    `connection`: one to ask over what else the caller is shown of it, where there is one.
    """
    body = encode(Bodies([batch], connection)(batch))
    headers = {**batch_headers(batch), "ETag": f'"{hashlib.sha256(body).hexdigest()[:32]}"'}
    return Response(body, status, headers, mimetype="application/json")


def conditional(response: Response) -> Response:
    """`response`, or 304 where the request's If-None-Match names its ETag."""
    etag, _ = response.get_etag()
    if etag is not None and request.if_none_match.contains_weak(etag):
        response.status_code = 304
        response.set_data(b"")
        del response.headers["Content-Length"]
        del response.headers["Content-Type"]
    return response


def retry_after(batch: BatchView, now: datetime | None = None) -> int:
    """Seconds after which asking for the batch again may tell something new."""
    now = now or datetime.now(UTC)
    if batch.status == SCHEDULED and batch.scheduled_at is not None:
        return max(1, min(300, round((batch.scheduled_at - now).total_seconds())))
    if batch.status in (OPEN, AWAITING):
        return _LONGEST_PATIENCE
    age = (now - (batch.started_at or batch.created_at)).total_seconds()
    return next((wait for below, wait in _PATIENCE if age < below), _LONGEST_PATIENCE)

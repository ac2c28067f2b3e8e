"""A client's places for submissions and streams, as requests come up against them.

Requests a second are counted as they are authenticated (`app.web.rates`), and what is counted in
rows where these are written (`app.batches.admission`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Request

from app.clients.quotas import STREAMS_AT_ONCE, SUBMISSIONS_AT_ONCE
from app.web.auth import caller
from app.web.places import Place
from app.web.services import services

SMALL = 256 * 1024
"""Bytes of a body that is taken within milliseconds of its coming."""


@contextmanager
def submitting(request: Request, *, small: bool | None = None) -> Iterator[None]:
    """Hold one of the client's places for submissions while the block lasts. Raises OverQuota.

    Under the default alone small bodies are not counted, so that they cost nothing: they are over
    before others of them could be counted. `small`: said by whoever knows better than the request.
    """
    who = caller()
    most = who.quotas[SUBMISSIONS_AT_ONCE]
    if small is None:
        small = _is_small(request)
    if most is None or (SUBMISSIONS_AT_ONCE not in who.quotas.own and small):
        yield
        return
    with services().submissions.held(who.client_id, most):
        yield


def take_stream() -> Place | None:
    """One of the client's places for waits and event streams, to be given back when it is over.

    None where they are not limited. Raises OverQuota.
    """
    who = caller()
    most = who.quotas[STREAMS_AT_ONCE]
    return None if most is None else services().streams.take(who.client_id, most)


def _is_small(request: Request) -> bool:
    length = request.content_length
    return length is not None and length <= SMALL and "Content-Encoding" not in request.headers

"""A batch's Server-Sent Events, over a connection that may break."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from batchline.client.api import Api, segment
from batchline.client.errors import ApiError, NotFollowed

FINISHED = "finished"
# Seconds without a byte after which the connection is taken for broken. The server sends something
# every 15.
_SILENCE = 45.0
_TRIES = 10
_PAUSE = 0.5


@dataclass(frozen=True, slots=True)
class Event:
    """`progress`, whose data is the summary, or `finished`, whose data is the batch."""

    name: str
    id: str
    data: dict[str, Any]


def follow(api: Api, batch_id: str) -> Iterator[Event]:
    """The batch's events, the last of which is `finished`.

    A connection that breaks is made again, and goes on behind the last event. Raises ApiError for
    a refusal, and where it cannot be made again for some seconds; NotFollowed where there are none.
    """
    last: str | None = None
    failures = 0
    while True:
        try:
            for event in _one_connection(api, batch_id, last):
                last, failures = event.id, 0
                yield event
                if event.name == FINISHED:
                    return
        except ApiError as error:
            failures += 1
            if error.status or isinstance(error, NotFollowed) or failures > _TRIES:
                raise
        time.sleep(_PAUSE)


def _one_connection(api: Api, batch_id: str, last: str | None) -> Iterator[Event]:
    headers = {"Accept": "text/event-stream"}
    if last is not None:
        headers["Last-Event-ID"] = last
    path = f"/v1/batches/{segment(batch_id)}/events"
    with api.stream("GET", path, headers=headers, read_timeout=_SILENCE) as response:
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            raise NotFollowed(f"{api.url} does not offer events.")
        try:
            yield from parse(response.iter_lines())
        except httpx.HTTPError as error:
            raise ApiError(f"The connection to {api.url} broke: {error}") from error


def parse(lines: Iterable[str]) -> Iterator[Event]:
    """Events from the lines of a stream. Comments and anything else are passed over."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        elif "data" in fields:
            yield Event(fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"]))
            fields = {}
        else:
            fields = {}

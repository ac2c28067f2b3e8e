"""A batch's results, chunk by chunk, over a connection that may break."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx

from batchline.client.api import Api, segment
from batchline.client.errors import ApiError
from batchline.client.resending import is_open

_TRIES = 5
_PAUSE = 1.0


def download(api: Api, batch_id: str, query: Mapping[str, Any]) -> Iterator[bytes]:
    """The bytes of `GET /v1/batches/{id}/results`; `query` without what is None.

    Of NDJSON only whole lines are given, and after an interruption it goes on behind the last.
    Raises ApiError.
    """
    given = {name: value for name, value in query.items() if value is not None}
    path = f"/v1/batches/{segment(batch_id)}/results"
    if given.get("format", "ndjson") != "ndjson":
        yield from _once(api, path, given)
        return
    failures = 0
    while True:
        whole = b""
        try:
            for whole in _whole_lines(_once(api, path, given)):
                failures = 0
                yield whole
                given["after"] = json.loads(whole[whole[:-1].rfind(b"\n") + 1 :])["index"]
            return
        except ApiError as error:
            failures += 1
            if not is_open(error) or failures > _TRIES:
                if "after" in given:
                    said = f"{error}\nGo on with --after {given['after']}."
                    raise ApiError(said, status=error.status, body=error.body) from error
                raise
            pause = error.retry_after or _PAUSE
        time.sleep(pause)


def _once(api: Api, path: str, query: Mapping[str, Any]) -> Iterator[bytes]:
    with api.stream("GET", path, params=query, read_timeout=120.0) as response:
        try:
            yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise ApiError(f"The connection to {api.url} broke: {error}") from error


def _whole_lines(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same bytes, cut behind line ends."""
    rest = b""
    for chunk in chunks:
        rest += chunk
        end = rest.rfind(b"\n") + 1
        if end:
            yield rest[:end]
            rest = rest[end:]

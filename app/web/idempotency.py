"""`Idempotency-Key`: how a view carries a request out once, however often it is sent."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from flask import Request, Response
from sqlalchemy import Connection

from app.clients.idempotency_keys import LONGEST_KEY, Claim, Remembered
from app.core.errors import Malformed
from app.web.auth import caller
from app.web.bodies import Body
from app.web.services import services

HEADER = "Idempotency-Key"
REPLAYED = "Idempotent-Replayed"
IDEMPOTENCY_KEY: dict[str, Any] = {
    "in": "header",
    "name": HEADER,
    "schema": {"type": "string", "maxLength": 255},
    "description": "The same key with the same request, within 24 hours, is answered as the "
    "first time, with `Idempotent-Replayed: true`, and carried out only once.",
}
"""The header's description in the OpenAPI document."""
# Those that belong to the answer, and are repeated with it.
_KEPT_HEADERS = ("Content-Type", "Location", "Retry-After", "ETag")
_TICK_EVERY = 4096
Entry = TypeVar("Entry")


class Attempt:
    """One sending of a request. Without an `Idempotency-Key` all its methods do nothing."""

    def __init__(self, request: Request, claim: Claim | None) -> None:
        self._claim = claim
        self.remembered: Remembered | None = None if claim is None else claim.take()
        self.digest = hashlib.sha256() if claim is not None else None
        if self.digest is not None:
            # The same request: its method and path, its query, and how its body is to be read. And
            # what its key may: no other key is told what an admin was answered of another's batch,
            # or that what it may not submit has been taken. No pattern of operations has a space.
            who = caller()
            for part in (
                *((" admin",) if who.is_admin else ()),
                *who.operations,
                request.method,
                request.path,
                request.query_string.decode("latin-1"),
                request.headers.get("Content-Type", ""),
                request.headers.get("Content-Encoding", ""),
            ):
                self.digest.update(f"{part}\n".encode("utf-8", "surrogateescape"))

    @property
    def claimed(self) -> bool:
        """Whether the answer is to be kept, in the transaction that does the work."""
        return self._claim is not None

    @property
    def tick(self) -> Callable[[], None]:
        """Call this now and then while the request is carried out: the key stays claimed."""
        return (lambda: None) if self._claim is None else self._claim.touch

    def alive(self, items: Iterable[Entry]) -> Iterable[Entry]:
        """`items`; iterating over them keeps the key claimed."""
        return items if self._claim is None else ticking(items, self._claim.touch)

    def replay(self, body: Body) -> Response:
        """The answer given before. Reads `body`, which has to be the same. Raises KeyReused."""
        if self.remembered is None or self.digest is None:
            raise RuntimeError("there is nothing to replay")
        body.drain()
        self.remembered.check(self.digest.digest())
        headers = {**self.remembered.headers, REPLAYED: "true"}
        return Response(self.remembered.body, self.remembered.status, headers)

    def keep(self, connection: Connection, response: Response) -> None:
        """Remember `response`, in the transaction that did the work. The body has been read."""
        if self._claim is None or self.digest is None:
            return
        self._claim.keep(
            connection,
            fingerprint=self.digest.digest(),
            status=response.status_code,
            headers={
                name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers
            },
            body=response.get_data(),
        )


def ticking(items: Iterable[Entry], tick: Callable[[], None]) -> Iterator[Entry]:
    """`items`; `tick` is called now and then while they are gone through."""
    for number, item in enumerate(items):
        if not number % _TICK_EVERY:
            tick()
        yield item


@contextmanager
def attempt(request: Request) -> Iterator[Attempt]:
    """Carry `request` out, by the caller that was authenticated, under its `Idempotency-Key`.

    An exception inside releases the key. Raises Malformed for a key that cannot be used, and
    KeyInFlight while another request with the key is in flight.
    """
    key = request.headers.get(HEADER)
    if key is None:
        yield Attempt(request, None)
        return
    if not 0 < len(key) <= LONGEST_KEY or not key.isprintable() or not key.isascii():
        raise Malformed(f"{HEADER} must be 1 to {LONGEST_KEY} printable ASCII characters.")
    claim = Claim(services().engine, caller().client_id, key)
    try:
        yield Attempt(request, claim)
    except BaseException:
        claim.release()
        raise

"""Idempotency keys: a request that is sent again is answered again, not carried out again.

A key is claimed before anything is read of the request, so that a second one that comes while the
first is in flight is told so. The answer is stored in the transaction that does the work: both
are there, or neither. A request that is refused gives its key back. A claim that a crash left
expires; a slow request keeps its claim by `touch`. If the claim was lost all the same, the work is
rolled back, so that nothing is ever done twice.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from app.core.computing import aside
from app.core.errors import BatchlineError, FieldError, KeyInFlight, KeyReused
from app.core.ids import new_id
from app.db import each_by_itself
from app.db.statements.idempotency_keys import (
    CLAIM_KEY,
    DELETE_EXPIRED,
    FIND_ANSWER,
    KEEP_ANSWER,
    RELEASE_CLAIM,
    TOUCH_CLAIM,
)

log = structlog.get_logger(__name__)

_TOUCH_EVERY = 10
LONGEST_KEY = 255
# What a sweep removes: more a second than are ever made.
FORGET_AT_ONCE = 5000

_IN_FLIGHT = "A request with this Idempotency-Key is still being carried out."


@dataclass(frozen=True, slots=True)
class Remembered:
    """An answer given before. `headers` are those that belong to it."""

    fingerprint: bytes
    status: int
    headers: dict[str, str]
    body: bytes

    def check(self, fingerprint: bytes) -> None:
        """Raise KeyReused unless the request is the one that was answered."""
        if fingerprint != self.fingerprint:
            raise KeyReused(
                "This Idempotency-Key was used for another request.",
                errors=[FieldError("", "Not the request that the key was used for.")],
            )


class Claim:
    """A key that this request holds until it is kept or released."""

    def __init__(self, engine: Engine, client_id: UUID, key: str) -> None:
        self._engine = engine
        self._named: dict[str, Any] = {"client_id": client_id, "key": key, "claim": new_id()}
        self._touched_at = time.monotonic()

    def take(self) -> Remembered | None:
        """Claim the key, or tell what was answered before.

        Raises KeyInFlight where another request with the key is in flight.
        """
        while True:
            with each_by_itself(self._engine) as connection:
                if connection.execute(CLAIM_KEY, self._named).one_or_none() is not None:
                    return None
                found = connection.execute(FIND_ANSWER, self._named).one_or_none()
            if found is None:
                continue  # given back in between
            if found.status is None:
                raise KeyInFlight(_IN_FLIGHT, retry_after=1)
            return _remembered(found)

    def touch(self) -> None:
        """Keep the claim from expiring. Cheap: most calls do nothing."""
        now = time.monotonic()
        if now - self._touched_at >= _TOUCH_EVERY:
            self._touched_at = now
            try:
                with aside(), each_by_itself(self._engine) as connection:
                    connection.execute(TOUCH_CLAIM, self._named)
            except (SQLAlchemyError, BatchlineError) as error:
                # No reason to give up the work: the claim outlasts several failures.
                log.warning("idempotency.not_touched", error=str(error))

    def keep(
        self,
        connection: Connection,
        *,
        fingerprint: bytes,
        status: int,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        """Remember the answer, in the transaction that does the work.

        Raises KeyInFlight where the claim has been lost to another request.
        """
        kept = connection.execute(
            KEEP_ANSWER,
            {
                **self._named,
                "fingerprint": fingerprint,
                "status": status,
                "headers": headers,
                "body": body,
            },
        ).rowcount
        if kept != 1:
            raise KeyInFlight(_IN_FLIGHT, retry_after=1)

    def release(self) -> None:
        """Give the key back, as the request was refused. Does nothing once it has been kept."""
        try:
            with each_by_itself(self._engine) as connection:
                connection.execute(RELEASE_CLAIM, self._named)
        except (SQLAlchemyError, BatchlineError) as error:
            log.warning("idempotency.not_released", error=str(error))  # it expires


def find_remembered(connection: Connection, client_id: UUID, key: str) -> Remembered | None:
    """The answer that was given to the client's request with that key, if it has been given."""
    found = connection.execute(FIND_ANSWER, {"client_id": client_id, "key": key}).one_or_none()
    return None if found is None or found.status is None else _remembered(found)


def forget_expired(connection: Connection) -> int:
    """Remove what is remembered no longer, at most `FORGET_AT_ONCE`; returns how many keys."""
    return connection.execute(DELETE_EXPIRED, {"at_once": FORGET_AT_ONCE}).rowcount


def _remembered(row: Any) -> Remembered:
    return Remembered(bytes(row.fingerprint), row.status, dict(row.headers), bytes(row.body))

"""How much of its quotas a client has used."""

from __future__ import annotations

import threading
import time
from uuid import UUID

from sqlalchemy import Connection

from app.clients.quotas import (
    OPEN_BATCHES,
    PENDING_ITEMS,
    STORED_ITEMS,
    STREAMS_AT_ONCE,
    SUBMISSIONS_AT_ONCE,
    WEBHOOKS,
)
from app.db import read
from app.db.statements.quotas import COUNT_OPEN, COUNT_STORED
from app.db.statements.webhooks import COUNT_WEBHOOKS
from app.web.services import services

# Counting goes over all batches of the client. So that who asks a lot cannot have it done a lot, a
# process goes by what it counted for a hundred times as long as that took.
_KEPT_FOR = 100
_QUICK = 0.02
_MOST_KEPT = 1000
_stored: dict[UUID, tuple[float, int]] = {}
_lock = threading.Lock()


def usage_of(client_id: UUID) -> dict[str, int]:
    """By quota, but for requests a second, of which nothing is used up."""
    here = services()

    def look(connection: Connection) -> dict[str, int]:
        this = {"client_id": client_id}
        unfinished = connection.execute(COUNT_OPEN, this).one()
        return {
            OPEN_BATCHES: int(unfinished.batches),
            PENDING_ITEMS: int(unfinished.items),
            STORED_ITEMS: _stored_items(connection, client_id),
            WEBHOOKS: int(connection.execute(COUNT_WEBHOOKS, this).scalar_one()),
        }

    return {
        SUBMISSIONS_AT_ONCE: here.submissions.count(client_id),
        **read(here.engine, look),
        STREAMS_AT_ONCE: here.streams.count(client_id),
    }


def _stored_items(connection: Connection, client_id: UUID) -> int:
    begun = time.monotonic()
    with _lock:
        until, items = _stored.get(client_id, (0.0, 0))
    if begun < until:
        return items
    items = int(connection.execute(COUNT_STORED, {"client_id": client_id}).scalar_one())
    took = time.monotonic() - begun
    if took > _QUICK:
        with _lock:
            if len(_stored) >= _MOST_KEPT:
                del _stored[next(iter(_stored))]
            _stored[client_id] = (begun + took * _KEPT_FOR, items)
    return items

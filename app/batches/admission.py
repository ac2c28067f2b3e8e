"""Whether a client may have more: its quotas of open batches, pending items and stored items.

Asked at the end of the transaction that adds to them, when its own rows are there. From then to the
commit the client's row is locked, so that of several at once each sees what those before it added,
and none gets more than is left. For a client without such a quota this costs nothing.

Stored items are counted over all of a client's batches where it is to be refused. That count cannot
be kept with the client, as what has refused is rolled back; so a process goes by it for a while,
and refuses without counting again. However often one asks, counting takes a twentieth of the time
at most.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection

from app.clients.quotas import COUNTED, OPEN_BATCHES, PENDING_ITEMS, STORED_ITEMS, Quotas
from app.core.errors import OverQuota
from app.db.statements.quotas import (
    COUNT_OPEN,
    COUNT_STORED,
    LOCK_QUOTAS,
    NOTE_COUNTED,
    NOTE_STORED,
)

# Seconds after which it may be worth while to try again: batches end by themselves, what is stored
# has to be deleted.
_AGAIN = {OPEN_BATCHES: 5, PENDING_ITEMS: 5, STORED_ITEMS: 60}
_OF_WHAT = {
    OPEN_BATCHES: "batches that have not ended",
    PENDING_ITEMS: "items that are to be processed",
    STORED_ITEMS: "stored items",
}

# A count that refused is gone by for so many times as long as it took, if that was long, and for so
# many seconds at most. So many clients' are kept.
_KEPT_FOR = 20
_LONG = 0.005
_LONGEST = 30.0
_MOST_KEPT = 1000
_refused: dict[UUID, tuple[float, int]] = {}
_lock = threading.Lock()


def admit(
    connection: Connection,
    client_id: UUID,
    quotas: Quotas | None,
    *,
    raised: Collection[str] = COUNTED,
    added: int = 0,
) -> None:
    """Raise OverQuota where the client has more than it may by what this transaction has written.

    `quotas`: as the caller knows them, of this client or, where an admin acts for it, of another;
    None where nothing is to be asked. `raised`: the quotas that it may have come nearer to.
    `added`: items that are stored by it. Nothing but the commit should follow.
    """
    if quotas is None or (quotas.client_id == client_id and not quotas.any_counted):
        return
    if STORED_ITEMS in raised and quotas.client_id == client_id:
        _refuse_again(quotas, added)
    row = connection.execute(LOCK_QUOTAS, {"client_id": client_id}).one_or_none()
    if row is None:
        return  # revoked in this moment; what was accepted goes on
    now = quotas.of(client_id, row.quotas)
    asked = {name: most for name in raised if (most := now[name]) is not None}
    if asked.keys() & {OPEN_BATCHES, PENDING_ITEMS}:
        found = connection.execute(COUNT_OPEN, {"client_id": client_id}).one()
        _compare(asked, OPEN_BATCHES, found.batches)
        _compare(asked, PENDING_ITEMS, found.items)
    if STORED_ITEMS in asked:
        # Another may have counted while this one waited for the lock.
        _refuse_again(now, added)
        known = row.stored_items if row.counted else None
        _compare(asked, STORED_ITEMS, _stored(connection, client_id, known, added, asked))


def refuse_larger(quotas: Quotas, items: int) -> None:
    """Raise OverQuota where so many items are more than the client may have, as far as is known.

    That is without looking: so that a large body is not written only to be taken back.
    """
    _refuse_again(quotas, items)
    for name in (PENDING_ITEMS, STORED_ITEMS):
        _compare({name: most} if (most := quotas[name]) is not None else {}, name, items)


def _stored(
    connection: Connection, client_id: UUID, known: int | None, added: int, asked: dict[str, int]
) -> int:
    """How many items the client has: at least, or exactly where it is more than it may have."""
    this = {"client_id": client_id}
    if known is not None and known + added <= asked[STORED_ITEMS]:
        if added:
            connection.execute(NOTE_STORED, {**this, "items": known + added})
        return known + added
    begun = time.monotonic()
    items = int(connection.execute(COUNT_STORED, this).scalar_one())
    took = time.monotonic() - begun
    if items > asked[STORED_ITEMS] and took > _LONG:
        with _lock:
            if len(_refused) >= _MOST_KEPT:
                del _refused[next(iter(_refused))]
            kept_for = min(_LONGEST, took * _KEPT_FOR)
            # Without what this transaction has written, which is taken back.
            _refused[client_id] = (time.monotonic() + kept_for, items - added)
    connection.execute(NOTE_COUNTED, {**this, "items": items})
    return items


def _refuse_again(quotas: Quotas, added: int) -> None:
    client_id, most = quotas.client_id, quotas[STORED_ITEMS]
    if client_id is None or most is None or client_id not in _refused:
        return
    with _lock:
        until, items = _refused.get(client_id, (0.0, 0))
        if time.monotonic() >= until:
            _refused.pop(client_id, None)
            return
    _compare({STORED_ITEMS: most}, STORED_ITEMS, items + added)


def _compare(asked: dict[str, int], name: str, number: int) -> None:
    most = asked.get(name)
    if most is not None and number > most:
        raise OverQuota(
            f"The quota {name} is {most}: with this there would be {number} {_OF_WHAT[name]}.",
            quota=name,
            retry_after=_AGAIN[name],
        )

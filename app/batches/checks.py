"""A check: a dry run whose items can be submitted, without being sent a second time.

Between the two nothing is kept but the dry run itself, a batch like any other: its client sees it,
it counts for the client's quotas of items, it can be deleted, and it goes with what else is old
(`RETENTION_DAYS`). So whichever web process is asked has the items, and who may have how much of
them is what holds for batches. Who may submit them: the key that sent them, as long as no other
has put anything into the batch, for `LASTS` after it did; and, as whoever does so names the
submission by `once`, one time.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Engine

from app.batches.batch_view import BatchView
from app.batches.queries import find_batch
from app.core.errors import Forbidden, NotFound, WrongState
from app.db import read
from app.db.statements.checks import IS_ALL_OF_KEY, LIST_INPUTS, StoredInput
from app.db.statements.rows import rows_of

LASTS = timedelta(hours=12)
"""Shorter than an idempotency key is remembered, so that `once` is once."""
_MOST_ITEMS = 2000
_MOST_BYTES = 2 * 1024 * 1024
_encode = msgspec.json.Encoder().encode


def find_check(connection: Connection, client_id: UUID, batch_id: UUID) -> BatchView:
    """The client's dry run. Raises NotFound, also for a batch that is none."""
    batch = find_batch(connection, client_id, batch_id)
    if batch.dry_run == "false":
        raise NotFound(f"There is no check {batch_id}.")
    return batch


def require_submittable(connection: Connection, batch: BatchView, key_id: UUID) -> None:
    """Raise unless that key may submit the check's items now.

    Forbidden where another key has put something into it, WrongState where it is too old, has lost
    its items, or is losing them.
    """
    asked = {"batch_id": batch.id, "key_id": key_id}
    if not connection.execute(IS_ALL_OF_KEY, asked).scalar():
        raise Forbidden(
            "Another key sent these items, or changed some of them: check them with this one."
        )
    if datetime.now(UTC) - batch.created_at > LASTS:
        hours = LASTS // timedelta(hours=1)
        raise WrongState(f"This check is older than {hours} hours: check the items again.")
    if not batch.summary.total or batch.doing is not None:
        raise WrongState("This check has lost its items: check them again.")


def once(batch_id: UUID) -> str:
    """The idempotency key under which the check's items are submitted."""
    return f"check:{batch_id}"


def read_inputs(engine: Engine, batch: BatchView) -> Iterator[list[bytes]]:
    """The items of a check as they were sent, page by page, in constant memory.

    One that names its own operation stands in its envelope again. One beyond the bounds of what is
    taken as JSON stands as what is stored of it, and will be INVALID for the same reason. Raises
    WrongState where they are not as many as there were: somebody takes them away meanwhile.
    """
    after, number, limit = -1, 0, _MOST_ITEMS
    while page := read(engine, partial(_page, batch.id, after, limit)):
        yield [_sent(item, batch.operation) for item in page]
        after, number = page[-1].index, number + len(page)
        # A page that was cut by its bytes says how many are worth asking for.
        limit = min(_MOST_ITEMS, 2 * max(len(page), 8))
    if number != batch.summary.total:
        raise WrongState("This check is losing its items, or gets others: check them again.")


def _page(batch_id: UUID, after: int, limit: int, connection: Connection) -> list[StoredInput]:
    asked = {"batch_id": batch_id, "after": after, "limit": limit, "most_bytes": _MOST_BYTES}
    return rows_of(StoredInput, connection.execute(LIST_INPUTS, asked))


def _sent(item: StoredInput, operation: str | None) -> bytes:
    data = item.input.encode()
    # What has such a name in it might else be taken for an envelope.
    if item.operation is None and b'"operation"' not in data:
        return data
    return _encode({"operation": item.operation or operation, "data": msgspec.Raw(data)})

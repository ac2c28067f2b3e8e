"""What of a batch may not begin because a breaker is open, seen when the batch is planned.

A batch of one operation that is open waits as a whole (`hold`): it leaves the line, nothing of it
is planned, and its items are not touched, so that it costs nothing until it is woken. Of all others
slices are planned, and what may not begin is found by the worker (run/gate.py), once an item, which
from then on waits by itself. When a breaker has closed, those items are released (`release`), as
many at a time as there is room for; when it is due for a try, one of them.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from app.batches.phase import CALLING
from app.core import lifecycle
from app.db.statements.batches import BatchRow
from app.db.statements.breakers import LIST_OPEN_BREAKERS
from app.db.statements.waiting_for_breakers import (
    FIND_HELD_ITEM,
    HOLD_BATCH,
    RELEASE_HELD_ITEMS,
    RELEASE_ONE_ITEM,
    SET_HELD_OF_BATCH,
)
from workers.engine.plan.beginning import begin
from workers.engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Held:
    """How breakers bear on a batch now.

    `whole`: those for which it waits as a whole, empty where it does not. `one`: only a single item
    may be planned of it, which tries one of them.
    """

    whole: tuple[int, ...] = ()
    one: bool = False


NOT_HELD = Held()


def look(connection: Connection, runtime: Runtime, batch: BatchRow, *, unfinished: int) -> Held:
    """That, for the batch, whose row is locked. Asks the database only where something is open.

    `unfinished`: slices of the batch under way.
    """
    if batch.phase not in CALLING or not (batch.held or runtime.breakers.anything):
        return NOT_HELD
    operation = None if batch.mixed else runtime.known.get(batch.operation)
    if not batch.held and (operation is None or not runtime.breakers.keeps_all(operation)):
        return NOT_HELD
    read(connection, runtime)
    if operation is None:
        return NOT_HELD
    keeping = runtime.breakers.keeps_all(operation)
    if not keeping or batch.ended_items >= batch.total:
        return NOT_HELD
    if not unfinished and any(map(runtime.breakers.is_due, keeping)):
        return Held(one=True)
    return Held(whole=tuple(sorted(one.id for one in keeping)))


def read(connection: Connection, runtime: Runtime) -> None:
    """See which breakers are open now."""
    began = runtime.breakers.now()
    runtime.breakers.saw(connection.execute(LIST_OPEN_BREAKERS).scalar_one(), began=began)


def release(connection: Connection, runtime: Runtime, batch: BatchRow, most: int) -> None:
    """Have items that wait by themselves begin, `most` at the most, where their breaker lets them.

    After `look`. The batch forgets breakers that nothing of it waits for.
    """
    if not batch.held or batch.phase not in CALLING:
        return
    opened = runtime.breakers.of_ids(batch.held)
    still = []
    for breaker_id in batch.held:
        breaker = opened.get(breaker_id)
        if breaker is not None and not runtime.breakers.is_due(breaker):
            still.append(breaker_id)
            continue
        these: dict[str, Any] = {"batch_id": batch.id, "breaker": breaker_id}
        if breaker is None:
            these |= {"limit": most}
            released = connection.execute(RELEASE_HELD_ITEMS, these).rowcount
        else:
            these |= {"start": random.randrange(batch.total)}  # noqa: S311 (guards nothing)
            released = connection.execute(RELEASE_ONE_ITEM, these).rowcount
        if released == (most if breaker is None else 1):
            still.append(breaker_id)
    if still != batch.held:
        waits = {"batch_id": batch.id, "breakers": still or None}
        connection.execute(SET_HELD_OF_BATCH, waits)


def hold(connection: Connection, batch: BatchRow, breakers: tuple[int, ...]) -> None:
    """Have the batch wait for these as a whole. Its row is locked."""
    if batch.status == lifecycle.PENDING:
        begin(connection, batch)
    waits = sorted({*breakers, *(batch.held or ())})
    these = {"batch_id": batch.id, "breakers": waits, "first": breakers[0]}
    connection.execute(HOLD_BATCH, these)


def note_held_items(connection: Connection, batch: BatchRow) -> None:
    """Nothing of it is due before a breaker closes: have the batch know which one."""
    found = connection.execute(FIND_HELD_ITEM, {"batch_id": batch.id}).scalar()
    if found is not None and found not in (batch.held or ()):
        waits = sorted({int(found), *(batch.held or ())})
        connection.execute(SET_HELD_OF_BATCH, {"batch_id": batch.id, "breakers": waits})

"""How many more slices may be under way: shared by all batches of a line, given out one at a time.

A slice is under way while it is claimed, or its message is with the broker. There are at most
`_A_SLOT` for each live slot of the line's workers, over all batches: enough that no worker waits
for the next plan, and so few that whoever comes next is never far behind. Whoever ends a slice
looks who is next (workers/engine/run/turns.py).

In the line of slow workers, whose slices wait for other systems, a client may have no more under
way than leaves some slots free: if its systems hang, others go on.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.rows import row_of
from app.db.statements.turns import COUNT_UNDER_WAY, FIND_CLIENTS_WITH_MOST, LOCK_ROOM, UnderWay
from app.messaging.broker import SLOW_QUEUE
from workers.engine.runtime import Runtime

_A_SLOT = 2
# Of so many slots of a slow line one is kept from any one client.
_ONE_IN = 8


def room_for(connection: Connection, runtime: Runtime, line: str, client_id: UUID) -> int:
    """How many slices more of the client's may be under way in the line; 0 or less for none.

    Until the transaction ends nobody else is given room there.
    """
    connection.execute(LOCK_ROOM, {"queue": line})
    slots = runtime.slots.of(connection, line)
    now = under_way(connection, runtime, line, client_id)
    room = _A_SLOT * slots - now.ready - now.claimed
    if line == SLOW_QUEUE:
        room = min(room, most_of_client(slots) - now.of_client)
    # A few at a time: each plan has its cost, and what is under way lasts for a while.
    return room if not now.of_client or room >= slots // _ONE_IN else 0


def is_wanted(connection: Connection, runtime: Runtime, line: str) -> bool:
    """Whether somebody is in line there, and what waits for workers is nearly used up."""
    now = under_way(connection, runtime, line, None)
    return now.anybody_in_line and now.ready <= runtime.slots.of(connection, line) // 2


def under_way(
    connection: Connection, runtime: Runtime, line: str, client_id: UUID | None
) -> UnderWay:
    """What is under way in the line. No lock."""
    found = row_of(
        UnderWay,
        connection.execute(
            COUNT_UNDER_WAY,
            {
                "queue": line,
                "client_id": client_id,
                "stale": runtime.settings.heartbeat_timeout,
            },
        ),
    )
    assert found is not None  # noqa: S101 (an aggregate is always a row)
    return found


def most_of_client(slots: int) -> int:
    """Slices of a client that may be under way in a line of slow workers with so many slots."""
    return max(1, slots - max(1, slots // _ONE_IN))


def passed_over(connection: Connection, runtime: Runtime, line: str) -> list[UUID]:
    """Clients that have as much under way there as they may; it is not their turn."""
    if line != SLOW_QUEUE:
        return []
    most = most_of_client(runtime.slots.of(connection, line))
    found = connection.execute(
        FIND_CLIENTS_WITH_MOST,
        {"queue": line, "most": most, "stale": runtime.settings.heartbeat_timeout},
    )
    return list(found.scalars())

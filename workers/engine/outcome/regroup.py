"""What was held at a death is tried again at once, as slices of the same wave.

Of many items that a worker held when it died, one is to blame. Tried again in groups of
`SUSPECTS`, most are cleared at once; from `ALONE` deaths on, each is by itself. They do not wait
for the rest of their wave, of which one item may take a minute.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from app.db.statements.held_items import held_by
from app.db.statements.item_outcomes import CrashedItem, take_items_again
from app.db.statements.rows import rows_of
from app.db.statements.sessions import LOCK_WAVE_NUMBERS
from app.db.statements.slice_claims import ClaimedRow
from app.db.statements.slices import CREATE_SLICES, GET_LAST_SLICE_NUMBER

SUSPECTS = 25
ALONE = 2
# Those of a slice beyond any usual size come with the next wave.
_MOST = 64


def regroup(connection: Connection, claimed: ClaimedRow, items: Sequence[CrashedItem]) -> int:
    """Write slices for `items`, which are due again; how many.

    `claimed`: the slice that held them. Those of a lane are left to the next wave, which keeps them
    in order.
    """
    groups = _groups([item for item in items if item.lane is None])[:_MOST]
    if not groups:
        return 0
    connection.execute(LOCK_WAVE_NUMBERS, {"batch_id": str(claimed.batch_id)})
    wave = {"batch_id": claimed.batch_id, "wave": claimed.wave}
    number = connection.execute(GET_LAST_SLICE_NUMBER, wave).scalar_one()
    connection.execute(
        CREATE_SLICES,
        [
            {
                **wave,
                "number": number + place,
                "operation": claimed.operation,
                "queue": claimed.queue,
                "phase": claimed.phase,
                "first_index": picks[0],
                "last_index": picks[-1],
                "picks": picks,
                "size": len(picks),
                "limited": claimed.limited,
                # Sent by whoever looks next: the sweep, within a second.
                "sent_at": "-infinity",
            }
            for place, picks in enumerate(groups, start=1)
        ],
    )
    return len(groups)


def _groups(items: Sequence[CrashedItem]) -> list[list[int]]:
    alone = [[item.index] for item in items if item.crashes >= ALONE]
    suspects = sorted(item.index for item in items if item.crashes < ALONE)
    return alone + [
        suspects[start : start + SUSPECTS] for start in range(0, len(suspects), SUSPECTS)
    ]


def take_again(connection: Connection, claimed: ClaimedRow, message: str) -> list[CrashedItem]:
    """Have what the slice has not done be due again; those items."""
    statement = take_items_again(picked=claimed.picks is not None)
    return rows_of(
        CrashedItem, connection.execute(statement, {**held_by(claimed), "message": message})
    )

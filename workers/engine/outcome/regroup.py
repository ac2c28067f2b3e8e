"""What was held at a death is tried again at once, as slices of the same wave.

Of many items that a worker held when it died, one is to blame. Tried again in groups of
`SUSPECTS`, most are cleared at once; from `ALONE` deaths on, each is by itself. They do not wait
for the rest of their wave, of which one item may take a minute.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, insert, text

from app.db.models import Slice
from app.db.statements.held_items import GIVEN, held, held_by

SUSPECTS = 25
ALONE = 2
# Those of a slice beyond any usual size come with the next wave.
_MOST = 64

_AGAIN = {
    picked: text(
        f"""
        UPDATE items SET due_at = now(), deferred = false, crashes = crashes + 1,
            attempts = attempts + 1, code = 500, message = :message
        WHERE {held(GIVEN, picked=picked)}
        RETURNING index, lane, crashes
        """
    )
    for picked in (False, True)
}
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:batch_id, 7203))")
_LAST = text("SELECT max(number) FROM slices WHERE batch_id = :batch_id AND wave = :wave")


def regroup(connection: Connection, slice_: Any, items: Sequence[Any]) -> int:
    """Write slices for `items`, which are due again; how many.

    `slice_`: the row of the slice that held them; `items`: rows with their index, lane and
    crashes. Those of a lane are left to the next wave, which keeps them in order.
    """
    groups = _groups([item for item in items if item.lane is None])[:_MOST]
    if not groups:
        return 0
    connection.execute(_ONE_AT_A_TIME, {"batch_id": str(slice_.batch_id)})
    wave = {"batch_id": slice_.batch_id, "wave": slice_.wave}
    number = connection.execute(_LAST, wave).scalar_one()
    connection.execute(
        insert(Slice),
        [
            {
                **wave,
                "number": number + place,
                "operation": slice_.operation,
                "queue": slice_.queue,
                "phase": slice_.phase,
                "first_index": picks[0],
                "last_index": picks[-1],
                "picks": picks,
                "size": len(picks),
                "limited": slice_.limited,
                # Sent by whoever looks next: the sweep, within a second.
                "sent_at": "-infinity",
            }
            for place, picks in enumerate(groups, start=1)
        ],
    )
    return len(groups)


def _groups(items: Sequence[Any]) -> list[list[int]]:
    alone = [[item.index] for item in items if item.crashes >= ALONE]
    suspects = sorted(item.index for item in items if item.crashes < ALONE)
    return alone + [
        suspects[start : start + SUSPECTS] for start in range(0, len(suspects), SUSPECTS)
    ]


def take_again(connection: Connection, row: Any, message: str) -> list[Any]:
    """Have what the slice `row` has not done be due again; those items' rows."""
    again = connection.execute(_AGAIN[row.picks is not None], {**held_by(row), "message": message})
    return list(again.all())

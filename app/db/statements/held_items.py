"""The items that a slice holds: the one definition, of which all SQL that asks is made.

An item is held by a slice while it is PENDING, lies within the slice's positions, and

- the slice has no picks, and the item waits for no moment of its own (`due_at`). What does is
  picked once that has come, so the range passes over it. Validation looks at every item, whether
  or not it waits, and its ranges hold them all;
- or it is one of the slice's picks, and had come due when the slice was claimed. One of a mixed
  batch may be picked in the first pass, and then has no moment at all.

Whatever a slice puts off (a retry, a deferral, what it leaves to others) gets a moment after its
claim, so from that write on it is no longer held: not counted as running, canceled with those that
wait, and spared when the slice's worker dies. It has to be the moment of the claim; `now()` would
give a short retry back to the slice that put it off, as soon as it is due.

Ranges and picks are asked for apart. Either way the primary key (batch_id, index) finds the items,
by the slice's positions or one by one; a condition for both would look at all that lies between
the picks, which may be the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID


class HeldBy(Protocol):
    """A slice's row, or whatever else says which one it is."""

    @property
    def batch_id(self) -> UUID: ...
    @property
    def first_index(self) -> int: ...
    @property
    def last_index(self) -> int: ...
    @property
    def picks(self) -> list[int] | None: ...
    @property
    def claimed_at(self) -> datetime | None: ...
    @property
    def phase(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SliceTerms:
    """What a slice is called in a statement: an SQL expression for each of its columns."""

    batch_id: str
    first_index: str
    last_index: str
    picks: str
    claimed_at: str
    phase: str


ROW = SliceTerms(
    "s.batch_id", "s.first_index", "s.last_index", "s.picks", "s.claimed_at", "s.phase"
)
"""A row of `slices s` that the statement reads itself."""

GIVEN = SliceTerms(
    ":batch_id", ":first_index", ":last_index", ":picks", ":claimed_at", "CAST(:phase AS text)"
)
"""Parameters, for a caller that has the slice's row. Planned with its values, so always well."""


def held_by(slice_: HeldBy) -> dict[str, Any]:
    """The parameters of what is `GIVEN`, for that slice."""
    return {
        "batch_id": slice_.batch_id,
        "first_index": slice_.first_index,
        "last_index": slice_.last_index,
        "picks": slice_.picks,
        "claimed_at": slice_.claimed_at,
        "phase": slice_.phase,
    }


def within(slice_: SliceTerms, *, picked: bool, items: str = "items") -> str:
    """The condition for the pending items among a slice's own, held or put off.

    `picked`: whether the slice has picks. `items`: the table's alias.
    """
    picks = f" AND {items}.index = ANY({slice_.picks})" if picked else ""
    return (
        f"{items}.batch_id = {slice_.batch_id} AND {items}.status = 'PENDING' AND "
        f"{items}.index BETWEEN {slice_.first_index} AND {slice_.last_index}{picks}"
    )


def not_put_off(slice_: SliceTerms, *, picked: bool, items: str = "items") -> str:
    """The condition by which one of those is the slice's to do. True or false, never null."""
    also = f"{items}.due_at <= {slice_.claimed_at}" if picked else f"{slice_.phase} = 'validate'"
    return f"({items}.due_at IS NULL OR {also})"


def held(slice_: SliceTerms, *, picked: bool, items: str = "items") -> str:
    """The condition for the items that a slice holds."""
    its = within(slice_, picked=picked, items=items)
    return f"{its} AND {not_put_off(slice_, picked=picked, items=items)}"


def held_items(
    batch_id: str,
    *,
    validating: bool = False,
    given_back: bool = False,
    between: tuple[str, str] | None = None,
) -> str:
    """A query for the items that a batch's claimed slices hold: `index`, `claimed_at`.

    `batch_id`: an SQL expression. `validating`: also those that are only looked at, which count as
    held where something is to be kept off them, but are not RUNNING. `given_back`: also those of
    slices that were claimed, and may be so again. `between`: only those from one index up to
    another, as SQL expressions; slices that have none there are passed over.

    OFFSET 0 keeps the planner from joining the slices with the whole batch: the items of each are
    looked up by the primary key, so that the cost is theirs.
    """
    states = "('CLAIMED', 'READY')" if given_back else "('CLAIMED')"
    claimed = f"s.batch_id = {batch_id} AND s.state IN {states}"
    there = ""
    if between is not None:
        first, end = between
        claimed += f" AND s.last_index >= {first} AND s.first_index < {end}"
        there = f" AND i.index >= {first} AND i.index < {end}"
    if not validating:
        claimed += " AND s.phase <> 'validate'"
    return " UNION ALL ".join(
        f"""
        SELECT held.index, s.claimed_at FROM slices s CROSS JOIN LATERAL (
            SELECT i.index FROM items i WHERE {held(ROW, picked=picked, items="i")}{there} OFFSET 0
        ) held WHERE {claimed} AND s.picks IS {"NOT NULL" if picked else "NULL"}
        """
        for picked in (False, True)
    )


def picked_items(batch_id: str) -> str:
    """All items that a batch's unfinished slices have picked, held or put off, as a multirange.

    `batch_id`: an SQL expression. An item is looked up in it by bisection. By the primary key of
    slices.
    """
    return f"""
        (SELECT coalesce(range_agg(int4range(p.index, p.index, '[]')), '{{}}')
         FROM slices s CROSS JOIN LATERAL unnest(s.picks) AS p (index)
         WHERE s.batch_id = {batch_id} AND s.state <> 'DONE')
    """


def unclaimed_items(batch_id: str, *, waves: str, numbers: str, locked: bool = False) -> str:
    """A query for the items of a batch's READY slices, held or put off: `index`.

    But for the slices of these `waves` and `numbers` (all SQL expressions, the last two of arrays
    of the same length): those that the caller has locked. `locked`: of just these.
    """
    which = "IN" if locked else "NOT IN"
    return " UNION ALL ".join(
        f"""
        SELECT its.index FROM slices s CROSS JOIN LATERAL (
            SELECT i.index FROM items i WHERE {within(ROW, picked=picked, items="i")} OFFSET 0
        ) its
        WHERE s.batch_id = {batch_id} AND s.state = 'READY'
          AND s.picks IS {"NOT NULL" if picked else "NULL"}
          AND (s.wave, s.number) {which} (SELECT * FROM unnest({waves}, {numbers}))
        """
        for picked in (False, True)
    )

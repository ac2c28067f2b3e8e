"""Work whose operation this process lacks: another worker has it, or will have it again.

Two releases run side by side, and a message may reach either. A slice of one operation, which is
nearly every slice, is not run by a worker that lacks it: it becomes READY again and its message is
sent anew, after a pause that grows (`pass_on`), until a worker takes it that has the operation. It
waits in the same way where nobody has it just now (all workers restart), for `PATIENCE` seconds;
then its items end INVALID, as those do at once whose operation nobody ever had.

In a slice of several operations only the items of those that are lacking wait (`Lacks`): they are
due again soon, and then are in a slice of their own.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from sqlalchemy import Connection

from app.db.statements.held_items import held_by
from app.db.statements.rows import row_of
from app.db.statements.served_operations import PASS_ON_SLICE, tell_waiting_items
from app.db.statements.slice_limits import ReadySlice
from app.operations.known import KnownOperations, Where
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.claim.limits import Refused

WAITING_CODE = 503
# Seconds: the first pause and the longest, where another has it, and where nobody has.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 2.0
_FIRST_PAUSE_OF_NOBODYS = 1.0
_LONGEST_PAUSE_OF_NOBODYS = 4.0
# A worker of a release that does not tell what it has is given so many chances to take the slice.
_CHANCES = 12
# Items that are only validated: so often a worker that has all operations of the slice is looked
# for. After that, those that this one lacks are validated when they are run.
_LOOKS = 20
_LONGEST_SHOWN = 256
# The items of a slice are told once in so many times what they wait for.
_TELL_EVERY = 8


@dataclass(frozen=True, slots=True)
class InvalidItem:
    """An item that is not run, and why: the message names each field at fault.

    `operation`: the one that it names, or its batch's. `wait`: seconds until it is looked at again,
    where nothing is wrong with it, but this process lacks its operation.
    """

    index: int
    operation: str | None
    message: str
    wait: float | None = None


class SliceWaits(Exception):
    """Another process has to look at this slice: `pass_on` it."""

    def __init__(self, where: Where, operation: str) -> None:
        super().__init__(f"{operation}: {where.value}")
        self.where = where
        self.operation = operation


def may_run(known: KnownOperations, operation: str | None, *, passes: int = 0) -> Where:
    """Who is to run work of that operation, of which no item has been looked at yet.

    HERE: go on. GONE, UNKNOWN: go on, its items end INVALID. ELSEWHERE, NOBODY: it has to be given
    back, for others and for later. `passes`: how often that was done. Asks the database only where
    this process lacks the operation.
    """
    where = known.where(operation)
    if where is Where.PERHAPS:
        return Where.ELSEWHERE if passes < _CHANCES else Where.UNKNOWN
    return where


def pass_on(
    connection: Connection, known: KnownOperations, claimed: ClaimedSlice
) -> Refused | None:
    """Give a slice back that was claimed in this very transaction, if others have to run it.

    None where this process is to go on with it.
    """
    where = may_run(known, claimed.slice_operation, passes=claimed.passes)
    if where in (Where.ELSEWHERE, Where.NOBODY):
        return give_to_others(connection, claimed, where, claimed.slice_operation or "")
    return None


def give_to_others(
    connection: Connection, claimed: ClaimedSlice, where: Where, operation: str
) -> Refused:
    """Make the claimed slice READY again, and say when its message is to be sent.

    Where nobody has the operation, its items say what they wait for.
    """
    if where is Where.NOBODY:
        pause = min(
            _LONGEST_PAUSE_OF_NOBODYS, _FIRST_PAUSE_OF_NOBODYS * 2 ** min(claimed.passes, 9)
        )
        if claimed.passes % _TELL_EVERY == 0:
            connection.execute(
                tell_waiting_items(picked=claimed.picks is not None),
                {**held_by(claimed), "code": WAITING_CODE, "message": waits_for(operation)},
            )
    else:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(claimed.passes, 10))
    pause *= random.uniform(0.5, 1.5)  # noqa: S311 (spreads load, guards nothing)
    row = row_of(
        ReadySlice,
        connection.execute(PASS_ON_SLICE, {"claim": claimed.claim, "pause": pause}),
    )
    return Refused(row, pause)


def waits_for(operation: str) -> str:
    """What an item says meanwhile."""
    return f"Waits for a worker that has the operation {operation!r}."


class Lacks:
    """What becomes of the items of one slice whose operation this process lacks."""

    def __init__(self, known: KnownOperations, claimed: ClaimedSlice) -> None:
        self._known = known
        self._claimed = claimed
        self._where: dict[str | None, Where] = {}

    def item(self, index: int, operation: str | None) -> InvalidItem | None:
        """The item as it is not run; None for one that is to be looked at when it is run.

        Raises SliceWaits while items are only validated, which one worker does for all of a slice.
        """
        where = self._where.get(operation)
        if where is None:
            where = may_run(self._known, operation, passes=self._claimed.passes)
            self._where[operation] = where
        if where is Where.UNKNOWN or operation is None:
            # Releases before took names of any length.
            named = operation if operation is None else operation[:_LONGEST_SHOWN]
            return InvalidItem(index, operation, f"Unknown operation {named!r}.")
        if where is Where.GONE:
            return InvalidItem(
                index,
                operation,
                f"Unknown operation {operation!r}: no worker has had it for "
                f"{self._known.patience:g} seconds.",
            )
        if self._claimed.phase == "validate":
            if where is Where.ELSEWHERE and self._claimed.passes >= _LOOKS:
                return None
            raise SliceWaits(where, operation)
        wait = 2.0 if where is Where.NOBODY else 0.5
        return InvalidItem(index, operation, waits_for(operation), wait)

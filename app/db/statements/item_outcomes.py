"""What became of the items of a slice: a statement a kind, whatever their number.

Every statement bounds the items by the slice's positions beside naming them, so that it goes by the
primary key and its cost is the slice's and not the batch's, whatever plan Postgres chooses. The
slice is locked by whoever writes (HOLD_CLAIM and its like), before its items.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Float, Integer, Text

from app.db.statements.held_items import GIVEN, held
from app.db.statements.item_tries import KEEP_PUT_OFF, PUT_OFF

_TYPES: dict[str, Any] = {
    "indexes": Integer,
    "messages": Text,
    "failures": Text,
    "statuses": Text,
    "codes": Integer,
    "waits": Float,
    "attempts": Integer,
}


def _statement(sql: str, *arrays: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[name])) for name in arrays))


_THESE = """
    items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
    AND items.index = u.index AND items.status = 'PENDING'
"""

# What nearly every item comes to, so its rows go in as one literal a column: as arrays of SQL they
# would be three thousand, which cost client and server more than the writing does. No index covers
# a column that changes, so the new row stays on the page of the old (HOT).
COMPLETE_ITEMS = text(
    f"""
    UPDATE items SET status = 'SUCCESS', attempts = items.attempts + 1,
        result = CASE WHEN json_typeof(u.result) <> 'null' THEN u.result END,
        message = u.message, code = NULL, due_at = NULL, deferred = false,
        started_at = coalesce(items.started_at, s.claimed_at), finished_at = clock_timestamp()
    FROM ROWS FROM (unnest(CAST(:indexes AS integer[])),
                    json_array_elements(CAST(:results AS json)),
                    json_array_elements_text(CAST(:messages AS json)))
         AS u (index, result, message), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id AND {_THESE}
    """
)

# INVALID or FAILED, each with its reason. What else is said of an item is the same for all that
# have its failure (app/db/statements/failures.py), so it goes in once for each of these: `kind` is
# which it is, from 0. As above, a literal a column.
REFUSE_ITEMS = _statement(
    f"""
    UPDATE items SET status = (:statuses)[u.kind + 1], code = (:codes)[u.kind + 1],
        failure = (:failures)[u.kind + 1], message = u.message,
        attempts = items.attempts + u.attempts, due_at = NULL, deferred = false,
        started_at = coalesce(items.started_at, s.claimed_at), finished_at = clock_timestamp()
    FROM ROWS FROM (unnest(CAST(:indexes AS integer[])),
                    unnest(CAST(:kinds AS integer[])),
                    unnest(CAST(:attempts AS integer[])),
                    json_array_elements_text(CAST(:messages AS json)))
         AS u (index, kind, attempts, message), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id AND {_THESE}
    """,
    "statuses",
    "codes",
    "failures",
)

# To be tried again `waits` seconds from now. One whose attempts do not grow is deferred: it waits
# for another item. Their moment is after the slice's claim, so the slice holds them no longer: one
# that was put off by a commit whose answer was lost is not put off again.
# It is written down among its tries, and the rows that are returned are the items.
RETRY_ITEMS_LATER = _statement(
    f"""
    WITH put_off AS (
    UPDATE items SET due_at = clock_timestamp() + make_interval(secs => u.wait),
        attempts = items.attempts + u.attempts, code = u.code, message = u.message,
        deferred = u.attempts = 0, started_at = coalesce(items.started_at, s.claimed_at)
    FROM unnest(:indexes, :waits, :codes, :messages, :attempts)
         AS u (index, wait, code, message, attempts), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id AND {_THESE}
      AND (items.due_at IS NULL OR items.due_at <= s.claimed_at)
    RETURNING {PUT_OFF}
    ), kept AS ({KEEP_PUT_OFF})
    SELECT index FROM put_off
    """,
    "indexes",
    "waits",
    "codes",
    "messages",
    "attempts",
)

# What the slice gives up untried: due again at once, for another slice.
LEAVE_ITEMS = _statement(
    f"""
    UPDATE items SET due_at = clock_timestamp(), deferred = false
    FROM unnest(:indexes) AS u (index) WHERE {_THESE}
    """,
    "indexes",
)


@cache
def fail_held_items(*, picked: bool) -> TextClause:
    """Ends what a slice still holds: it cannot be written, or its process has to be ended."""
    return text(
        f"""
        UPDATE items SET status = 'FAILED', code = :code, message = :message, due_at = NULL,
            deferred = false, attempts = attempts + 1, finished_at = clock_timestamp(),
            started_at = coalesce(started_at, :claimed_at)
        WHERE {held(GIVEN, picked=picked)}
        """
    )


@cache
def fail_poisonous_items(*, picked: bool) -> TextClause:
    """Ends what a dead worker held, as far as it was there at `:poison_after` deaths by now."""
    return text(
        f"""
        UPDATE items SET status = 'FAILED', finished_at = clock_timestamp(), due_at = NULL,
            crashes = crashes + 1, attempts = attempts + 1, code = 500,
            message = 'Its worker process died each of the ' || crashes + 1
                      || ' times it was tried'
                      || coalesce(', the last time by ' || CAST(:ended AS text), '') || '.'
        WHERE {held(GIVEN, picked=picked)} AND crashes + 1 >= :poison_after
        """
    )


@dataclass(frozen=True, slots=True)
class CrashedItem:
    """An item that was held at a death. `crashes`: at how many."""

    index: int
    lane: int | None
    crashes: int


@cache
def take_items_again(*, picked: bool) -> TextClause:
    """Has what a dead worker held be due again at once, with one death more.

    What had been deferred is free again: this try of it does not count as one in vain.
    """
    return text(
        f"""
        WITH put_off AS (
            UPDATE items SET due_at = now(), deferred = false, crashes = crashes + 1,
                attempts = attempts + 1, code = 500, message = :message
            WHERE {held(GIVEN, picked=picked)}
            RETURNING {PUT_OFF}, lane, crashes
        ), kept AS ({KEEP_PUT_OFF})
        SELECT index, lane, crashes FROM put_off
        """
    )

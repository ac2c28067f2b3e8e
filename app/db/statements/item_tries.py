"""Tries of items that are past: written down before they would be lost, and read.

They are written by the statement that would lose them, in parts (`keep_outcomes`, `KEEP_PUT_OFF`)
that others compose. A try's input is not written with it, as it is that of the item until somebody
edits it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from app.core.lifecycle import FAILED, INVALID, PENDING

_COLUMNS = "batch_id, index, attempt, at, status, code, message"
_ATTEMPT = "coalesce(tried_before, 0) + attempts"


def keep_outcomes(which: str, *, with_input: bool = False) -> str:
    """Writes down how the items ended by a try that are about to be as if never tried.

    `which`: the condition. In one statement with their UPDATE, which does not see it: both see the
    items as they were before. What an edit has written down already is passed over.
    """
    also, its = (", input", ", input") if with_input else ("", "")
    return f"""
        INSERT INTO item_tries ({_COLUMNS}{also})
        SELECT batch_id, index, {_ATTEMPT}, finished_at, status, code, message{its}
        FROM items WHERE {which} AND status IN ('{FAILED}', '{INVALID}')
          AND kept_at IS DISTINCT FROM finished_at
    """


# What an UPDATE called `put_off` has to return, and what of it is written down: tries in vain that
# others will follow. A deferral is no try.
PUT_OFF = """
    items.batch_id, items.index, coalesce(items.tried_before, 0) + items.attempts AS attempt,
    items.code, items.message, items.deferred
"""
KEEP_PUT_OFF = f"""
    INSERT INTO item_tries ({_COLUMNS})
    SELECT batch_id, index, attempt, clock_timestamp(), '{PENDING}', code, message
    FROM put_off WHERE NOT deferred
"""

# Before an item's input is changed: its last outcome, with the input that it came of. By the
# primary key; the caller has locked the batch, which has ended.
KEEP_OUTCOME_OF_ITEM = text(
    keep_outcomes("batch_id = :batch_id AND index = :index", with_input=True)
)

# The same where the last try stands there already: its input, unless it has been changed before. By
# the primary key, under the batch's lock.
KEEP_INPUT_OF_LAST_TRY = text(
    """
    UPDATE item_tries t SET input = i.input FROM items i
    WHERE i.batch_id = :batch_id AND i.index = :index AND t.batch_id = :batch_id
      AND t.index = :index AND t.input IS NULL
      AND t.number = (SELECT max(number) FROM item_tries
                      WHERE batch_id = :batch_id AND index = :index)
    """
)

# Another input, and the key that it has; how the item ended stays, and has been written down. By
# the primary key, under the batch's lock.
EDIT_ITEM = text(
    f"""
    UPDATE items SET input = CAST(:input AS json), key = :key,
        kept_at = CASE WHEN status IN ('{FAILED}', '{INVALID}') THEN finished_at END
    WHERE batch_id = :batch_id AND index = :index
    """
)

# A key has been changed: another item may have it. By id, which the caller has locked.
NOTE_CHANGED_KEY = text("UPDATE batches SET may_repeat = true WHERE id = :batch_id")


@dataclass(frozen=True, slots=True)
class EditedItem:
    """What an edit goes by. `operation`: the item's own."""

    status: str
    operation: str | None
    key: str | None


# By the primary key.
READ_ITEM_TO_EDIT = text(
    "SELECT status, operation, key FROM items WHERE batch_id = :batch_id AND index = :index"
)

CURRENT = 2**63 - 1
"""The number of what an item has come to, which is behind all of its tries."""


@dataclass(frozen=True, slots=True)
class TryRow:
    """A try, or what the item came to (`number` is CURRENT). `input`: None for that of the next."""

    number: int
    attempt: int
    at: datetime
    status: str
    code: int | None
    message: str | None
    input: str | None


# At most :limit tries of an item behind :after, the oldest first, and what it came to unless that
# stands among them; up to the one that brings their inputs to :most_bytes. By the primary keys.
LIST_TRIES = text(
    f"""
    SELECT number, attempt, at, status, code, message, input FROM (
        SELECT *, sum(coalesce(octet_length(input), 0)) OVER (ORDER BY number)
                  - coalesce(octet_length(input), 0) AS before
        FROM (
            (SELECT number, attempt, at, status, code, message, input::text AS input
             FROM item_tries
             WHERE batch_id = :batch_id AND index = :index AND number > :after
             ORDER BY number LIMIT :limit)
            UNION ALL
            SELECT {CURRENT}, {_ATTEMPT}, finished_at, status, code, message, input::text
            FROM items
            WHERE batch_id = :batch_id AND index = :index AND :after < {CURRENT}
              AND status <> '{PENDING}' AND kept_at IS DISTINCT FROM finished_at
            ORDER BY number LIMIT :limit) page
    ) sized WHERE before < :most_bytes ORDER BY number
    """
)

# The same from the newest on, for people: the beginning of each input, of :characters. By the
# primary keys.
LIST_LATEST_TRIES = text(
    f"""
    SELECT number, attempt, at, status, code, message, input FROM (
        (SELECT number, attempt, at, status, code, message,
                left(input::text, :characters) AS input
         FROM item_tries WHERE batch_id = :batch_id AND index = :index
         ORDER BY number DESC LIMIT :limit)
        UNION ALL
        SELECT {CURRENT}, {_ATTEMPT}, finished_at, status, code, message,
               left(input::text, :characters)
        FROM items
        WHERE batch_id = :batch_id AND index = :index
          AND status <> '{PENDING}' AND kept_at IS DISTINCT FROM finished_at
    ) found ORDER BY number DESC LIMIT :limit
    """
)

# The input of tries up to :number that have none of their own: the next that was changed, else the
# item's. By the primary keys.
FIND_INPUT_AFTER_TRY = text(
    """
    SELECT coalesce(
        (SELECT input FROM item_tries
         WHERE batch_id = :batch_id AND index = :index AND number > :number AND input IS NOT NULL
         ORDER BY number LIMIT 1),
        (SELECT input FROM items WHERE batch_id = :batch_id AND index = :index))::text
    """
)

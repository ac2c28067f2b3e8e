"""Items of a batch that a caller chooses, to run them again or to cancel them.

Choices are conditions by name, each with a parameter of its name. What failed is found by
ix_items_failure, or by ix_items_problem, all else by the primary key: by a key of theirs, or as
CANCELED or PENDING, items are found by looking at those of the batch one after the other.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer

from app.db.statements.held_items import held_items, unclaimed_items
from app.db.statements.item_tries import keep_outcomes
from app.db.statements.long_work import AS_NEVER_TRIED

_CHOICES = {
    "statuses": "i.status = ANY(:statuses)",
    "code": "i.code = :code",
    "key": "i.key = :key",
    "indexes": "i.index = ANY(:indexes)",
    # As a range, so that only ix_items_failure has its order.
    "failure": "i.failure >= :failure AND i.failure <= :failure",
}
# Where whatever is chosen has a code, which is what ix_items_problem has.
_HAVE_A_CODE = "i.code IS NOT NULL"
_LOOKED = "batch_id = :batch_id AND index = ANY(ARRAY(SELECT index FROM looked))"
_HELD = held_items(":batch_id", validating=True)
_UNCLAIMED = unclaimed_items(":batch_id", waves=":waves", numbers=":numbers")
_LOCKED = unclaimed_items(":batch_id", waves=":waves", numbers=":numbers", locked=True)


_AS_CANCELED = """status = 'CANCELED', finished_at = clock_timestamp(), due_at = NULL,
            deferred = false"""


def _chosen(given: Collection[str]) -> str:
    return " AND ".join(_CHOICES[name] for name in _CHOICES if name in given)


@cache
def find_chosen_items(given: Collection[str], *, have_a_code: bool = False) -> TextClause:
    """The indexes of the first :limit of them, without a lock. `have_a_code`: each of them has."""
    path = f"{_HAVE_A_CODE} AND " if have_a_code else ""
    return text(
        f"""
        SELECT i.index FROM items i
        WHERE i.batch_id = :batch_id AND {path}{_chosen(given)} LIMIT :limit
        """
    )


@dataclass(frozen=True, slots=True)
class ChosenItems:
    """How many of the chosen items ended so."""

    failed: int
    invalid: int
    canceled: int


@cache
def count_chosen_items(given: Collection[str]) -> TextClause:
    """Counts those of a batch that has ended, which the caller has locked."""
    return text(
        f"""
        SELECT count(*) FILTER (WHERE i.status = 'FAILED') AS failed,
               count(*) FILTER (WHERE i.status = 'INVALID') AS invalid,
               count(*) FILTER (WHERE i.status = 'CANCELED') AS canceled
        FROM items i WHERE i.batch_id = :batch_id AND {_chosen(given)}
        """
    )


@cache
def retry_chosen_items(given: Collection[str]) -> TextClause:
    """A step of retry: those of them are as if never tried (RetriedItems).

    Looked at are at most :most items before :end, by the index that knows most about them, so that
    a step is no longer where few are chosen. What they failed by counts as many fewer, in a row of
    its own that is added to the others: the caller has locked the batch, which has ended, so nobody
    else counts.
    """
    path, order = ["i.index < :end"], "i.index DESC"
    if "indexes" in given:
        path.append(_CHOICES["indexes"])
    elif "failure" in given:
        path = ["(i.failure, i.index) < (:failure, :end)", _CHOICES["failure"]]
        order = "i.failure DESC, i.index DESC"
    elif "code" in given:
        path.append(_HAVE_A_CODE)
    return text(
        f"""
        WITH seen AS MATERIALIZED (
            SELECT i.index, i.status, i.code, i.key, i.failure FROM items i
            WHERE i.batch_id = :batch_id AND {" AND ".join(path)}
            ORDER BY {order} LIMIT :most
        ), looked AS MATERIALIZED (
            SELECT i.index, i.status, i.failure FROM seen i WHERE {_chosen(given)}
        ), kept AS ({keep_outcomes(_LOOKED)}), retried AS (
            UPDATE items SET {AS_NEVER_TRIED} WHERE {_LOOKED}
            RETURNING index
        ), uncounted AS (
            INSERT INTO failure_counts (batch_id, failure, status, spread, count)
            SELECT :batch_id, failure, status, -1, -count(*) FROM looked
            WHERE failure IS NOT NULL GROUP BY failure, status ORDER BY failure, status
            ON CONFLICT (batch_id, failure, status, spread)
            DO UPDATE SET count = failure_counts.count + excluded.count
        )
        SELECT (SELECT count(*) FROM seen) AS looked, (SELECT min(index) FROM seen) AS first,
               (SELECT count(*) FROM retried) AS retried
        """
    )


# The last step: failures that no item has any more go. By the primary keys; the batch is locked.
DROP_FAILURES_WITHOUT_ITEMS = text(
    """
    WITH none AS MATERIALIZED (
        SELECT failure, status FROM failure_counts WHERE batch_id = :batch_id
        GROUP BY failure, status HAVING sum(count) = 0
    ), uncounted AS (
        DELETE FROM failure_counts c USING none
        WHERE c.batch_id = :batch_id AND c.failure = none.failure AND c.status = none.status
    )
    DELETE FROM failures f USING none WHERE f.batch_id = :batch_id AND f.failure = none.failure
    """
)

# Before items are canceled: what is READY is not claimed until they are, and whose claim is just
# being committed is waited for. As `cancel` does, after the batch. By the primary key; there are at
# most two slices for each live slot.
LOCK_READY_SLICES = text(
    """
    SELECT wave, number FROM slices WHERE batch_id = :batch_id AND state = 'READY'
    FOR NO KEY UPDATE
    """
)

# The same for those who only count, and hold nobody up.
LIST_READY_SLICES = text(
    "SELECT wave, number FROM slices WHERE batch_id = :batch_id AND state = 'READY'"
)


@dataclass(frozen=True, slots=True)
class ReadySlice:
    """One of those."""

    wave: int
    number: int


def _cancelable(given: Collection[str]) -> str:
    return f"""i.status = 'PENDING' AND {_chosen(given) or "true"}
          AND NOT i.index <@ (
                SELECT coalesce(range_agg(int4range(held.index, held.index, '[]')), '{{}}')
                FROM (SELECT index FROM ({_HELD}) claimed UNION ALL {_UNCLAIMED}) held)
        """


_SLICES = (bindparam("waves", type_=ARRAY(Integer)), bindparam("numbers", type_=ARRAY(Integer)))


@cache
def count_cancelable_items(given: Collection[str]) -> TextClause:
    """Counts the chosen ones that can be canceled: PENDING, but what claimed slices hold.

    LIST_READY_SLICES, or LOCK_READY_SLICES, has found the slices of :waves and :numbers.
    """
    return text(
        f"SELECT count(*) FROM items i WHERE i.batch_id = :batch_id AND {_cancelable(given)}"
    ).bindparams(*_SLICES)


@cache
def cancel_ready_items(given: Collection[str]) -> TextClause:
    """Cancels those of them that are in READY slices, so that nobody begins them."""
    return text(
        f"""
        UPDATE items i SET {_AS_CANCELED}
        WHERE i.batch_id = :batch_id AND i.index = ANY(ARRAY(SELECT index FROM ({_LOCKED}) ready))
          AND {_cancelable(given)}
        """
    ).bindparams(*_SLICES)


@cache
def cancel_chosen_items(given: Collection[str]) -> TextClause:
    """A step of canceling: those of them from :first up to :end.

    Whoever claims one of the READY slices later does not find the items. A slice that was given
    back since may be claimed before this is committed: its items are left alone, as if it had still
    been claimed.
    """
    return text(
        f"""
        UPDATE items i SET {_AS_CANCELED}
        WHERE i.batch_id = :batch_id AND i.index >= :first AND i.index < :end
          AND {_cancelable(given)}
        """
    ).bindparams(*_SLICES)


# What that adds to the batch's counts, which is moved on. By id, which the caller has locked.
ADD_CANCELED_ITEMS = text(
    """
    UPDATE batches SET canceled = canceled + :canceled, revision = revision + 1,
        turn_at = CASE WHEN status IN ('PENDING', 'RUNNING') THEN coalesce(turn_at, now()) END
    WHERE id = :batch_id
    """
)

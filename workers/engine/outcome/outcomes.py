"""What became of the items of a slice, and its writing: a statement a kind, whatever their number.

Every statement bounds the items by the slice's positions beside naming them, so that its cost is
the slice's and not the batch's, whatever plan Postgres chooses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Float, Integer, Text

from app.core.jsontext import dumps
from app.db import after_commit
from app.events.listeners import listener
from workers.engine.claim.claims import ClaimedSlice, LostClaim
from workers.engine.retries.policy import RetryLater

_TYPES: dict[str, Any] = {
    "indexes": Integer,
    "messages": Text,
    "statuses": Text,
    "codes": Integer,
    "waits": Float,
    "attempts": Integer,
}
LONGEST_MESSAGE = 2000


def _statement(sql: str, *arrays: str) -> TextClause:
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[name])) for name in arrays))


_THESE = """
    items.batch_id = :batch_id AND items.index BETWEEN :first AND :last
    AND items.index = u.index AND items.status = 'PENDING'
"""
# What nearly every item comes to, so its rows go in as one literal a column: as arrays of SQL they
# would be three thousand, which cost client and server more than the writing does.
_SUCCEEDED = text(
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
_FAILED = _statement(
    f"""
    UPDATE items SET status = u.status, attempts = items.attempts + u.attempts, code = u.code,
        message = u.message, due_at = NULL, deferred = false,
        started_at = coalesce(items.started_at, s.claimed_at), finished_at = clock_timestamp()
    FROM unnest(:indexes, :statuses, :codes, :messages, :attempts)
         AS u (index, status, code, message, attempts), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id AND {_THESE}
    """,
    "indexes",
    "statuses",
    "codes",
    "messages",
    "attempts",
)
_PUT_OFF = _statement(
    f"""
    UPDATE items SET due_at = clock_timestamp() + make_interval(secs => u.wait),
        attempts = items.attempts + u.attempts, code = u.code, message = u.message,
        deferred = u.attempts = 0, started_at = coalesce(items.started_at, s.claimed_at)
    FROM unnest(:indexes, :waits, :codes, :messages, :attempts)
         AS u (index, wait, code, message, attempts), slices s
    WHERE s.claim = :claim AND s.batch_id = :batch_id AND {_THESE}
    """,
    "indexes",
    "waits",
    "codes",
    "messages",
    "attempts",
)
_LEFT = _statement(
    f"""
    UPDATE items SET due_at = clock_timestamp(), deferred = false
    FROM unnest(:indexes) AS u (index) WHERE {_THESE}
    """,
    "indexes",
)


@dataclass(frozen=True, slots=True)
class Failure:
    """An item that ended INVALID or FAILED. `attempts`: tries this run used up, 0 or 1."""

    index: int
    status: str
    code: int
    message: str
    attempts: int


@dataclass(slots=True)
class Outcomes:
    """What is to be written of some items of a slice.

    `succeeded`: index, result as JSON, message. `left`: indexes of those that the slice gives up
    without having tried them; they are due again at once.
    """

    succeeded: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    retry_later: list[RetryLater] = field(default_factory=list)
    left: list[int] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """How many ended FAILED."""
        return sum(failure.status == "FAILED" for failure in self.failures)

    @property
    def invalid(self) -> int:
        """How many ended INVALID."""
        return len(self.failures) - self.failed

    def add(self, other: Outcomes) -> None:
        """Take in `other`'s."""
        self.succeeded += other.succeeded
        self.failures += other.failures
        self.retry_later += other.retry_later
        self.left += other.left

    def clear(self) -> None:
        """Forget all: it has been written."""
        for kind in (self.succeeded, self.failures, self.retry_later, self.left):
            kind.clear()


def write_outcomes(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> None:
    """Write them. Raises LostClaim where an item is no longer this claim's to write."""
    if outcomes.succeeded or outcomes.failures or outcomes.retry_later:
        retried = sum(late.attempts for late in outcomes.retry_later)
        after_commit(
            connection,
            lambda: listener().outcomes_written(
                claimed.batch_id, claimed.operation, retried=retried
            ),
        )
    if outcomes.succeeded:
        indexes, results, messages = zip(*outcomes.succeeded, strict=True)
        _write(
            connection,
            claimed,
            _SUCCEEDED,
            len(indexes),
            indexes=f"{{{','.join(map(str, indexes))}}}",
            results=f"[{','.join([result or 'null' for result in results])}]",
            messages=dumps([message and shown(message) for message in messages]),
        )
    if outcomes.failures:
        failures = outcomes.failures
        _write(
            connection,
            claimed,
            _FAILED,
            len(failures),
            indexes=[failure.index for failure in failures],
            statuses=[failure.status for failure in failures],
            codes=[failure.code for failure in failures],
            messages=[shown(failure.message) for failure in failures],
            attempts=[failure.attempts for failure in failures],
        )
    if outcomes.retry_later:
        waiting = outcomes.retry_later
        _write(
            connection,
            claimed,
            _PUT_OFF,
            len(waiting),
            indexes=[item.index for item in waiting],
            waits=[item.wait for item in waiting],
            codes=[item.code for item in waiting],
            messages=[shown(item.message) for item in waiting],
            attempts=[item.attempts for item in waiting],
        )
    if outcomes.left:
        _write(connection, claimed, _LEFT, len(outcomes.left), indexes=outcomes.left)


def shown(message: str | None) -> str | None:
    """`message` as it can be stored and shown: no NUL, no lone surrogates, not endless."""
    if message is None:
        return None
    clean = message.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean if len(clean) <= LONGEST_MESSAGE else clean[: LONGEST_MESSAGE - 1] + "…"


def _write(
    connection: Connection,
    claimed: ClaimedSlice,
    statement: TextClause,
    count: int,
    **values: str | list[Any],
) -> None:
    written = connection.execute(
        statement,
        {
            "batch_id": claimed.batch_id,
            "claim": claimed.claim,
            "first": claimed.first_index,
            "last": claimed.last_index,
            **values,
        },
    ).rowcount
    if written != count:
        raise LostClaim(f"{count - written} items of slice {claimed.number} were not ours")

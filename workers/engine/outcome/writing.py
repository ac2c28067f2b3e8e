"""Outcomes into the database, whatever it says to them: no handler is called again for a write.

A write that is refused is tried in halves, down to the item whose outcome it is that Postgres does
not take. That one has FAILED, with the reason.
"""

from __future__ import annotations

import time

import structlog
from sqlalchemy import Connection

from app.db import is_away, is_retryable, refuses_writes, transaction
from app.db.statements.sessions import BEGIN_OUTCOMES, UNDO_OUTCOMES
from handlers.contract import Problem
from workers.engine.claim.claims import ClaimedSlice, LostClaim, hold
from workers.engine.outcome.classify import CannotBeStored, describe
from workers.engine.outcome.ending import end_slice, keep_counts
from workers.engine.outcome.outcomes import Failure, Outcomes
from workers.engine.outcome.write_outcomes import write_outcomes
from workers.engine.retries.attempts import COUNTED
from workers.engine.runtime import Runtime

log = structlog.get_logger(__name__)

# Effects elsewhere: how long an outcome may wait before it is written, in seconds.
_WRITE_EVERY = 0.5
# Tries of a write that should succeed by itself (a deadlock, a lost connection) although others do.
_TRIES = 5
_LONGEST_PAUSE = 5.0


class OutcomesRefused(Exception):
    """The database does not take the outcomes of these items, by index."""

    def __init__(self, problems: dict[int, Problem]) -> None:
        super().__init__(f"the outcomes of {len(problems)} items were refused")
        self.problems = problems


class CannotBeWritten(Exception):
    """Not even that an item has failed can be written."""


def begin_outcomes(connection: Connection) -> str | None:
    """The handlers are through, and `write_with_effects` is next. The claim set with the limits."""
    claim, _ = connection.execute(BEGIN_OUTCOMES).one()
    return str(claim) if claim else None


def write_with_effects(
    runtime: Runtime, connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes
) -> bool:
    """Write the outcomes of effects in the same transaction, and end the slice.

    Returns whether its batch has ended with it. After `begin_outcomes`. Raises OutcomesRefused, by
    which the transaction is lost, where some cannot be written.
    """
    try:
        write_outcomes(connection, claimed, outcomes)
    except LostClaim:
        raise
    except Exception as error:
        if is_away(error) or is_retryable(error):
            raise
        connection.execute(UNDO_OUTCOMES)
        if refused := _write_in_parts(connection, claimed, outcomes, error):
            raise OutcomesRefused(refused) from error
    return end_slice(runtime, connection, claimed, outcomes)


def _write_in_parts(
    connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes, refusal: Exception
) -> dict[int, Problem]:
    """Write what can be written of that which was refused together; what cannot, and why."""
    indexes = list(outcomes.indexes())
    if len(indexes) == 1:
        return {indexes[0]: CannotBeStored(describe(refusal))}
    refused: dict[int, Problem] = {}
    for half in outcomes.halves():
        try:
            with connection.begin_nested():
                write_outcomes(connection, claimed, half)
        except LostClaim:
            raise
        except Exception as error:
            if is_away(error) or is_retryable(error):
                raise
            refused |= _write_in_parts(connection, claimed, half, error)
    return refused


class Writer:
    """Writes the outcomes of effects elsewhere as they come, a transaction each half second.

    Those effects have happened, so their outcomes are kept until the database takes them: for as
    long as the claim lasts.
    """

    def __init__(self, runtime: Runtime, claimed: ClaimedSlice) -> None:
        self._runtime = runtime
        self._claimed = claimed
        self._written_at = time.monotonic()
        self._ended = False

    def maybe_write(self, outcomes: Outcomes) -> None:
        """Write if it is time."""
        if time.monotonic() - self._written_at >= _WRITE_EVERY:
            self.write(outcomes, done=False)

    def write(self, outcomes: Outcomes, *, done: bool) -> bool:
        """Write all there is, and forget it. Raises LostClaim, or CannotBeWritten.

        Returns whether the batch has ended with it.
        """
        self._ended = False
        self._write(outcomes, done=done)
        outcomes.clear()
        self._written_at = time.monotonic()
        return self._ended

    def _write(self, outcomes: Outcomes, *, done: bool) -> None:
        refusal = self._try(outcomes, done=done)
        if refusal is None:
            return
        if len(outcomes) > 1:
            first, second = outcomes.halves()
            self._write(first, done=False)
            self._write(second, done=done)
            return
        log.warning("outcome.refused", batch=str(self._claimed.batch_id), error=describe(refusal))
        problem = CannotBeStored(describe(refusal))
        failed = Outcomes(
            failures=[
                Failure(
                    index,
                    self._claimed.slice_operation or self._claimed.operation,
                    "FAILED",
                    problem.code,
                    problem.message,
                    COUNTED,
                )
                for index in outcomes.indexes()
            ]
        )
        refusal = self._try(failed, done=done)
        if refusal is not None:
            raise CannotBeWritten from refusal

    def _try(self, outcomes: Outcomes, *, done: bool) -> Exception | None:
        """Write, again where that may help; what the database has against it, if it has."""
        tries = pauses = 0
        while True:
            held = False
            try:
                with transaction(self._runtime.engine) as connection:
                    hold(connection, self._claimed, self._runtime.breakers)
                    held = True
                    write_outcomes(connection, self._claimed, outcomes)
                    if done:
                        self._ended = end_slice(self._runtime, connection, self._claimed, outcomes)
                    else:
                        keep_counts(self._runtime, connection, self._claimed, outcomes, done=False)
                return None
            except LostClaim:
                raise
            except Exception as error:
                full = refuses_writes(error)
                tries += held and not full
                passing = full or is_away(error) or is_retryable(error)
                if not passing or tries == _TRIES:
                    return error
                log.warning("outcomes.not_written", error=describe(error), items=len(outcomes))
            time.sleep(min(0.2 * 2**pauses, _LONGEST_PAUSE))
            pauses += 1

"""Writing what became of the items of a slice: a statement a kind, whatever their number."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, TextClause

from app.batches.failures.grouping import count_failures
from app.batches.failures.kinds import tell_apart
from app.core.jsontext import dumps
from app.db.statements.item_outcomes import (
    COMPLETE_ITEMS,
    LEAVE_ITEMS,
    REFUSE_ITEMS,
    RETRY_ITEMS_LATER,
)
from app.db.statements.served_operations import PUT_OFF_ITEMS
from app.db.statements.waiting_for_breakers import HOLD_ITEMS
from workers.engine.claim.claims import ClaimedSlice, LostClaim
from workers.engine.claim.served import WAITING_CODE
from workers.engine.outcome.outcomes import Outcomes

LONGEST_MESSAGE = 2000


def write_outcomes(connection: Connection, claimed: ClaimedSlice, outcomes: Outcomes) -> None:
    """Write them. Raises LostClaim where an item is no longer this claim's to write."""
    if outcomes.succeeded:
        indexes, results, messages = zip(*outcomes.succeeded, strict=True)
        _write(
            connection,
            claimed,
            COMPLETE_ITEMS,
            len(indexes),
            indexes=_literal(indexes),
            results=f"[{','.join([result or 'null' for result in results])}]",
            messages=dumps([message and shown(message) for message in messages]),
        )
    if outcomes.failures:
        failed = outcomes.failures
        words = [shown(failure.message) for failure in failed]
        failures = tell_apart(failed, words)
        kept = count_failures(connection, claimed.batch_id, failures, spread=claimed.number)
        _write(
            connection,
            claimed,
            REFUSE_ITEMS,
            len(failed),
            statuses=[kind.status for kind in failures.kinds],
            codes=[kind.code for kind in failures.kinds],
            failures=kept,
            indexes=_literal(failure.index for failure in failed),
            kinds=_literal(failures.places),
            attempts=_literal(failure.attempts for failure in failed),
            messages=dumps(words),
        )
    if outcomes.retry_later:
        waiting = outcomes.retry_later
        _write(
            connection,
            claimed,
            RETRY_ITEMS_LATER,
            len(waiting),
            indexes=[item.index for item in waiting],
            waits=[item.wait for item in waiting],
            codes=[item.code for item in waiting],
            messages=[shown(item.message) for item in waiting],
            attempts=[item.attempts for item in waiting],
        )
    if outcomes.waiting:
        untried = outcomes.waiting
        _write(
            connection,
            claimed,
            PUT_OFF_ITEMS,
            len(untried),
            indexes=[item.index for item in untried],
            waits=[item.wait for item in untried],
            messages=[shown(item.message) for item in untried],
            code=WAITING_CODE,
        )
    if outcomes.held:
        _write(
            connection,
            claimed,
            HOLD_ITEMS,
            len(outcomes.held),
            indexes=[index for index, _ in outcomes.held],
            breakers=[breaker for _, breaker in outcomes.held],
        )
    if outcomes.left:
        _write(connection, claimed, LEAVE_ITEMS, len(outcomes.left), indexes=outcomes.left)


def shown(message: str) -> str:
    """`message` as it can be stored and shown: no NUL, no lone surrogates, not endless."""
    clean = message.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean if len(clean) <= LONGEST_MESSAGE else clean[: LONGEST_MESSAGE - 1] + "…"


def _literal(numbers: Iterable[int]) -> str:
    return f"{{{','.join(map(str, numbers))}}}"


def _write(
    connection: Connection,
    claimed: ClaimedSlice,
    statement: TextClause,
    count: int,
    **values: str | int | list[Any],
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

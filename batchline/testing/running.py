"""Items through a handler as a worker runs them, but for the rows.

Reading, keys, schemas, order, calls, time limits and what becomes of answers are the engine's own
functions; only where effects go is another (effects.py), and that nothing is tried a second time.
"""

from __future__ import annotations

import json
import math
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from app.batches.copying import ItemRow
from app.batches.item_keys import ItemReader
from app.core.ids import new_id
from app.core.jsontext import dumps, loads
from app.formats.raw_item import RawItem
from app.operations.item_input import WrongInput, check_input
from batchline.testing.effects import MemoryContext, MemoryEffects
from batchline.testing.finding import find_operation
from batchline.testing.records import MemoryRecords
from batchline.testing.results import Result, Results
from handlers import Item, registry
from handlers.contract import Problem
from workers.engine.claim.claims import ClaimedSlice
from workers.engine.claim.load_items import Loaded
from workers.engine.claim.served import InvalidItem
from workers.engine.outcome.outcomes import Outcomes
from workers.engine.outcome.write_outcomes import shown
from workers.engine.process.stop_sign import StopSign
from workers.engine.process.time_limit import HandlerRaised
from workers.engine.process.watchdog import Watch
from workers.engine.run.execute import Run
from workers.engine.run.terms import ItemGivenUp, SliceSpoiled, SliceTransactionLost, Terms


def run_items(
    handler: Callable[..., Any] | str,
    items: Iterable[Any],
    *,
    records: MemoryRecords | None = None,
    connection: Connection | None = None,
    client_id: UUID | None = None,
    metadata: Mapping[str, Any] | None = None,
    attempt: int = 1,
) -> Results:
    """Run `items` as one batch through a handler, once each, and say what became of them.

    `handler`: what `@operation` decorates, or the operation's name. `items`: what a request would
    have in `items`, as Python values. `records`: what the client has stored before, and has
    afterwards. `connection`: one to Postgres (psycopg2), for handlers that use
    `context.connection`; what they do is in its transaction, which is left to the caller.
    `attempt`: which try it is: a `Retry` in the last of an operation's `max_attempts` ends FAILED.

    Raises LookupError where there is no such operation, ValueError for an item that no request
    could hold, as it is no JSON.
    """
    operation = find_operation(handler)
    records = MemoryRecords() if records is None else records
    texts = (RawItem(_json(index, item)) for index, item in enumerate(items))
    rows = list(ItemReader(registry, operation.name).read(texts))
    claimed = _slice(operation.name, client_id, metadata, len(rows))
    errors: dict[int, BaseException] = {}
    outcomes = Outcomes()
    valid, invalid = _load(rows, operation.name, attempt)
    with _alarm_kept():
        for in_database in (True, False):
            mine = [one for one in valid if one.operation.in_database is in_database]
            effects = MemoryEffects(records, connection) if in_database else None
            if mine or in_database:
                refused = invalid if in_database else []
                outcomes.add(_run(claimed, mine, refused, records, effects, errors))
            if effects is not None:
                effects.finish()
    return Results(_results(rows, outcomes, errors), records)


def _json(index: int, item: Any) -> str:
    try:
        json.dumps(item, allow_nan=False, default=str)  # ours would write a NaN as null
        return dumps(item)
    except (TypeError, ValueError) as error:
        raise ValueError(f"item {index} is no JSON: {error}") from error


def _load(
    rows: list[ItemRow], default: str, attempt: int
) -> tuple[list[Loaded], list[InvalidItem]]:
    """The valid items, each in its lane, and the others."""
    valid: list[Loaded] = []
    invalid: list[InvalidItem] = []
    lanes: dict[tuple[str, str], int] = {}
    for index, row in enumerate(rows):
        try:
            operation, data, key = check_input(registry, row.operation or default, row.text)
        except WrongInput as wrong:
            invalid.append(InvalidItem(index, row.operation or default, wrong.message))
            continue
        record = None if row.key is None else (operation.collection or operation.name, row.key)
        lane = None if record is None else lanes.setdefault(record, index)
        valid.append(Loaded(Item(index, key, data, attempt), operation, lane))
    return valid, invalid


def _run(
    claimed: ClaimedSlice,
    items: list[Loaded],
    invalid: list[InvalidItem],
    records: MemoryRecords,
    effects: MemoryEffects | None,
    errors: dict[int, BaseException],
) -> Outcomes:
    """Run them, again from the start where one took the others' effects with it."""
    given_up: dict[int, Problem] = {}
    singly = False

    def note(_operation: str, _batch: UUID, index: int, error: Exception) -> None:
        errors[index] = error.original if isinstance(error, HandlerRaised) else error

    while True:
        terms = Terms(
            allowance=None,
            until=math.inf,
            stopping=StopSign(),
            watch=Watch(),
            singly=singly,
            last_try=True,
            given_up=given_up,
        )
        context = MemoryContext(claimed, records, effects)
        run = Run(claimed, context, effects, terms, on_failure=note)
        run.refuse(invalid)
        try:
            run.process(items)
        except ItemGivenUp as item:
            given_up[item.index] = item.problem
        except SliceSpoiled:
            singly = True
        except SliceTransactionLost as lost:
            raise RuntimeError("the connection that run_items was given is lost") from lost
        else:
            return run.outcomes
        if effects is not None:
            effects.begin_again()


def _results(
    rows: list[ItemRow], outcomes: Outcomes, errors: Mapping[int, BaseException]
) -> Iterator[Result]:
    """What would be written of each, in their order."""
    found: dict[int, tuple[str, int | None, str | None, Any]] = {}
    for index, result, message in outcomes.succeeded:
        found[index] = ("SUCCESS", None, message, None if result is None else loads(result))
    for failure in outcomes.failures:
        found[failure.index] = (failure.status, failure.code, failure.message, None)
    # What was deferred waits as long as anything may still bring it forward.
    waits = any(late.attempts for late in outcomes.retry_later)
    for late in outcomes.retry_later:
        status = "PENDING" if waits else "FAILED"
        found[late.index] = (status, late.code, late.message, None)
    for index, row in enumerate(rows):
        status, code, message, result = found.get(index, ("PENDING", None, None, None))
        said = None if message is None else shown(message)
        yield Result(index, row.key, status, code, said, result, errors.get(index))


def _slice(
    operation: str, client_id: UUID | None, metadata: Mapping[str, Any] | None, size: int
) -> ClaimedSlice:
    """All items as a slice of a batch that there is no row of."""
    return ClaimedSlice(
        batch_id=new_id(),
        wave=0,
        number=0,
        claim=new_id(),
        claimed_at=datetime.now(UTC),
        client_id=client_id or new_id(),
        operation=operation,
        queue="fast",
        phase="run",
        first_index=0,
        last_index=size - 1,
        picks=None,
        size=size,
        limited=None,
        guards=None,
        metadata=loads(dumps(dict(metadata or {}))),
        slice_operation=operation,
    )


@contextmanager
def _alarm_kept() -> Iterator[None]:
    """Time limits are kept by the process's alarm, which a test's own time limit may be set by."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGALRM)
    seconds, again = signal.setitimer(signal.ITIMER_REAL, 0)
    try:
        yield
    finally:
        signal.signal(signal.SIGALRM, handler)
        signal.setitimer(signal.ITIMER_REAL, seconds, again)

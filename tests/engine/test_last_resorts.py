"""What the engine does where nothing else helps: slices that cannot be written, and lost items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import pytest

from app.db import transaction
from tests.engine.rig import Rig
from workers.engine.claim.claims import add_counts, hold
from workers.engine.outcome.fail_slice import fail_slice
from workers.engine.outcome.outcomes import Outcomes
from workers.engine.outcome.write_outcomes import write_outcomes
from workers.engine.retries.attempts import COUNTED
from workers.engine.retries.policy import RetryLater


@contextmanager
def refusing(rig: Rig, table: str, batch_id: UUID, when: str) -> Iterator[None]:
    """Postgres refuses to update those rows of the batch; how often it did, a sequence counts."""
    rig.run("CREATE SEQUENCE refusals")
    rig.run(
        """CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN
               PERFORM nextval('refusals');
               RAISE EXCEPTION 'no room for %', TG_ARGV[0];
           END $$"""
    )
    rig.run(
        f"""CREATE TRIGGER refuse BEFORE UPDATE ON {table} FOR EACH ROW
            WHEN (NEW.batch_id = '{batch_id}' AND {when}) EXECUTE FUNCTION refuse({table})"""
    )
    try:
        yield
    finally:
        rig.run(f"DROP TRIGGER refuse ON {table}")
        rig.run("DROP FUNCTION refuse")
        rig.run("DROP SEQUENCE refusals")


WAYS = pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])


@pytest.mark.slow
@WAYS
def test_a_slice_that_cannot_be_written_ends_its_items_with_the_reason(
    rig: Rig, operation: str
) -> None:
    items = [{"uid": n, "do": "reject" if n == 2 else "succeed"} for n in range(4)]
    batch_id = rig.submit(operation, items)
    with refusing(rig, "slices", batch_id, "NEW.completed > OLD.completed"):
        rig.run_out(batch_id)
        [(refusals,)] = rig.rows("SELECT last_value FROM refusals")
    assert 1 <= refusals <= 8, "it was not tried for ever"
    assert rig.statuses(batch_id) == ["FAILED"] * 4
    for item in rig.items(batch_id):
        assert (item.attempts, item.due_at) == (1, None)
        assert item.started_at is not None
        if operation == "log.outside" and item.index == 2:
            assert (item.code, item.message) == (418, "rejected as asked")
        else:
            assert item.code == 500
            assert "no room for slices" in item.message
    batch = rig.batch(batch_id)
    assert (batch.status, batch.failed, batch.completed) == ("FAILED", 4, 0)
    assert rig.effects() == {}, "what it did in our database is undone"


@WAYS
def test_of_outcomes_that_are_refused_each_fails_for_itself(rig: Rig, operation: str) -> None:
    batch_id = rig.submit(operation, [{"uid": n} for n in range(5)])
    with refusing(rig, "items", batch_id, "NEW.status = 'SUCCESS' AND NEW.index IN (1, 4)"):
        rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS", "FAILED", "SUCCESS", "SUCCESS", "FAILED"]
    for item in rig.items(batch_id):
        assert item.attempts == 1
        if item.status == "FAILED":
            assert item.message.startswith("The handler's result cannot be stored: ")
            assert "no room for items" in item.message
    batch = rig.batch(batch_id)
    assert (batch.status, batch.failed, batch.completed) == ("PARTIAL", 2, 3)
    if operation != "log.outside":
        assert rig.effects() == {f"own {n}": [n] for n in (0, 2, 3)}


def test_what_such_a_slice_has_put_off_is_tried_again(rig: Rig) -> None:
    # Repeated keys, so that the slice has picks.
    batch_id = rig.submit("log.outside", [{"uid": n, "key": f"k{n % 2}"} for n in range(4)])
    rig.deliver(rig.messages.pop(0))
    claimed = rig.claim(rig.messages[0], rig.runtime)
    assert claimed is not None
    with transaction(rig.engine) as connection:
        hold(connection, claimed)
        late = Outcomes(retry_later=[RetryLater(3, 0.0, 503, "later", COUNTED)])
        write_outcomes(connection, claimed, late)
        add_counts(connection, claimed, done=False)
    fail_slice(rig.runtime, claimed, "as the test wants it")
    assert rig.statuses(batch_id) == ["FAILED", "FAILED", "FAILED", "PENDING"]
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["FAILED", "FAILED", "FAILED", "SUCCESS"]
    assert rig.batch(batch_id).failed == 3


def test_items_that_nothing_would_bring_on_are_found(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": n, "key": f"k{n}"} for n in range(3)])
    # The first pass is past them, and they have no moment of their own.
    rig.run("UPDATE batches SET next_index = total WHERE id = :id", id=batch_id)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 3
    assert rig.effects() == {"k0": [0], "k1": [1], "k2": [2]}


def test_some_of_a_batch_are_found_where_others_wait(rig: Rig) -> None:
    items = [{"uid": n, "key": f"k{n}", "do": "retry" if n == 1 else "succeed"} for n in range(3)]
    batch_id = rig.submit("log.one", items)
    rig.run("UPDATE batches SET next_index = 1 WHERE id = :id", id=batch_id)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 3
    assert [item.attempts for item in rig.items(batch_id)] == [1, 2, 1]

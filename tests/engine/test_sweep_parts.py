"""The sweep's parts: bounded, waiting for nobody's lock, none keeping another from its work."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from uuid import UUID

import pytest
from sqlalchemy import text

from app.core import lifecycle
from app.db import transaction
from app.db.statements.sweeps import TRY_SWEEP_LOCK
from tests.engine.rig import Rig
from tests.support.stack import wait_for
from workers.engine.rescue.sweep import sweep
from workers.engine.runtime import Runtime

KEYS = 20_000
_READ = text(
    """
    SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables
    WHERE relname = 'idempotency_keys'
    """
)
_OTHERS = text(
    """
    SELECT pid, application_name, state, query FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type LIKE 'client%'
    """
)
_END_IDLE = text(
    """
    SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'idle'
    """
)


def _scheduled(rig: Rig, number: int = 1) -> list[UUID]:
    """Batches that were scheduled for a moment that has come."""
    moment = rig.rows("SELECT now() + interval '1 hour' AS later")[0].later
    ids = [rig.submit("test.probe", [{"key": f"s{n}"}], scheduled_at=moment) for n in range(number)]
    rig.messages.clear()
    rig.run("UPDATE batches SET scheduled_at = now() WHERE status = 'SCHEDULED'")
    return ids


def _status(rig: Rig, batch_id: UUID) -> str:
    return str(rig.batch(batch_id).status)


@contextmanager
def _broken(rig: Rig, trigger: str) -> Iterator[None]:
    """A trigger that raises, for as long as the block lasts."""
    rig.run(
        """CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS $$
           BEGIN RAISE EXCEPTION 'broken on purpose'; END $$"""
    )
    try:
        rig.run(f"CREATE TRIGGER breaks {trigger} EXECUTE FUNCTION breaks()")
        yield
    finally:
        rig.run("DROP FUNCTION breaks CASCADE")


def test_a_scheduled_batch_that_somebody_is_changing_holds_no_other_up(rig: Rig) -> None:
    held, free = _scheduled(rig, 2)
    with transaction(rig.engine) as connection:
        connection.execute(text("SELECT FROM batches WHERE id = :id FOR UPDATE"), {"id": held})
        began = time.monotonic()
        assert rig.sweep()["schedules_started"] >= 1
        assert time.monotonic() - began < 2
    assert [_status(rig, one) for one in (held, free)] == [lifecycle.SCHEDULED, lifecycle.PENDING]
    assert rig.sweep()["schedules_started"] >= 1
    rig.run_out(held, free)


def test_as_many_schedules_as_there_are_begin_in_one_sweep(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.engine.rescue.sweep._BEGIN_AT_ONCE", 3)
    ids = _scheduled(rig, 8)
    assert rig.sweep()["schedules_started"] >= 8
    in_line = rig.rows("SELECT id FROM batches WHERE turn_at IS NOT NULL AND status = 'PENDING'")
    assert {row.id for row in in_line} >= set(ids)
    rig.run_out(*ids)


def test_a_part_that_fails_keeps_none_of_the_others_from_its_work(rig: Rig) -> None:
    [scheduled] = _scheduled(rig)
    lost = rig.submit("test.probe", [{"key": "lost"}])
    rig.deliver(rig.messages.pop(0))
    rig.messages.clear()
    rig.time_passes()
    called: list[Runtime] = []

    def one_more(here: Runtime) -> int:
        called.append(here)
        return 1

    change = "BEFORE UPDATE ON batches FOR EACH ROW WHEN (OLD.status = 'SCHEDULED')"
    with _broken(rig, change):
        done = sweep(rig.runtime, {"one more": one_more})
    assert (done["schedules_started"], done["slices_sent_again"]) == (0, 1)
    assert called == [rig.runtime]
    rig.run_out(scheduled, lost)


def test_a_claim_that_cannot_be_taken_holds_no_other_up(rig: Rig) -> None:
    batches = [rig.submit("test.probe", [{"key": f"k{n}"}]) for n in range(3)]
    zombie = rig.worker()
    for _ in batches:
        rig.deliver(rig.messages.pop(0))
    claimed = [rig.claim(one, zombie) for one in rig.messages if one.number is not None]
    assert len(list(filter(None, claimed))) == 3
    rig.messages.clear()
    zombie.heartbeat.die()  # type: ignore[attr-defined]
    with transaction(rig.engine) as connection:
        # Somebody's session that is not the worker's, and is let be.
        connection.execute(
            text("SELECT FROM items WHERE batch_id = :id FOR UPDATE"), {"id": batches[1]}
        )
        began = time.monotonic()
        taken = rig.sweep()["claims_taken_over"]
        if taken < 2:  # it was the first, and there was no time for more
            taken += rig.sweep()["claims_taken_over"]
        assert taken == 2
        assert time.monotonic() - began < 15
    assert rig.sweep()["claims_taken_over"] == 1
    rig.run_out(*batches)


def test_nothing_of_it_runs_beside_another_sweep(rig: Rig) -> None:
    old = rig.submit("test.probe", [{"key": "old"}])
    rig.deliver_all()
    rig.run(
        "UPDATE batches SET finished_at = finished_at - interval '8 days' WHERE id = :id", id=old
    )
    rig.runtime.settings = replace(rig.settings, retention_days=7)
    with transaction(rig.engine) as other:
        assert other.execute(TRY_SWEEP_LOCK).scalar_one()
        assert rig.sweep() == {}
        assert rig.rows("SELECT FROM batches WHERE id = :id", id=old)
    assert rig.sweep()["batches_removed"] == 1


def test_a_sweep_reads_the_idempotency_keys_that_have_expired_and_no_other(rig: Rig) -> None:
    rig.run(
        """INSERT INTO idempotency_keys (client_id, key, claim, status, created_at)
           SELECT :client, 'k' || n, gen_random_uuid(), 202,
                  now() - CASE WHEN n <= 10 THEN interval '25 hours' ELSE interval '1 hour' END
           FROM generate_series(1, :keys) n""",
        client=rig.client_id,
        keys=KEYS,
    )
    with rig.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE idempotency_keys"))
    before = _keys_read(rig)
    for _ in range(3):
        rig.sweep()
    assert _keys_read(rig) - before < 100
    [left] = rig.rows("SELECT count(*) AS n FROM idempotency_keys")
    assert left.n == KEYS - 10
    rig.run("DELETE FROM idempotency_keys")


def test_slices_of_paused_batches_do_not_make_a_queue_look_short(rig: Rig) -> None:
    waiting, paused = (rig.submit("test.probe", [{"key": key}]) for key in ("waits", "paused"))
    for _ in range(2):
        rig.deliver(rig.messages.pop(0))
    rig.messages.clear()
    rig.act(paused, "pause")
    rig.run("UPDATE slices SET sends = 6, sent_at = now() - interval '1 minute'")
    rig.runtime.queue_depth = lambda _: 1
    rig.sweep()
    assert not rig.messages, "the one message may well be that of the one that should have one"
    rig.runtime.queue_depth = lambda _: 0
    assert rig.sweep()["slices_sent_again"] == 1
    rig.act(paused, "resume")
    rig.run_out(waiting, paused)


def _keys_read(rig: Rig) -> int:
    """Rows of idempotency_keys that have been read so far, as Postgres counts them."""
    # A session tells what it read at the latest when it ends: those of other tests, too.
    rig.engine.dispose()
    with rig.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(_END_IDLE)
        wait_for(
            lambda: not connection.execute(_OTHERS).all(),
            what=lambda: f"the end of {connection.execute(_OTHERS).all()}",
        )
        return int(connection.execute(_READ).scalar_one())

"""The sweep's smaller duties, and a cost that does not grow with what has ended."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from sqlalchemy import text

from app.batches.retention import remove_expired
from app.core import lifecycle
from app.core.settings import Settings
from app.db.statements.batches import lock_batch_row
from tests.engine.rig import Rig
from tests.support.stack import wait_for
from workers.engine.rescue.sweep import sweep

_OTHERS = text(
    """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type LIKE 'client%'
    """
)
_READ = text(
    "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_user_tables WHERE relname = 'batches'"
)


def test_ended_batches_are_kept_for_ninety_days_unless_said_otherwise(rig: Rig) -> None:
    assert Settings().retention_days == 90
    old, young = (rig.submit("test.probe", [{"key": key}]) for key in ("old", "young"))
    rig.deliver_all()
    for batch_id, days in (old, 91), (young, 89):
        rig.run(
            "UPDATE batches SET finished_at = now() - make_interval(days => :days) WHERE id = :id",
            id=batch_id,
            days=days,
        )
    sweep(rig.runtime)
    assert not _there(rig, old)
    assert _there(rig, young)


def test_ended_batches_are_kept_for_as_long_as_is_asked_for(rig: Rig) -> None:
    old = rig.submit("test.probe", [{"key": "old"}])
    young = rig.submit("test.probe", [{"key": "young"}])
    rig.deliver_all()
    rig.run(
        "UPDATE batches SET finished_at = finished_at - interval '8 days' WHERE id = :id", id=old
    )
    rig.runtime.settings = replace(rig.settings, retention_days=0)
    sweep(rig.runtime)
    assert _there(rig, old)
    rig.runtime.settings = replace(rig.settings, retention_days=7)
    sweep(rig.runtime)
    assert not _there(rig, old)
    assert _there(rig, young)


def test_large_batches_are_removed_in_steps_and_small_ones_together(rig: Rig) -> None:
    rig.runtime.settings = replace(rig.settings, retention_days=0)  # only as is said below

    def old(items: int, days: int) -> UUID:
        batch_id = rig.submit("test.probe", [{"key": str(n)} for n in range(items)])
        rig.run_out(batch_id)
        rig.run(
            "UPDATE batches SET finished_at = now() - make_interval(days => :days) WHERE id = :id",
            id=batch_id,
            days=days,
        )
        return batch_id

    rig.run("UPDATE batches SET finished_at = now() WHERE finished_at IS NOT NULL")
    first, second, large, last = old(3, 90), old(3, 80), old(9, 70), old(3, 60)
    locked = old(2, 95)

    def removed() -> int:
        with rig.engine.begin() as connection:
            return remove_expired(connection, days=30, most=7)

    with rig.engine.begin() as connection:
        connection.execute(lock_batch_row(), {"batch_id": locked})
        assert removed() == 2
    assert [_there(rig, one) for one in (first, second, locked, large, last)] == [
        False, False, True, True, True,
    ]  # fmt: skip
    assert removed() == 1
    assert not _there(rig, locked)
    assert removed() == 1
    assert rig.batch(large).doing == lifecycle.DELETE
    assert removed() == 1
    assert not _there(rig, last), "it does not wait for the large one"
    assert removed() == 0
    rig.sweep()
    rig.deliver_all()
    assert not _there(rig, large)


def test_a_flushed_broker_is_noticed_however_often_a_slice_was_sent(rig: Rig) -> None:
    batch_id = rig.submit("test.probe", [{"key": "lost"}])
    rig.deliver(rig.messages.pop(0))
    rig.messages.clear()  # the broker is flushed
    rig.run(
        "UPDATE slices SET sends = 6, sent_at = now() - interval '1 minute' WHERE batch_id = :id",
        id=batch_id,
    )
    rig.runtime.queue_depth = lambda _: 1000
    sweep(rig.runtime)
    assert not rig.messages, "it may well be among those that wait"
    rig.runtime.queue_depth = lambda _: 0
    sweep(rig.runtime)
    rig.deliver_all()
    assert _status(rig, batch_id) == lifecycle.SUCCESS


def test_the_sweep_reads_no_ended_batch(rig: Rig) -> None:
    with rig.engine.begin() as connection:
        connection.execute(
            text(
                """
                INSERT INTO batches (id, client_id, status, finished_at)
                SELECT gen_random_uuid(), :client, 'SUCCESS', now() FROM generate_series(1, 20000)
                """
            ),
            {"client": rig.client_id},
        )
    with rig.engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text("ANALYZE batches"))
    unfinished = [rig.submit("test.probe", [{"key": f"u{number}"}]) for number in range(100)]
    rig.messages.clear()
    rig.time_passes()
    before = _rows_read(rig)
    sweep(rig.runtime)
    assert _rows_read(rig) - before < 2000
    rig.deliver_all()
    assert {_status(rig, batch_id) for batch_id in unfinished} == {lifecycle.SUCCESS}


def _there(rig: Rig, batch_id: object) -> bool:
    with rig.engine.connect() as connection:
        return bool(
            connection.execute(
                text("SELECT count(*) FROM batches WHERE id = :id"), {"id": batch_id}
            ).scalar()
        )


def _status(rig: Rig, batch_id: object) -> str:
    with rig.engine.connect() as connection:
        return str(
            connection.execute(
                text("SELECT status FROM batches WHERE id = :id"), {"id": batch_id}
            ).scalar_one()
        )


def _rows_read(rig: Rig) -> int:
    """Rows of batches that have been read so far, by whatever scan, as Postgres counts them."""
    rig.engine.dispose()  # a session tells what it read at the latest when it ends
    with rig.engine.connect() as connection:
        wait_for(
            lambda: connection.execute(_OTHERS).scalar_one() == 0, what="the other sessions' end"
        )
        return int(connection.execute(_READ).scalar_one())

"""Claims of processes that are gone, or hang in a transaction."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, text

from app.db import make_engine, transaction
from tests.engine.rig import Rig
from workers.engine.claim.claims import hold
from workers.engine.process.heartbeat import this_machine
from workers.engine.process.sessions import session_name
from workers.engine.rescue.sweep import sweep
from workers.engine.runtime import Runtime


def test_one_that_hangs_in_a_transaction_holds_nothing_up(rig: Rig) -> None:
    batch_id = rig.submit("test.probe", [{"key": f"k{n}"} for n in range(4)])
    rig.deliver(rig.messages.pop(0))
    zombie = rig.worker()
    with _sessions_of(rig, zombie) as engine:
        claimed = rig.claim(rig.messages[0], zombie)
        assert claimed is not None
        lost: list[BaseException] = []
        holding, over = threading.Event(), threading.Event()

        def hang() -> None:
            try:
                with transaction(engine) as connection:
                    hold(connection, claimed)
                    connection.execute(text("SELECT FROM items FOR UPDATE"))
                    holding.set()
                    over.wait(30)
                    connection.execute(text("SELECT 1"))
            except Exception as error:
                lost.append(error)

        thread = threading.Thread(target=hang)
        thread.start()
        assert holding.wait(10)
        zombie.heartbeat.die()  # type: ignore[attr-defined]
        taken = rig.sweep()["claims_taken_over"]
        over.set()
        thread.join(10)
        assert taken == 1
        assert len(lost) == 1, "its session was ended"
    assert not rig.finish(claimed, zombie)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 4
    assert [row.crashes for row in rig.items(batch_id)] == [1] * 4


def test_the_sweep_does_not_wait_for_a_slice_that_stays_locked(rig: Rig) -> None:
    batch_id = rig.submit("test.probe", [{"key": "locked"}])
    rig.deliver(rig.messages.pop(0))
    zombie = rig.worker()
    claimed = rig.claim(rig.messages[0], zombie)
    assert claimed is not None
    zombie.heartbeat.die()  # type: ignore[attr-defined]
    # Somebody's session that is not the worker's, and is let be.
    with transaction(rig.engine) as connection:
        connection.execute(text("SELECT FROM slices FOR UPDATE"))
        assert rig.sweep()["claims_taken_over"] == 0
    assert rig.sweep()["claims_taken_over"] == 1
    rig.run_out(batch_id)


def test_a_process_of_this_machine_that_is_gone_is_not_waited_for(rig: Rig) -> None:
    batch_id = rig.submit("test.probe", [{"key": "gone"}])
    rig.deliver(rig.messages.pop(0))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead = rig.worker()
    assert rig.claim(rig.messages[0], dead) is not None
    worker_id = dead.heartbeat.worker_id
    where: dict[str, Any] = {"id": worker_id, "machine": this_machine(), "pid": gone.pid}
    place = "UPDATE workers SET machine = :machine, pid = :pid, main_pid = :main WHERE id = :id"
    rig.run(place, **where, main=os.getpid())
    assert rig.sweep()["claims_taken_over"] == 0, "its parent lives, and will say what it died of"
    rig.run(
        "UPDATE workers SET ended = 'signal 11 (SIGSEGV)' WHERE id = :id",
        id=worker_id,
    )
    assert rig.sweep()["claims_taken_over"] == 1
    [item] = rig.items(batch_id)
    assert item.message == "Its worker process died (signal 11 (SIGSEGV)) while it was tried."
    rig.run_out(batch_id)

    again = rig.submit("test.probe", [{"key": "gone again"}])
    rig.deliver(rig.messages.pop(0))
    assert rig.claim(rig.messages[0], dead) is not None
    rig.run("UPDATE workers SET ended = NULL WHERE id = :id", id=worker_id)
    rig.run(place, **where, main=gone.pid)
    assert rig.sweep()["claims_taken_over"] == 1, "its parent is gone too"
    rig.run_out(again)


class _sessions_of:
    """An engine whose sessions are those of that worker process."""

    def __init__(self, rig: Rig, runtime: Runtime) -> None:
        url = rig.engine.url.render_as_string(hide_password=False)
        self._engine = make_engine(url, name=session_name(runtime.heartbeat.worker_id))

    def __enter__(self) -> Engine:
        return self._engine

    def __exit__(self, *_: object) -> None:
        self._engine.dispose()


@pytest.mark.parametrize(
    ("code", "why"),
    [("53100", "disk full"), ("53300", "too many clients"), ("57P03", "the server starts")],
)
def test_nobody_s_silence_counts_until_heartbeats_could_be_written_for_long_enough(
    rig: Rig, code: str, why: str
) -> None:
    batch_id = rig.submit("test.probe", [{"key": f"k{n}"} for n in range(4)])
    rig.deliver(rig.messages.pop(0))
    silent = rig.worker()
    claimed = rig.claim(rig.messages[0], silent)
    assert claimed is not None
    sweeper = rig.worker()
    sweeper.settings = replace(sweeper.settings, heartbeat_timeout=1.0)
    rig.run(
        f"""CREATE FUNCTION refused() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN RAISE EXCEPTION '{why}' USING ERRCODE = '{code}'; END $$"""
    )
    rig.run(
        f"""CREATE TRIGGER refused BEFORE UPDATE ON workers FOR EACH ROW
            WHEN (NEW.id = '{sweeper.heartbeat.worker_id}') EXECUTE FUNCTION refused()"""
    )
    try:
        sweeper.heartbeat._beat_once()
    finally:
        rig.run("DROP TRIGGER refused ON workers")
        rig.run("DROP FUNCTION refused")
    silent.heartbeat.die()  # type: ignore[attr-defined]
    assert sweep(sweeper)["claims_taken_over"] == 0, "no heartbeat could be written"
    sweeper.heartbeat._beat_once()
    assert sweep(sweeper)["claims_taken_over"] == 0, "the silent one may not have had its turn yet"
    deadline = time.monotonic() + 10
    while sweep(sweeper)["claims_taken_over"] == 0:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 4

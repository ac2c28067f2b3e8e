"""dryRun "effects": handlers are called, and nothing of what they did is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from marshmallow import Schema
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.core.errors import Invalid
from handlers import Context, Item, Operation, Outcome
from handlers.fields import Text
from tests.engine.rig import Rig

LISTINGS = [{"asin": f"A{n}", "countryCode": "US", "percACoS": n} for n in range(20)]
EFFECTS: dict[str, Any] = {"dry_run": True, "dry_effects": True}


class CaseSchema(Schema):
    """`do`: the name of what is done."""

    do = Text(required=True)


def write(context: Context, word: str) -> None:
    context.connection.execute(text("INSERT INTO dry_case (word) VALUES (:word)"), {"word": word})


def commit(context: Context) -> None:
    """On the driver's connection, where it cannot be refused."""
    write(context, "committed")
    connection: Any = context.connection.connection.driver_connection
    connection.commit()


def commit_and_swallow(context: Context) -> None:
    write(context, "committed")
    connection: Any = context.connection.connection.driver_connection
    try:
        connection.commit()
    except Exception:
        connection.rollback()
    connection.cursor().execute("INSERT INTO dry_case (word) VALUES ('after')")


def commit_by_sql(context: Context) -> None:
    write(context, "committed")
    connection: Any = context.connection.connection.driver_connection
    connection.cursor().execute("COMMIT; BEGIN; INSERT INTO dry_case (word) VALUES ('after')")


def release(context: Context) -> None:
    write(context, "released")
    context.connection.execute(text("RELEASE SAVEPOINT before_effects"))


def shadow(context: Context) -> None:
    write(context, "shadowed")
    context.connection.execute(text("SAVEPOINT before_effects"))


def defer(context: Context) -> None:
    """Refused only once the transaction ends."""
    write(context, "deferred")
    context.connection.execute(text("INSERT INTO dry_case (word, parent) VALUES ('child', -1)"))


def notify(context: Context) -> None:
    context.connection.execute(text("NOTIFY dry_case, 'said'"))


def lock(context: Context) -> None:
    context.connection.execute(text("SELECT pg_advisory_lock(7300), pg_advisory_xact_lock(7301)"))


def set_all_immediate(context: Context) -> None:
    write(context, "immediate")
    context.connection.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))


def fail(context: Context) -> None:
    write(context, "failed")
    context.connection.execute(text("SELECT 1 / 0"))


DEEDS = {
    deed.__name__: deed
    for deed in (
        commit,
        commit_and_swallow,
        commit_by_sql,
        release,
        shadow,
        defer,
        notify,
        lock,
        set_all_immediate,
        fail,
    )
}


def one(item: Item, context: Context) -> Outcome:
    """Do that, or write a row and say how many there are."""
    if (deed := DEEDS.get(item.data["do"])) is not None:
        deed(context)
    else:
        write(context, item.data["do"])
    seen = context.connection.execute(text("SELECT count(*) FROM dry_case")).scalar_one()
    return Outcome({"rows": seen})


def many(items: list[Item], context: Context) -> list[Outcome]:
    """The same of many at once."""
    return [one(item, context) for item in items]


@pytest.fixture
def cases(rig: Rig) -> Iterator[Rig]:
    """A table that handlers write to, and the two operations that do."""
    rig.run("DROP TABLE IF EXISTS dry_case")
    rig.run(
        """CREATE TABLE dry_case (
               id serial PRIMARY KEY, word text NOT NULL UNIQUE,
               parent integer REFERENCES dry_case DEFERRABLE INITIALLY DEFERRED)"""
    )
    options: dict[str, Any] = {"max_attempts": 2, "backoff_seconds": 0.01, "slice_items": 5}
    rig.registry.add(Operation("dry.one", one, CaseSchema, **options))
    rig.registry.add(Operation("dry.many", many, CaseSchema, bulk=True, **options))
    yield rig
    rig.registry.discard("dry.one")
    rig.registry.discard("dry.many")
    rig.run("DROP TABLE dry_case")


def try_out(rig: Rig, operation: str | None, items: list[dict[str, Any]], **options: Any) -> UUID:
    batch_id = rig.submit(operation, items, **EFFECTS, **options)
    rig.run_out(batch_id)
    return batch_id


def records(rig: Rig) -> list[Any]:
    return rig.rows("SELECT * FROM records WHERE client_id = :id", id=rig.client_id)


def test_it_says_what_would_happen_and_leaves_nothing(rig: Rig) -> None:
    rig.run_out(rig.submit("catalog.masterlist", LISTINGS[:7]))
    before = records(rig)
    batch_id = try_out(rig, "catalog.masterlist", [*LISTINGS, {"asin": 1}])
    batch = rig.batch(batch_id)
    assert (batch.status, batch.completed, batch.invalid) == ("PARTIAL", 20, 1)
    said = [item.result["process"] for item in rig.items(batch_id)[:20]]
    assert said == ["UPDATE"] * 7 + ["INSERT"] * 13
    assert records(rig) == before


def test_each_slice_sees_the_state_as_if_only_it_ran(rig: Rig) -> None:
    """Five items of one key a slice: within it one sees what came before, other slices do not."""
    items = [{"uid": n, "waits_for": str(n - 1) if n % 5 else None} for n in range(10)]
    batch_id = try_out(rig, "log.one", items)
    assert rig.batch(batch_id).status == "SUCCESS"
    assert rig.effects() == {}
    # 5 is in another slice than 4, which never took effect.
    lonely = try_out(
        rig, "log.one", [{"uid": n} for n in range(5)] + [{"uid": 5, "waits_for": "4"}]
    )
    assert rig.statuses(lonely) == ["SUCCESS"] * 5 + ["FAILED"]


@pytest.mark.parametrize("operation", ["dry.one", "dry.many"])
@pytest.mark.parametrize("deed", sorted(DEEDS.keys() - {"defer"}))
def test_nothing_stays_whatever_a_handler_does(cases: Rig, operation: str, deed: str) -> None:
    """The item that ends the transaction fails as it would in earnest; its neighbours do not."""
    items = [{"do": f"word {n}"} for n in range(10)]
    items[3] = {"do": deed}
    with cases.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as listening:
        listening.execute(text("LISTEN dry_case"))
        batch_id = try_out(cases, operation, items)
        listening.execute(text("UNLISTEN *"))
        driver: Any = listening.connection.driver_connection
        assert driver.notifies == []
    assert cases.rows("SELECT * FROM dry_case") == []
    statuses = cases.statuses(batch_id)
    assert set(statuses[5:]) == {"SUCCESS"}
    if deed in ("notify", "lock", "set_all_immediate", "shadow"):
        assert set(statuses) == {"SUCCESS"}, cases.items(batch_id)
    else:
        assert statuses[3] == "FAILED", cases.items(batch_id)
    if deed.startswith("commit") or deed == "fail":
        assert set(statuses[:3] + statuses[4:]) == {"SUCCESS"}, cases.items(batch_id)
    held = cases.rows(
        "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND objid IN (7300, 7301)"
    )
    assert held == []


def test_deferred_constraints_say_what_they_would_have_said(
    cases: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In earnest the slice could not have been committed: it fails in the same way."""
    # Five tries, with pauses that grow, are long, and end like two.
    monkeypatch.setattr("workers.engine.run.run_slice._TRIES", 2)
    dry = try_out(cases, "dry.one", [{"do": "defer"}])
    real = cases.submit("dry.one", [{"do": "defer"}])
    cases.run_out(real)
    [expected], [said] = cases.items(real), cases.items(dry)
    assert (said.status, said.code) == (expected.status, expected.code) == ("FAILED", 500)
    assert "dry_case_parent_fkey" in expected.message
    assert "dry_case_parent_fkey" in said.message


def test_two_slices_that_write_the_same_key_do_not_meet(cases: Rig) -> None:
    """The second waits for the first to be undone, not for its commit, and finds nothing there."""
    batch_id = cases.submit("dry.one", [{"do": f"word {n % 5}"} for n in range(10)], **EFFECTS)
    cases.deliver(cases.messages.pop(0))
    waves = [message for message in cases.messages if message.number is not None]
    assert len(waves) == 2
    threads = [threading.Thread(target=cases.deliver, args=(message,)) for message in waves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    cases.run_out(batch_id)
    assert [item.result["rows"] for item in cases.items(batch_id)] == [1, 2, 3, 4, 5] * 2


def test_what_a_dead_worker_did_is_gone_and_done_again(cases: Rig) -> None:
    batch_id = cases.submit("dry.one", [{"do": "word"}] * 1, **EFFECTS)
    cases.deliver(cases.messages.pop(0))
    message = next(one for one in cases.messages if one.number is not None)
    dying = cases.worker()
    assert cases.claim(message, dying) is not None
    heartbeat: Any = dying.heartbeat
    heartbeat.die()
    cases.run_out(batch_id)
    [item] = cases.items(batch_id)
    assert (item.status, item.result) == ("SUCCESS", {"rows": 1})


def test_one_whose_effects_are_elsewhere_is_refused_or_invalid(rig: Rig) -> None:
    with pytest.raises(Invalid) as refused:
        rig.submit("log.outside", [{"uid": 1}], **EFFECTS)
    assert [error.pointer for error in refused.value.errors] == ["/dryRun"]
    items = [
        {"operation": operation, "data": {"uid": 1}} for operation in ("log.one", "log.outside")
    ]
    mixed = try_out(rig, None, items)
    assert rig.statuses(mixed) == ["SUCCESS", "INVALID"]
    [_, item] = rig.items(mixed)
    assert (item.code, item.attempts) == (422, 0)
    assert "'log.outside'" in item.message
    rejected = try_out(rig, None, items, on_invalid="reject")
    assert rig.statuses(rejected) == ["CANCELED", "INVALID"]
    assert rig.effects() == {}


def test_guards_stop_it(cases: Rig) -> None:
    items = [{"do": "fail"} for _ in range(20)]
    batch = cases.batch(try_out(cases, "dry.one", items, max_failures=2))
    assert (batch.status, batch.stop_reason, batch.failed) == ("FAILED", "max_failures", 3)


@pytest.mark.parametrize("on_invalid", ["partial", "reject"])
def test_a_retry_or_a_reset_is_as_dry(cases: Rig, on_invalid: str) -> None:
    batch_id = try_out(cases, "dry.one", [{"do": "fail"}, {"do": "a"}], on_invalid=on_invalid)
    assert cases.statuses(batch_id) == ["FAILED", "SUCCESS"]
    cases.act(batch_id, "retry")
    cases.run_out(batch_id)
    assert cases.statuses(batch_id) == ["FAILED", "SUCCESS"]
    cases.act(batch_id, "reset")
    cases.run_until(lambda batch: batch.status == "OPEN", batch_id)
    cases.append(batch_id, [{"do": "b"}])
    cases.act(batch_id, "start")
    cases.run_out(batch_id)
    assert [item.result for item in cases.items(batch_id)] == [{"rows": 1}]
    assert cases.rows("SELECT * FROM dry_case") == []


def test_postgres_refuses_a_worker_that_would_keep_the_effects(rig: Rig) -> None:
    old = rig.worker()
    rig.run("UPDATE workers SET undoes = false WHERE id = :id", id=old.heartbeat.worker_id)
    batch_id = rig.submit("log.one", [{"uid": n} for n in range(3)], **EFFECTS)
    rig.deliver(rig.messages.pop(0))
    message = next(one for one in rig.messages if one.number is not None)
    with pytest.raises(IntegrityError, match="would keep the effects"):
        rig.deliver(message, old)
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"


def test_a_limit_holds_for_it(rig: Rig) -> None:
    batch_id = rig.submit("log.crowded", [{"uid": n} for n in range(20)], **EFFECTS)
    rig.deliver(rig.messages.pop(0))
    limited = rig.rows("SELECT limited FROM slices WHERE batch_id = :id", id=batch_id)
    assert next(row.limited for row in limited) == ["log.crowded"]
    rig.run_out(batch_id)
    assert rig.batch(batch_id).status == "SUCCESS"

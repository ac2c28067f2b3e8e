"""What an item was stays: its tries, what each ran on, and how many there were."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from app.batches.actions.chosen import act_on_items
from app.batches.actions.edit import edit_item
from app.batches.choices import Choice
from app.batches.history import list_tries
from app.batches.queries import find_item
from app.core.errors import NotFound
from tests.engine.rig import Message, Rig

MOST = 4 * 1024 * 1024


def history(rig: Rig, batch_id: UUID, index: int = 0) -> list[tuple[int, str, Any]]:
    """Of each entry: attempt, status, what the input asked for; by pages of one."""
    found = []
    after = 0
    with rig.engine.connect() as connection:
        for _ in range(100):
            page, _cut = list_tries(
                connection,
                rig.client_id,
                batch_id,
                index,
                after=after,
                limit=1,
                most_bytes=MOST,
            )
            if not page:
                break
            after = page[-1].number
            found += page
        whole, _cut = list_tries(
            connection, rig.client_id, batch_id, index, after=0, limit=100, most_bytes=MOST
        )
    assert whole == found
    assert [each.at for each in found] == sorted(each.at for each in found)
    return [(each.attempt, each.status, json.loads(each.input or "")["do"]) for each in found]


def attempts(rig: Rig, batch_id: UUID, index: int = 0) -> int:
    with rig.engine.connect() as connection:
        return find_item(connection, rig.client_id, batch_id, index).attempts


def tries(rig: Rig, batch_id: UUID) -> int:
    [row] = rig.rows("SELECT count(*) AS n FROM item_tries WHERE batch_id = :id", id=batch_id)
    return int(row.n)


def edit(rig: Rig, batch_id: UUID, index: int = 0, **fields: Any) -> None:
    edit_item(
        rig.engine, rig.registry, rig.client_id, batch_id, index, json.dumps({"uid": 7, **fields})
    )


def ran(rig: Rig, operation: str = "log.one", **fields: Any) -> UUID:
    batch_id = rig.submit(operation, [{"uid": 7, **fields}])
    rig.run_out(batch_id)
    return batch_id


def again(rig: Rig, batch_id: UUID, **options: Any) -> None:
    rig.act(batch_id, "retry", **options)
    rig.run_out(batch_id)


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
def test_what_succeeds_at_first_leaves_nothing(rig: Rig, operation: str) -> None:
    batch_id = ran(rig, operation, do="succeed")
    assert tries(rig, batch_id) == 0
    assert history(rig, batch_id) == [(1, "SUCCESS", "succeed")]


@pytest.mark.parametrize("operation", ["log.one", "log.bulk", "log.outside"])
def test_each_try_is_there(rig: Rig, operation: str) -> None:
    batch_id = ran(rig, operation, do="retry")
    assert history(rig, batch_id) == [(1, "PENDING", "retry"), (2, "SUCCESS", "retry")]
    assert attempts(rig, batch_id) == 2


def test_attempts_go_on_and_max_attempts_begin_anew(rig: Rig) -> None:
    batch_id = ran(rig, do="broken")
    first = [(1, "PENDING", "broken"), (2, "PENDING", "broken"), (3, "FAILED", "broken")]
    assert history(rig, batch_id) == first
    assert (attempts(rig, batch_id), tries(rig, batch_id)) == (3, 2)
    rig.act(batch_id, "retry")
    assert (history(rig, batch_id), attempts(rig, batch_id)) == (first, 3)
    rig.run_out(batch_id)
    assert history(rig, batch_id) == [
        *first,
        (4, "PENDING", "broken"),
        (5, "PENDING", "broken"),
        (6, "FAILED", "broken"),
    ]
    assert attempts(rig, batch_id) == 6


def test_each_with_the_input_that_it_ran_on(rig: Rig) -> None:
    batch_id = ran(rig, do="reject")
    edit(rig, batch_id, do="broken, but never tried")
    assert history(rig, batch_id) == [(1, "FAILED", "reject")]
    edit(rig, batch_id, do="broken")
    assert history(rig, batch_id) == [(1, "FAILED", "reject")]
    again(rig, batch_id)
    then = [
        (1, "FAILED", "reject"),
        (2, "PENDING", "broken"),
        (3, "PENDING", "broken"),
        (4, "FAILED", "broken"),
    ]
    assert history(rig, batch_id) == then
    edit(rig, batch_id, do="succeed")
    assert history(rig, batch_id) == then
    again(rig, batch_id)
    assert history(rig, batch_id) == [*then, (5, "SUCCESS", "succeed")]


@pytest.mark.parametrize("how", ["statuses", "position", "indexes", "failure"])
def test_however_it_is_retried(rig: Rig, how: str) -> None:
    batch_id = rig.submit("log.one", [{"uid": n, "do": "reject"} for n in range(3)])
    rig.run_out(batch_id)
    edit(rig, batch_id, 1, do="succeed")
    if how == "statuses":
        rig.act(batch_id, "retry")
    elif how == "position":
        rig.act(batch_id, "retry", statuses=["CANCELED", "FAILED"])
    else:
        [row] = rig.rows("SELECT DISTINCT failure FROM items WHERE batch_id = :id", id=batch_id)
        choice = Choice(indexes=(0, 1, 2)) if how == "indexes" else Choice(failure=row.failure)
        act_on_items(rig.engine, rig.client_id, batch_id, "retry", choice)
        rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    assert history(rig, batch_id, 0) == [(1, "FAILED", "reject"), (2, "FAILED", "reject")]
    assert history(rig, batch_id, 1) == [(1, "FAILED", "reject"), (2, "SUCCESS", "succeed")]


def test_what_is_refused_by_its_schema_counts_for_no_attempt(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": "none", "do": "wrong"}])
    rig.run_out(batch_id)
    edit(rig, batch_id, do="succeed")
    again(rig, batch_id, statuses=["INVALID"])
    assert history(rig, batch_id) == [(0, "INVALID", "wrong"), (1, "SUCCESS", "succeed")]


def test_what_is_canceled_has_no_try(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1, "do": "succeed"}])
    rig.act(batch_id, "cancel")
    rig.run_out(batch_id)
    assert history(rig, batch_id) == [(0, "CANCELED", "succeed")]
    edit(rig, batch_id, do="retry")
    assert history(rig, batch_id) == [(0, "CANCELED", "retry")]
    again(rig, batch_id, statuses=["CANCELED"])
    assert history(rig, batch_id) == [(1, "PENDING", "retry"), (2, "SUCCESS", "retry")]


def test_canceled_between_two_tries(rig: Rig) -> None:
    """Its try stays as it was, with the input of then, also where it is edited."""
    batch_id = rig.submit("log.one", [{"uid": 1, "do": "broken"}])
    while not tries(rig, batch_id):
        rig.deliver(rig.messages.pop(0))
    rig.run("UPDATE items SET due_at = now() + interval '1 day' WHERE batch_id = :id", id=batch_id)
    rig.act(batch_id, "cancel")
    rig.run_out(batch_id)
    assert history(rig, batch_id) == [(1, "PENDING", "broken"), (1, "CANCELED", "broken")]
    edit(rig, batch_id, do="succeed")
    assert history(rig, batch_id) == [(1, "PENDING", "broken"), (1, "CANCELED", "succeed")]
    again(rig, batch_id, statuses=["CANCELED"])
    assert history(rig, batch_id) == [(1, "PENDING", "broken"), (2, "SUCCESS", "succeed")]


def test_a_deferral_is_no_try(rig: Rig) -> None:
    items = [{"uid": 1, "do": "succeed", "waits_for": "2"}, {"uid": 2, "do": "succeed"}]
    batch_id = rig.submit("log.one", items)
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 2
    assert tries(rig, batch_id) == 0
    assert history(rig, batch_id) == [(1, "SUCCESS", "succeed")]


def test_the_death_of_a_worker_is_a_try(rig: Rig) -> None:
    batch_id = rig.submit("log.one", [{"uid": 1, "do": "succeed"}] * 6)
    rig.deliver(rig.messages.pop(0))
    worker = rig.worker()
    assert rig.claim(rig.messages[0], worker) is not None
    worker.heartbeat.die()  # type: ignore[attr-defined]
    rig.run_out(batch_id)
    assert rig.statuses(batch_id) == ["SUCCESS"] * 6
    assert history(rig, batch_id) == [(1, "PENDING", "succeed"), (2, "SUCCESS", "succeed")]


def test_it_goes_with_its_item(rig: Rig) -> None:
    batch_id = ran(rig, do="retry")
    assert tries(rig, batch_id) == 1
    rig.act(batch_id, "reset")
    assert tries(rig, batch_id) == 0
    with rig.engine.connect() as connection, pytest.raises(NotFound):
        list_tries(connection, rig.client_id, batch_id, 0, after=0, limit=1, most_bytes=MOST)
    rig.append(batch_id, [{"uid": 1, "do": "succeed"}])
    rig.act(batch_id, "start")
    rig.run_out(batch_id)
    assert history(rig, batch_id) == [(1, "SUCCESS", "succeed")]


def test_pages_hold_so_many_bytes(rig: Rig) -> None:
    """Tries that share an input are shown with it each, and a page ends where that is much."""
    batch_id = ran(rig, do="broken")
    with rig.engine.connect() as connection:
        asked: dict[str, Any] = {"after": 0, "limit": 10, "most_bytes": 1}
        page, cut = list_tries(connection, rig.client_id, batch_id, 0, **asked)
        assert ([each.attempt for each in page], cut) == ([1], True)
        asked |= {"after": page[-1].number, "most_bytes": MOST}
        page, cut = list_tries(connection, rig.client_id, batch_id, 0, **asked)
        assert ([each.attempt for each in page], cut) == ([2, 3], False)


def test_order_by_key_is_kept_where_a_key_has_been_changed(rig: Rig) -> None:
    """Items that have the same key by an edit run one after the other, as submitted."""
    items = [{"uid": n, "key": f"k{n}", "do": "broken"} for n in range(12)]
    batch_id = rig.submit("log.one", items)
    rig.run_out(batch_id)
    assert not rig.batch(batch_id).may_repeat
    for n in range(12):
        fields = {"uid": n, "key": f"k{n % 2}", "do": "retry" if n < 4 else "succeed"}
        edit(rig, batch_id, n, **fields)
    again(rig, batch_id)
    assert rig.effects() == {"k0": [0, 2, 4, 6, 8, 10], "k1": [1, 3, 5, 7, 9, 11]}


def test_order_by_key_in_an_open_batch(rig: Rig) -> None:
    items = [{"uid": n, "key": f"k{n}", "do": "succeed"} for n in range(12)]
    batch_id = rig.submit("log.one", items, start="manual")
    for n in range(12):
        edit(rig, batch_id, n, uid=n, key="k", do="retry" if n < 3 else "succeed")
    rig.act(batch_id, "start")
    rig.run_out(batch_id)
    assert rig.effects() == {"k": list(range(12))}


def test_what_the_release_before_retries_counts_from_then(rig: Rig) -> None:
    """Its retry begins the count anew, and does not know what has been kept: nothing is lost."""
    batch_id = ran(rig, do="reject")
    edit(rig, batch_id, do="broken")
    with rig.engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE items SET status = 'PENDING', attempts = 0, code = NULL, due_at = now(),"
                " finished_at = NULL, failure = NULL, lane = NULL WHERE batch_id = :id"
            ),
            {"id": batch_id},
        )
        connection.execute(
            text(
                "UPDATE batches SET status = 'PENDING', failed = 0, finished_at = NULL,"
                " turn_at = now(), next_index = total WHERE id = :id"
            ),
            {"id": batch_id},
        )
    rig.messages.append(Message(batch_id))
    rig.run_out(batch_id)
    assert history(rig, batch_id)[0] == (1, "FAILED", "reject")
    assert history(rig, batch_id)[-1] == (3, "FAILED", "broken")

"""Failures and items chosen by them, over HTTP; and by which indexes they are found."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, text

from app.batches.failures.grouping import group_items
from app.batches.item_view import ITEM_COLUMNS
from app.clients.credentials import ClientSecret, create_client
from app.db import transaction
from app.db.statements.failure_lists import select_failures
from app.db.statements.item_pages import select_items
from app.web.paging import cursor_at
from tests.api.conftest import ITEM, Caller
from tests.api.test_reading import walk

WRONG = """
    UPDATE batches SET status = 'PENDING' WHERE id = :id;
    UPDATE items SET finished_at = now(), attempts = 1, code = w.code, message = w.message,
        status = w.status
    FROM unnest(CAST(:indexes AS int[]), CAST(:statuses AS text[]), CAST(:codes AS int[]),
                CAST(:messages AS text[])) w (index, status, code, message)
    WHERE batch_id = :id AND items.index = w.index;
    UPDATE items SET status = 'SUCCESS', finished_at = now()
    WHERE batch_id = :id AND status = 'PENDING';
    UPDATE batches SET status = 'PARTIAL', finished_at = now(), total = i.total,
        completed = i.completed, failed = i.failed, invalid = i.invalid
    FROM (SELECT count(*) AS total, count(*) FILTER (WHERE status = 'SUCCESS') AS completed,
                 count(*) FILTER (WHERE status = 'FAILED') AS failed,
                 count(*) FILTER (WHERE status = 'INVALID') AS invalid
          FROM items WHERE batch_id = :id) i
    WHERE id = :id
"""


def gone_wrong(engine: Engine, batch_id: str, *items: tuple[int, str, int, str]) -> None:
    """Let a batch have ended, by hand: those items went wrong, all others have succeeded."""
    with transaction(engine) as connection:
        indexes, statuses, codes, messages = (list(each) for each in zip(*items, strict=True))
        connection.execute(
            text(WRONG),
            {
                "id": batch_id,
                "indexes": indexes,
                "statuses": statuses,
                "codes": codes,
                "messages": messages,
            },
        )
        group_items(connection, UUID(batch_id))


@pytest.fixture
def batch(api: Caller, engine: Engine) -> str:
    """Of 12 items 7 went wrong, in three ways."""
    batch_id = api.opened([ITEM] * 12)
    gone_wrong(
        engine,
        batch_id,
        *((n, "FAILED", 404, f'Parent category "C{n}" does not exist') for n in (2, 3, 8, 11)),
        *((n, "INVALID", 422, "asin: Missing data for required field.") for n in (0, 9)),
        (5, "FAILED", 409, "This transactionId was used 3 times"),
    )
    return batch_id


def indexes(api: Caller, batch_id: str, query: str, limit: int = 2) -> list[int]:
    return [item["index"] for item in walk(api, f"/v1/batches/{batch_id}/items?{query}", limit)]


def test_the_failures_of_a_batch(api: Caller, batch: str) -> None:
    answer = api.get(f"/v1/batches/{batch}/failures")
    assert answer.json["next"] is None
    first, second, third = answer.json["data"]
    assert first == {
        "failure": first["failure"],
        "operation": "catalog.masterlist",
        "status": "FAILED",
        "code": 404,
        "message": 'Parent category "…" does not exist',
        "count": 4,
        "firstIndex": 2,
        "lastIndex": 11,
        "example": 'Parent category "C2" does not exist',
    }
    assert (second["status"], second["count"], second["firstIndex"]) == ("INVALID", 2, 0)
    assert (third["message"], third["lastIndex"]) == ("This transactionId was used … times", 5)
    assert walk(api, f"/v1/batches/{batch}/failures", 1) == [first, second, third]
    items = api.get(f"/v1/batches/{batch}/items").json["data"]
    assert items[2]["failure"] == items[8]["failure"] == first["failure"]
    assert items[1]["failure"] is None


def test_of_a_batch_without_any(api: Caller) -> None:
    assert api.get(f"/v1/batches/{api.opened([ITEM])}/failures").json == {"data": [], "next": None}
    assert api.get(f"/v1/batches/{UUID(int=1)}/failures").status_code == 404


def test_over_all_batches(api: Caller, engine: Engine, batch: str) -> None:
    other = api.opened([ITEM] * 3)
    gone_wrong(engine, other, (1, "FAILED", 404, 'Parent category "X" does not exist'))
    found = api.get("/v1/failures").json["data"]
    assert [(row["count"], row["batches"], row["code"]) for row in found] == [
        (5, 2, 404),
        (2, 1, 422),
        (1, 1, 409),
    ]
    assert found[0]["firstAt"] < found[0]["lastAt"]
    assert walk(api, "/v1/failures", 1) == found
    assert api.get("/v1/failures?operation=catalog.masterlist").json["data"] == found
    assert api.get("/v1/failures?operation=catalog.price").json["data"] == []
    since = found[0]["lastAt"].replace("Z", "%2B00:00")
    assert [row["code"] for row in api.get(f"/v1/failures?since={since}").json["data"]] == [404]
    assert api.get("/v1/failures?since=2026-01-01").status_code == 422
    api.post(f"/v1/batches/{batch}/retry", {"statuses": ["FAILED"]})
    after = api.get("/v1/failures").json["data"]
    assert [(row["count"], row["batches"], row["code"]) for row in after] == [
        (2, 1, 422),
        (1, 1, 404),
    ]


def test_the_example_is_of_the_newest_batch_that_has_it(api: Caller, engine: Engine) -> None:
    older, newer, without = (api.opened([ITEM]) for _ in range(3))
    for batch_id, name in ((newer, "Y"), (older, "X")):
        gone_wrong(engine, batch_id, (0, "FAILED", 404, f'Parent category "{name}" is gone'))
    gone_wrong(engine, without, (0, "FAILED", 409, "no"))
    [found] = [row for row in walk(api, "/v1/failures", 1) if row["code"] == 404]
    assert (found["batches"], found["example"]) == (2, 'Parent category "Y" is gone')
    api.post(f"/v1/batches/{newer}/items/retry", {"indexes": [0]})
    [found] = [row for row in walk(api, "/v1/failures", 1) if row["code"] == 404]
    assert (found["batches"], found["example"]) == (1, 'Parent category "X" is gone')


def test_what_was_chosen_to_run_again_counts_nowhere(
    api: Caller, engine: Engine, batch: str
) -> None:
    whole = api.opened([ITEM])
    gone_wrong(engine, whole, (0, "FAILED", 404, 'Parent category "X" does not exist'))
    api.post(f"/v1/batches/{whole}/items/retry", {"indexes": [0]})
    api.post(f"/v1/batches/{batch}/items/retry", {"indexes": [2, 8, 9, 5]})
    found = api.get("/v1/failures").json["data"]
    assert [(row["count"], row["batches"], row["code"]) for row in found] == [
        (2, 1, 404),
        (1, 1, 422),
    ]
    of_batch = api.get(f"/v1/batches/{batch}/failures").json["data"]
    assert [row["count"] for row in of_batch] == [2, 1]


def test_ids_are_the_same_for_all_clients(
    api: Caller, app: Any, engine: Engine, batch: str
) -> None:
    stranger = Caller(app, create_client(engine, f"other of {batch}"))
    assert stranger.get("/v1/failures").json["data"] == []
    assert stranger.get(f"/v1/batches/{batch}/failures").status_code == 404
    theirs = stranger.opened([ITEM])
    gone_wrong(engine, theirs, (0, "FAILED", 404, 'Parent category "Y" does not exist'))
    [mine, *_] = api.get("/v1/failures").json["data"]
    [found] = stranger.get("/v1/failures").json["data"]
    assert found["failure"] == mine["failure"]


def test_an_admin_is_shown_everybodys_or_ones(
    admin: Caller, api: Caller, app: Any, engine: Engine, client: ClientSecret, batch: str
) -> None:
    # Of no other test: everybody's are those of all tests before.
    message = f'No "…" of {UUID(batch).hex.translate(str.maketrans("0123456789", "ghijklmnop"))}'
    other = create_client(engine, f"another of {batch}")
    stranger = Caller(app, other)
    for whose, times in ((api, 2), (stranger, 1)):
        wrong = whose.opened([ITEM] * 3)
        gone_wrong(engine, wrong, *((n, "FAILED", 404, message) for n in range(times)))

    def count(caller: Caller, query: str = "") -> list[tuple[int, int]]:
        rows = walk(caller, f"/v1/failures?{query}", 100)
        return [(row["count"], row["batches"]) for row in rows if row["message"] == message]

    assert count(admin) == [(3, 2)]
    assert count(admin, f"client={client.client_id}") == count(api) == [(2, 1)]
    assert count(admin, f"client={other.client_id}") == count(stranger) == [(1, 1)]
    assert admin.get(f"/v1/failures?client={UUID(int=7)}").json["data"] == []
    assert admin.get("/v1/failures?client=nobody").status_code == 422
    assert api.get(f"/v1/failures?client={client.client_id}").status_code == 403


def test_items_are_chosen_by_failure_code_and_index(api: Caller, batch: str) -> None:
    [gone, missing, used] = [
        row["failure"] for row in api.get(f"/v1/batches/{batch}/failures").json["data"]
    ]
    assert indexes(api, batch, f"failure={gone}") == [2, 3, 8, 11]
    assert indexes(api, batch, f"failure={missing}", 1) == [0, 9]
    assert indexes(api, batch, f"failure={used}&status=INVALID") == []
    assert indexes(api, batch, "failure=other") == []
    assert indexes(api, batch, "failure=nosuchthing") == []
    assert indexes(api, batch, "code=404") == [2, 3, 8, 11]
    assert indexes(api, batch, "code=404&indexes=8,3,5") == [3, 8]
    assert indexes(api, batch, "indexes=9,3,5,3,99,2147483647,9999999999") == [3, 5, 9]
    assert indexes(api, batch, "status=FAILED,INVALID") == [0, 2, 3, 5, 8, 9, 11]
    # As some generated clients send what has several values.
    assert indexes(api, batch, "status=FAILED&status=INVALID") == [0, 2, 3, 5, 8, 9, 11]
    assert indexes(api, batch, "indexes=9,3&indexes=5") == [3, 5, 9]
    assert indexes(api, batch, "status=SUCCESS,INVALID&indexes=0,1,2") == [0, 1]
    assert indexes(api, batch, "status=PENDING,RUNNING,CANCELED") == []
    assert indexes(api, batch, "status=PENDING,RUNNING,SUCCESS", 3) == [1, 4, 6, 7, 10]
    lines = api.get(f"/v1/batches/{batch}/results?failure={gone}&format=resubmit").text
    assert len(lines.splitlines()) == 4
    lines = api.get(f"/v1/batches/{batch}/results?status=FAILED,INVALID&after=5").text
    assert len(lines.splitlines()) == 3


@pytest.mark.parametrize(
    "query",
    [
        "status=FAILED,",
        "status=failed",
        "indexes=",
        "indexes=1,",
        "indexes=-1",
        "indexes=1.0",
        "indexes=%201",
        "indexes=" + ",".join("1" * 1001),
        "code=x",
        "code=-1",
        "failure=%00",
    ],
)
def test_malformed_filters_are_named(api: Caller, batch: str, query: str) -> None:
    name = query.partition("=")[0]
    for path in ("items", "results"):
        answer = api.get(f"/v1/batches/{batch}/{path}?{query}")
        assert answer.status_code == 422
        assert [error["pointer"] for error in answer.json["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(
    ("path", "name", "position"),
    [
        ("failures", "failures", (3, "a\x00")),
        ("batches/{}/failures", "batch failures", (3, "\x00")),
        ("records/masterlist", "records/masterlist", "A1\x00US"),
    ],
)
def test_a_cursor_with_a_text_that_cannot_be_is_refused(
    api: Caller, batch: str, path: str, name: str, position: Any
) -> None:
    answer = api.get(f"/v1/{path.format(batch)}?cursor={cursor_at(position, name)}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/cursor"


def test_pending_and_running_are_told_apart(api: Caller) -> None:
    batch_id = api.opened([ITEM] * 3)
    assert indexes(api, batch_id, "status=PENDING,FAILED") == [0, 1, 2]
    assert indexes(api, batch_id, "status=RUNNING,FAILED") == []


@pytest.mark.parametrize("analyzed", [False, True])
def test_a_page_of_a_failure_costs_what_is_on_it(
    engine: Engine, client: ClientSecret, api: Caller, *, analyzed: bool
) -> None:
    """Whatever the planner believes: also of one that is rare here and frequent elsewhere."""
    batch_id = api.opened([ITEM] * 3000)
    gone_wrong(engine, batch_id, *((n, "FAILED", 500, "no") for n in range(2900, 3000)))
    elsewhere = api.opened([ITEM] * 3000)
    gone_wrong(engine, elsewhere, *((n, "FAILED", 500, "no") for n in range(3000)))
    [found] = api.get(f"/v1/batches/{batch_id}/failures").json["data"]
    this = {
        "batch_id": batch_id,
        "operation": None,
        "failure": found["failure"],
        "after": 2950,
        "limit": 20,
        "statuses": [],
    }
    with engine.connect() as connection:
        if analyzed:
            connection.execute(text("ANALYZE items, failures, failure_counts"))
        for statement in (
            select_items(ITEM_COLUMNS, given=["failure"]).text,
            select_failures().text,
        ):
            plan = "\n".join(connection.execute(text(f"EXPLAIN {statement}"), this).scalars())
            assert "ix_items_failure" in plan, plan
            assert "Seq Scan on items" not in plan, plan
        connection.rollback()


def test_successes_pay_nothing_for_it(engine: Engine) -> None:
    """No index covers a column that a success changes, so that it stays on its page (HOT)."""
    with engine.connect() as connection:
        covered = connection.execute(
            text("SELECT indexdef FROM pg_indexes WHERE indexname = 'ix_items_failure'")
        ).scalar_one()
    assert covered.endswith("(batch_id, failure, index) WHERE (failure IS NOT NULL)")

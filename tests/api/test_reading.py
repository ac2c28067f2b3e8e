"""Looking at batches and items: filters, pages, ETag, Retry-After."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.batches.item_view import ITEM_COLUMNS
from app.batches.queries import find_batch
from app.clients.credentials import ClientSecret
from app.core.errors import Invalid
from app.core.jsontext import moment
from app.db.statements.item_pages import select_items
from app.web.batch_responses import retry_after
from app.web.paging import cursor_at, read_cursor
from tests.api.conftest import ITEM, Caller
from tests.api.test_shown_fields import SHOWN


def walk(caller: Caller, path: str, limit: int) -> list[Any]:
    """All entries of a list, page by page; every page but the last is full."""
    entries: list[Any] = []
    cursor = ""
    while True:
        page = caller.get(f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}").json
        entries += page["data"]
        if page["next"] is None:
            assert len(page["data"]) <= limit
            return entries
        assert len(page["data"]) == limit
        cursor = f"&cursor={page['next']}"


def ended(engine: Engine, batch_id: str, **counts: int) -> None:
    """Let a batch have run and ended, by hand: the counts say how its items did, in order."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET status = 'PENDING' WHERE id = :id"), {"id": batch_id}
        )
        first = 0
        words = {"completed": "SUCCESS", "failed": "FAILED", "invalid": "INVALID"}
        for name, count in counts.items():
            connection.execute(
                text(
                    """UPDATE items SET status = :status, finished_at = now(), attempts = 1,
                        code = CASE WHEN :status IN ('FAILED', 'INVALID') THEN 500 END
                    WHERE batch_id = :id AND index >= :first AND index < :first + :count"""
                ),
                {"id": batch_id, "status": words[name], "first": first, "count": count},
            )
            first += count
        connection.execute(
            text(
                """UPDATE batches SET status = 'PARTIAL', finished_at = now(), total = :total,
                    completed = :completed, failed = :failed, invalid = :invalid,
                    revision = revision + 1 WHERE id = :id"""
            ),
            {"completed": 0, "failed": 0, "invalid": 0, **counts, "total": first, "id": batch_id},
        )


def test_batches_are_listed_newest_first_and_paged(api: Caller) -> None:
    made = [api.opened() for _ in range(7)]
    for limit in (1, 2, 3, 7, 1000):
        assert [batch["id"] for batch in walk(api, "/v1/batches", limit)] == made[::-1]


def test_pages_do_not_shift_when_batches_are_added(api: Caller) -> None:
    made = [api.opened() for _ in range(4)]
    first = api.get("/v1/batches?limit=2").json
    api.opened()
    second = api.get(f"/v1/batches?limit=2&cursor={first['next']}").json
    assert [batch["id"] for batch in first["data"] + second["data"]] == made[::-1]
    assert second["next"] is None


def test_batches_are_filtered(api: Caller, engine: Engine) -> None:
    one = api.opened([ITEM])
    two = api.opened([ITEM], operation="catalog.price")
    ended(engine, one, completed=1)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET dialect = 'nilo', reference = 'r-1' WHERE id = :id"),
            {"id": two},
        )

    def found(query: str) -> list[str]:
        return [batch["id"] for batch in api.get(f"/v1/batches?{query}").json["data"]]

    assert found("status=PARTIAL") == [one]
    assert found("status=OPEN") == [two]
    assert found("operation=catalog.price") == [two]
    assert found("dialect=nilo") == [two]
    assert found("dialect=native&status=PARTIAL") == [one]
    assert found("reference=r-1") == [two]
    assert found("reference=r-2") == []
    assert api.get(f"/v1/batches/{two}").json["reference"] == "r-1"


def test_batches_are_filtered_by_time(api: Caller, engine: Engine) -> None:
    old, new = api.opened(), api.opened()
    # Its id, which is found by time as well, may be an hour younger than its row at most.
    then = datetime.now(UTC) - timedelta(minutes=50)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET created_at = :then WHERE id = :id"), {"then": then, "id": old}
        )
    cut = moment(then + timedelta(minutes=1))
    after = api.get(f"/v1/batches?createdAfter={cut}").json["data"]
    before = api.get(f"/v1/batches?createdBefore={cut}").json["data"]
    assert ([batch["id"] for batch in after], [batch["id"] for batch in before]) == ([new], [old])


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=x",
        "limit=1e3",
        "status=DONE",
        "status=success",
        "createdAfter=yesterday",
        "createdAfter=2026-01-01",
        "createdBefore=2026-01-01T00:00:00",
        "createdBefore=2026-13-01T00:00:00Z",
        "cursor=x",
        "cursor=%00",
        "cursor=" + cursor_at(7, "batches"),
        "cursor=" + cursor_at(UUID(int=7), "items"),
        "reference=%00",
        "statuss=OPEN",
    ],
)
def test_a_parameter_that_cannot_be_is_named(api: Caller, query: str) -> None:
    answer = api.get(f"/v1/batches?{query}")
    assert answer.status_code == 422
    assert answer.json["errors"][0]["pointer"] == "/" + query.partition("=")[0]


def test_limits_of_pages(api: Caller) -> None:
    batch_id = api.opened([{"asin": str(number)} for number in range(1100)])
    path = f"/v1/batches/{batch_id}/items"
    assert len(api.get(path).json["data"]) == 100
    assert len(api.get(f"{path}?limit=1000").json["data"]) == 1000
    assert api.get(f"{path}?limit=1001").status_code == 422
    assert api.get("/v1/batches?limit=1000").status_code == 200
    items = walk(api, path, 300)
    assert [item["index"] for item in items] == list(range(1100))


def test_items_are_filtered_by_status_and_key(api: Caller, engine: Engine) -> None:
    items = [{**ITEM, "asin": f"A{number % 5}"} for number in range(20)]
    batch_id = api.opened(items)
    path = f"/v1/batches/{batch_id}/items"
    assert [i["index"] for i in walk(api, f"{path}?key=A2:US", 2)] == [2, 7, 12, 17]
    assert [i["index"] for i in walk(api, f"{path}?status=PENDING", 7)] == list(range(20))
    ended(engine, batch_id, completed=12, failed=5, invalid=3)
    assert [i["index"] for i in walk(api, f"{path}?status=SUCCESS", 5)] == list(range(12))
    assert [i["index"] for i in walk(api, f"{path}?status=FAILED", 2)] == list(range(12, 17))
    assert [i["index"] for i in walk(api, f"{path}?status=INVALID", 2)] == [17, 18, 19]
    assert [i["index"] for i in walk(api, f"{path}?status=FAILED&key=A2:US", 2)] == [12]
    assert walk(api, f"{path}?status=CANCELED", 2) == []
    assert api.get(f"{path}?status=nothing").status_code == 422
    assert api.get(f"{path}?key=%00").status_code == 422


def test_failures_are_found_by_an_index_of_their_own(engine: Engine, api: Caller) -> None:
    """A page of failures costs what there are of them, not what the batch has."""
    batch_id = api.opened([ITEM] * 3000)
    ended(engine, batch_id, completed=2999, failed=1)
    with engine.begin() as connection:
        connection.execute(text("ANALYZE items"))
        plan = connection.execute(
            text(f"EXPLAIN {select_items(ITEM_COLUMNS, statuses=['FAILED']).text}"),
            {
                "batch_id": batch_id,
                "operation": None,
                "statuses": ["FAILED"],
                "after": -1,
                "limit": 5,
                "look": 50_000,
                "until": 2**31 - 1,
            },
        ).scalars()
        assert "ix_items_problem" in "\n".join(plan)


def test_one_item(api: Caller) -> None:
    batch_id = api.opened([ITEM])
    item = api.get(f"/v1/batches/{batch_id}/items/0").json
    assert item == {
        **dict.fromkeys(SHOWN["Item"]),
        "index": 0,
        "key": "A1:US",
        "operation": "catalog.masterlist",
        "status": "PENDING",
        "attempts": 0,
        "input": ITEM,
        "createdAt": item["createdAt"],
    }
    for index in ("1", "-1", "x", "99999999999999999999", "2147483647", "1.0", ""):
        assert api.get(f"/v1/batches/{batch_id}/items/{index}").status_code == 404


@pytest.mark.parametrize("name", ["nope", "1", str(UUID(int=0)), "../x", "%00"])
def test_no_such_batch(api: Caller, name: str) -> None:
    for rest in ("", "/items", "/items/0"):
        assert api.get(f"/v1/batches/{name}{rest}").status_code == 404


def test_etag_changes_when_the_batch_does(api: Caller, engine: Engine) -> None:
    batch_id = api.opened([ITEM])
    path = f"/v1/batches/{batch_id}"
    first = api.get(path)
    unchanged = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert unchanged.headers["ETag"] == first.headers["ETag"]
    assert "Retry-After" in unchanged.headers
    weak = api.get(path, headers={"If-None-Match": f'"x", W/{first.headers["ETag"]}'})
    assert weak.status_code == 304
    api.post(f"{path}/items", [ITEM])
    changed = api.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200
    ended(engine, batch_id, completed=2)
    over = api.get(path, headers={"If-None-Match": changed.headers["ETag"]})
    assert over.status_code == 200
    assert "Retry-After" not in over.headers
    assert over.json["progress"] == 1.0


def test_patience_grows_with_age(api: Caller, engine: Engine, client: ClientSecret) -> None:
    batch_id = api.opened([ITEM])
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE batches SET status = 'PENDING', due_at = now() WHERE id = :id"),
            {"id": batch_id},
        )
        batch = find_batch(connection, client.client_id, UUID(batch_id))
        connection.rollback()
    waits = [
        retry_after(batch, batch.created_at + timedelta(seconds=age))
        for age in (0, 9, 30, 200, 1000, 100_000)
    ]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (1, 30)


# What a position may be: no list has one with a NUL in it, and a cursor that has is refused.
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50)


@given(st.uuids() | TEXTS | st.integers(0, 2**31))
def test_cursors_come_back_as_they_went(position: Any) -> None:
    cursor = cursor_at(position, "list")
    assert cursor.isascii()
    assert read_cursor(cursor, type(position), "list") == position
    with pytest.raises(Invalid):
        read_cursor(cursor, type(position), "other")


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_what_is_no_cursor_is_refused(text: str) -> None:
    for kind in (UUID, int, str):
        with pytest.raises(Invalid):
            read_cursor(text, kind, "list")


def test_a_page_of_large_items_ends_early_and_loses_none(
    api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.items._MOST_BYTES", 1000)
    items = [{"asin": "é" * (number * 7 % 200)} for number in range(40)]
    path = f"/v1/batches/{api.opened(items)}/items"
    found: list[Any] = []
    pages = 0
    cursor = ""
    while cursor is not None:
        page = api.get(f"{path}?limit=30{cursor and '&cursor=' + cursor}").json
        assert len(page["data"]) <= 30
        found += page["data"]
        cursor = page["next"]
        pages += 1
    assert [item["input"] for item in found] == items
    assert pages > 5

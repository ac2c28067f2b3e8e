"""Batches of a list that have ended are read once, and again as soon as they change."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Engine, event, text

from app.batches.batch_view import BatchView
from app.batches.ended_views import EndedViews
from app.batches.queries import BatchFilter, list_batch_versions, list_batches
from app.clients.credentials import ClientSecret, create_client
from app.core.ids import new_id
from app.db import read

_INSERT = text(
    """
    INSERT INTO batches (id, client_id, name, operation, status, total, completed, failed,
                         metadata, finished_at)
    VALUES (:id, :client_id, 'as it was', 'catalog.price', :status, 2, :completed, 0,
            '{"run": 1}', CASE WHEN :status = 'SUCCESS' THEN now() END)
    """
)
# The view's own columns, of which only this statement has all.
_READS_VIEWS = "b.stop_reason"


@pytest.fixture
def owner(engine: Engine) -> ClientSecret:
    return create_client(engine, f"ended views {new_id()}")


def made(engine: Engine, owner: ClientSecret, status: str = "SUCCESS") -> UUID:
    batch_id = new_id()
    values = {
        "id": batch_id,
        "client_id": owner.client_id,
        "status": status,
        "completed": 2 if status == "SUCCESS" else 0,
    }
    with engine.begin() as connection:
        connection.execute(_INSERT, values)
    return batch_id


def listed(
    engine: Engine, views: EndedViews, owner: ClientSecret, which: BatchFilter | None = None
) -> list[BatchView]:
    asked = which or BatchFilter()
    return read(engine, lambda over: views.list_batches(over, owner.client_id, asked, limit=10)[0])


@contextmanager
def views_read(engine: Engine) -> Iterator[list[int]]:
    """How many batches each statement was to read that reads views."""
    asked: list[int] = []

    def see(_c: Any, _cursor: Any, statement: str, given: Any, _context: Any, _many: bool) -> None:
        if _READS_VIEWS in statement:
            asked.append(len(given["ids"]))

    event.listen(engine, "before_cursor_execute", see)
    try:
        yield asked
    finally:
        event.remove(engine, "before_cursor_execute", see)


def test_what_has_ended_is_read_once_and_what_has_not_each_time(
    engine: Engine, owner: ClientSecret
) -> None:
    views, ended, going = EndedViews(), made(engine, owner), made(engine, owner, "OPEN")
    with views_read(engine) as asked:
        first = listed(engine, views, owner)
        assert [each.id for each in first] == [going, ended]
        assert listed(engine, views, owner) == first
    assert asked == [2, 1]
    # As it is where nothing is kept, but for the metadata.
    whole = read(engine, lambda over: list_batches(over, owner.client_id, limit=10)[0])
    assert whole[1].metadata is not None
    assert [each.id for each in whole] == [going, ended]
    assert (first[1].status, first[1].summary) == (whole[1].status, whole[1].summary)
    assert first[1].metadata is None


@pytest.mark.parametrize(
    "change",
    [
        "name = 'as it is'",
        "completed = 1, failed = 1",
        "status = 'OPEN', finished_at = NULL",
        # Not even the number of its changes tells this one.
        "doing = 'delete', doing_total = 2",
    ],
)
def test_one_that_has_changed_is_read_anew(
    engine: Engine, owner: ClientSecret, change: str
) -> None:
    views, batch_id = EndedViews(), made(engine, owner)
    before = listed(engine, views, owner)
    with engine.begin() as connection:
        connection.execute(text(f"UPDATE batches SET {change} WHERE id = :id"), {"id": batch_id})
    after = listed(engine, views, owner)
    assert after != before
    [whole] = read(engine, lambda over: list_batches(over, owner.client_id, limit=10)[0])
    assert (after[0].name, after[0].status, after[0].summary, after[0].doing) == (
        whole.name,
        whole.status,
        whole.summary,
        whole.doing,
    )


def test_one_that_is_removed_is_gone(engine: Engine, owner: ClientSecret) -> None:
    views, batch_id = EndedViews(), made(engine, owner)
    assert listed(engine, views, owner)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM batches WHERE id = :id"), {"id": batch_id})
    assert listed(engine, views, owner) == []


def test_nobody_is_shown_another_s(engine: Engine, owner: ClientSecret) -> None:
    views, other = EndedViews(), create_client(engine, f"other {new_id()}")
    mine, theirs = made(engine, owner), made(engine, other)
    for _ in range(2):
        assert [each.id for each in listed(engine, views, owner)] == [mine]
        assert [each.id for each in listed(engine, views, other)] == [theirs]


def test_what_was_asked_for_longest_ago_gives_way(engine: Engine, owner: ClientSecret) -> None:
    views, ids = EndedViews(most=2), [made(engine, owner) for _ in range(3)]
    listed(engine, views, owner)
    with views_read(engine) as asked:
        # The oldest was the last that was kept, and the newest the one that gave way.
        assert [each.id for each in listed(engine, views, owner)] == ids[::-1]
    assert asked == [1]


@pytest.mark.parametrize(
    "which",
    [BatchFilter(), BatchFilter(statuses=["SUCCESS"]), BatchFilter(words="AS IT")],
)
def test_the_same_are_found(engine: Engine, owner: ClientSecret, which: BatchFilter) -> None:
    made(engine, owner)
    made(engine, owner, "OPEN")
    made(engine, owner)
    with engine.connect() as connection:
        for before in (None, new_id()):
            versions, end = list_batch_versions(
                connection, owner.client_id, which, before=before, limit=2
            )
            batches, same_end = list_batches(
                connection, owner.client_id, which, before=before, limit=2
            )
            assert [each.id for each in versions] == [each.id for each in batches]
            assert end == same_end
            assert versions

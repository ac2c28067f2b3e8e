"""What lists read, whatever is asked of them: a page's worth, or so many, and no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, Engine, TextClause, text

from app.batches import queries
from app.batches.queries import BatchFilter, ItemFilter, list_batches, list_items
from app.clients.credentials import ClientSecret, create_client
from app.core.ids import new_id
from app.db.statements.item_choices import retry_chosen_items
from tests.support.reads import Reads

LOOK = 500
BATCHES = 3000
ITEMS = 3000
_LIMIT = 20

# One in a hundred FAILED, one in a thousand by a dialect.
_MANY_BATCHES = text(
    """
    INSERT INTO batches (id, client_id, operation, status, total, completed, failed, finished_at,
                         started_at, dialect, reference)
    SELECT u.id, u.client_id,
           CASE WHEN n % 1000 = 7 THEN 'catalog.price' ELSE 'catalog.masterlist' END,
           CASE WHEN n % 100 = 1 THEN 'FAILED' ELSE 'SUCCESS' END, 1,
           CASE WHEN n % 100 = 1 THEN 0 ELSE 1 END, CASE WHEN n % 100 = 1 THEN 1 ELSE 0 END,
           now(), now(), CASE WHEN n % 1000 = 3 THEN 'kibo' ELSE 'native' END,
           CASE WHEN n % 1000 = 3 THEN 'job-' || n END
    FROM unnest(CAST(:ids AS uuid[]), CAST(:client_ids AS uuid[])) WITH ORDINALITY
         AS u (id, client_id, n)
    """
)
# One in a thousand of a key; the first half INVALID, so that what FAILED is behind all that.
_MANY_ITEMS = text(
    """
    INSERT INTO items (batch_id, index, key, status, code, message, input, finished_at)
    SELECT :batch_id, n, CASE WHEN n % 1000 = 900 THEN 'rare' ELSE 'k' || n END,
           CASE WHEN n < :count / 2 THEN 'INVALID' WHEN n % 1000 = 900 THEN 'FAILED'
                ELSE 'SUCCESS' END,
           CASE WHEN n < :count / 2 THEN 422 WHEN n % 1000 = 900 THEN 409 END, NULL, '{}', now()
    FROM generate_series(0, :count - 1) n
    """
)


@pytest.fixture(autouse=True)
def look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queries, "LOOK_AT_BATCHES", LOOK)
    monkeypatch.setattr(queries, "LOOK_AT_ITEMS", LOOK)


@pytest.fixture(scope="module")
def owner(engine: Engine) -> ClientSecret:
    """A client with many batches beside another's, and one batch with many items."""
    clients = [create_client(engine, f"lists {new_id()}") for _ in range(2)]
    ids = [new_id() for _ in range(2 * BATCHES)]
    owners = [clients[number % 2].client_id for number in range(len(ids))]
    with engine.begin() as connection:
        connection.execute(_MANY_BATCHES, {"ids": ids, "client_ids": owners})
        this = {"batch_id": ids[0], "count": ITEMS}
        connection.execute(_MANY_ITEMS, this)
        connection.execute(text("ANALYZE batches, items"))
    return clients[0]


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection
        connection.rollback()


def all_batches(connection: Connection, client_id: UUID, which: BatchFilter) -> list[UUID]:
    found: list[UUID] = []
    before = None
    while True:
        page, end = list_batches(connection, client_id, which, before=before, limit=_LIMIT)
        found += [batch.id for batch in page]
        if end is None and len(page) < _LIMIT:
            return found
        before = page[-1].id if end is None else end


@pytest.mark.parametrize(
    ("asked", "at_once"),
    [
        ({}, True),
        ({"status": "FAILED"}, True),
        ({"dialect": "kibo"}, True),
        ({"reference": "job-1003"}, True),
        ({"dialect": "kibo", "reference": "job-1003"}, True),
        ({"status": "SUCCESS"}, True),
        ({"status": "CANCELED"}, True),
        ({"status": "RUNNING"}, False),
        ({"operation": "catalog.price"}, False),
        ({"operation": "catalog.price", "status": "FAILED"}, True),
        ({"dialect": "kibo", "operation": "catalog.price"}, True),
        ({"dialect": "native", "operation": "catalog.price"}, False),
    ],
    ids=str,
)
def test_a_page_of_batches(
    connection: Connection, owner: ClientSecret, asked: dict[str, Any], at_once: bool
) -> None:
    """`at_once`: an index finds it, however far away it is."""
    which = BatchFilter(**asked)
    with Reads(connection, "batches") as reads:
        page, end = list_batches(connection, owner.client_id, which, limit=_LIMIT)
    # Twice, since Postgres may read off the primary key, where another's stand between them.
    assert reads.most() <= 2 * LOOK + 2 * _LIMIT
    conditions = " AND ".join(["client_id = :client_id", *(f"{name} = :{name}" for name in asked)])
    expected = connection.execute(
        text(f"SELECT id FROM batches WHERE {conditions} ORDER BY id DESC"),
        {"client_id": owner.client_id, **asked},
    )
    everything = list(expected.scalars())
    if at_once:
        assert [batch.id for batch in page] == everything[:_LIMIT]
        assert end is None
    else:
        assert end is not None
    assert all_batches(connection, owner.client_id, which) == everything


@pytest.mark.parametrize(
    "which",
    [
        ItemFilter(),
        ItemFilter(key="rare"),
        ItemFilter(("FAILED",)),
        ItemFilter(("SUCCESS",)),
        ItemFilter(("CANCELED",)),
        ItemFilter(("PENDING",)),
        ItemFilter(("RUNNING",)),
        ItemFilter(("PENDING", "FAILED")),
        ItemFilter(("INVALID", "FAILED"), key="rare"),
        ItemFilter(code=409),
        ItemFilter(indexes=(5, 900, 2900), key="rare"),
    ],
    ids=lambda which: str({name: value for name, value in asdict(which).items() if value}),
)
def test_a_page_of_items(connection: Connection, owner: ClientSecret, which: ItemFilter) -> None:
    first = text("SELECT id FROM batches WHERE client_id = :client_id ORDER BY id LIMIT 1")
    batch_id = connection.execute(first, {"client_id": owner.client_id}).scalar_one()
    found, after, pages = [], -1, 0
    while True:
        with Reads(connection, "items") as reads:
            page, end = list_items(
                connection, owner.client_id, batch_id, which=which, after=after, limit=_LIMIT
            )
        pages += 1
        # Twice: what is read, and that it is looked up again to be shown.
        assert reads.most() <= LOOK + 2 * _LIMIT
        found += [item.index for item in page]
        if end is None and len(page) < _LIMIT:
            break
        after = page[-1].index if end is None else end
    assert found == _expected(connection, batch_id, which)
    assert pages <= ITEMS // LOOK + len(found) // _LIMIT + 1


def _expected(connection: Connection, batch_id: UUID, which: ItemFilter) -> list[int]:
    conditions = ["batch_id = :batch_id"]
    if which.statuses:
        conditions.append("status = ANY(:statuses)")
    conditions += [f"{name} = :{name}" for name in which.given() if name != "indexes"]
    if which.indexes is not None:
        conditions.append("index = ANY(:indexes)")
    asked = {"batch_id": batch_id, "statuses": list(which.statuses), **which.given()}
    statement: TextClause = text(
        f"SELECT index FROM items WHERE {' AND '.join(conditions)} ORDER BY index"
    )
    return list(connection.execute(statement, asked).scalars())


@pytest.mark.parametrize(
    "given",
    [
        {"statuses": ["FAILED"], "key": "rare"},
        {"statuses": ["CANCELED"]},
        {"statuses": ["FAILED", "INVALID", "CANCELED"], "code": 409},
        {"statuses": ["FAILED"], "indexes": [900, 1900]},
    ],
    ids=str,
)
def test_a_step_of_retry(
    connection: Connection, owner: ClientSecret, given: dict[str, Any]
) -> None:
    """Few or none that are chosen among many make no step longer."""
    [batch_id] = connection.execute(
        text("SELECT batch_id FROM items JOIN batches b ON b.id = batch_id WHERE client_id = :id"
             " GROUP BY batch_id HAVING count(*) > 100"),
        {"id": owner.client_id},
    ).scalars()  # fmt: skip
    statement = retry_chosen_items(frozenset(given))
    these = {**given, "batch_id": batch_id, "end": ITEMS, "most": LOOK}
    with Reads(connection, "items") as reads:
        looked = connection.execute(statement, these).one()
    connection.rollback()
    assert looked.looked in (0, 2, LOOK)
    # Each that is chosen is found again, by its key, to be changed and to be kept.
    assert reads.most() <= LOOK + 3 * looked.retried + 10

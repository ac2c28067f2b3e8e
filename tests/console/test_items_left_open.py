"""A list of items that is left open: what it reads each second, and what it learns of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from sqlalchemy import event

from app.clients.credentials import ClientSecret
from app.console.pages.items import view
from app.console.shell.searches import Searches
from app.web.services import EXTENSION
from tests.api.conftest import ITEM, Caller
from tests.console.conftest import Person
from tests.console.test_live import part_of
from tests.support.clock import Clock


class Taking(Clock):
    """A twentieth of a second passes with each look at it."""

    def __call__(self) -> float:
        self.forward(0.05)
        return super().__call__()


@contextmanager
def reading(app: Flask) -> Iterator[list[str]]:
    """The statements meanwhile that read items."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        if re.search(r"FROM items i\s+WHERE i\.batch_id", statement):
            found.append(statement)

    engine = app.extensions[EXTENSION].engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def api(app: Flask, client: ClientSecret) -> Caller:
    return Caller(app, client)


@pytest.fixture
def batch(api: Caller) -> str:
    """One that has not begun."""
    return api.opened([ITEM, {**ITEM, "asin": "A2"}])


@pytest.fixture
def key(api: Caller, batch: str) -> str:
    """That of its first item."""
    found = api.get(f"/v1/batches/{batch}/items").json["data"][0]["key"]
    assert found
    return str(found)


def canceled(api: Caller, batch: str) -> None:
    """It has ended."""
    assert api.post(f"/v1/batches/{batch}/cancel").status_code in (200, 202)
    assert api.get(f"/v1/batches/{batch}").json["status"] == "CANCELED"


@pytest.mark.parametrize("query", ["", "?key={key}", "?status=CANCELED", "?failure=other"])
def test_of_a_batch_that_has_ended_no_item_is_read(
    app: Flask, person: Person, api: Caller, batch: str, key: str, query: str
) -> None:
    canceled(api, batch)
    query = query.format(key=quote(key))
    asked = part_of(person.get(f"/console/batches/{batch}/items{query}").text)
    with reading(app) as statements:
        assert person.get(asked).status_code == 204
        assert statements == []
        again = person.get(asked.rpartition("v=")[0] + "v=0")
    assert again.status_code == 200
    assert statements
    assert part_of(again.text) == asked


def test_what_is_done_to_it_is_seen(person: Person, api: Caller, batch: str, key: str) -> None:
    own = f"/v1/batches/{batch}"
    asked = part_of(person.get(f"/console/batches/{batch}/items").text)
    canceled(api, batch)
    ended = person.get(asked)
    assert ended.status_code == 200
    assert "status-canceled" in ended.text
    asked = part_of(ended.text)

    # An edit changes no row of the batch, and runs nothing.
    edited = api.send("PATCH", f"{own}/items/1", json={"input": {**ITEM, "asin": "another"}})
    assert edited.status_code == 200
    assert edited.json["key"] != key
    changed = person.get(asked)
    assert changed.status_code == 200
    assert "another" in changed.text
    asked = part_of(changed.text)
    assert person.get(asked).status_code == 204

    assert api.post(f"{own}/reset").status_code in (200, 202)
    emptied = person.get(asked)
    assert emptied.status_code == 200
    assert "This batch has none yet" in emptied.text


def test_a_key_is_looked_for_as_rarely_as_that_takes(
    app: Flask,
    person: Person,
    api: Caller,
    batch: str,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Taking()
    monkeypatch.setattr(view, "_SEARCHES", Searches(clock))
    own = f"/console/batches/{batch}/items"
    by_key = part_of(person.get(f"{own}?key={quote(key)}").text)
    with reading(app) as statements:
        assert person.get(by_key).status_code == 204
        assert statements
        del statements[:]
        assert person.get(by_key).status_code == 204
        assert statements == []
        clock.forward(5)
        assert person.get(by_key).status_code == 204
        assert statements
        del statements[:]
        # What an index finds is read each time.
        asked = part_of(person.get(own).text)
        for _ in range(2):
            del statements[:]
            assert person.get(asked).status_code == 204
            assert statements
    # Once it has ended, that is seen at once.
    canceled(api, batch)
    ended = person.get(by_key)
    assert ended.status_code == 200
    assert "status-canceled" in ended.text

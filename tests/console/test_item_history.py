"""What an item's page tells of its tries."""

from __future__ import annotations

import re
from html import unescape

from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.console.pages.item.view import MOST_TRIES
from tests.console.conftest import Person


def test_the_latest_tries_are_shown_each_with_its_input(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    sent = {"operation": "demo.sleep", "items": [{"seconds": 7}], "start": "manual"}
    answer = app.test_client().post(
        "/v1/batches", json=sent, headers={"Authorization": f"Bearer {client.secret}"}
    )
    batch = (answer.json or {})["id"]
    own = f"/console/batches/{batch}/items/0"

    def note(first: int, last: int) -> None:
        """Tries, of which each tenth ended what had been on an input of its own."""
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO item_tries (batch_id, index, attempt, at, status, code, message, "
                    "input) SELECT :batch, 0, n, now(), 'FAILED', 500, 'try ' || n, "
                    "CASE WHEN n % 10 = 0 THEN json_build_object('edit', n, 'large', "
                    "repeat('x', 200000)) END FROM generate_series(:first, :last) n"
                ),
                {"batch": batch, "first": first, "last": last},
            )

    note(1, 20)
    page = person.get(own).text
    assert shown(page) == list(range(20, 0, -1))
    assert "older ones by" not in page
    inputs = [
        unescape(each) for each in re.findall(r'<td class="mono"><bdi>(.*?)</bdi></td></tr>', page)
    ]
    edits = [int(found[1]) for each in inputs if (found := re.search(r'"edit" : (\d+)', each))]
    assert edits == [20] * 10 + [10] * 10
    note(21, MOST_TRIES + 5)
    page = person.get(own).text
    assert shown(page) == list(range(MOST_TRIES + 5, 5, -1))
    assert f"older ones by <code>GET /v1/batches/{batch}/items/0/history</code>" in page


def shown(page: str) -> list[int]:
    """The numbers of the tries, in the order of the page."""
    return [int(each) for each in re.findall(r"<bdi>try (\d+)</bdi>", page)]

"""What a page that is left open asks for: nothing is made of it while it is as it was."""

from __future__ import annotations

from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.console.shell import rendering
from tests.console.conftest import Person

ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
PAGES = (
    "/console",
    "/console/batches",
    "/console/batches/{batch}",
    "/console/batches/{batch}/items",
    "/console/batches/{batch}/items/0",
    "/console/submit/{check}",
    "/console/operations",
    "/console/workers",
    "/console/webhooks",
    "/console/webhooks/{hook}",
    "/console/activity",
)


def made(app: Flask, client: ClientSecret) -> dict[str, str]:
    api, head = app.test_client(), {"Authorization": f"Bearer {client.secret}"}

    def post(path: str, body: Any) -> str:
        answer = api.post(path, json=body, headers=head)
        assert answer.json is not None, answer.text
        return str(answer.json["id"])

    batch = {"operation": "catalog.masterlist", "items": [ITEM], "metadata": {"run": 1}}
    return {
        "batch": post("/v1/batches", {**batch, "start": "manual"}),
        "check": post("/v1/batches", {**batch, "dryRun": True}),
        "hook": post("/v1/webhooks", {"url": "https://localhost:9/"}),
    }


@pytest.fixture
def ids(app: Flask, client: ClientSecret) -> dict[str, str]:
    return made(app, client)


def part_of(html: str) -> str:
    """What its live part asks for."""
    path = unescape(html.partition('hx-get="')[2].partition('"')[0])
    version = html.partition('data-version="')[2].partition('"')[0]
    assert len(version) == 16, html
    return f"{path}{'&' if '?' in path else '?'}v={version}"


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_made_of_what_is_as_it_was(
    person: Person, ids: dict[str, str], monkeypatch: pytest.MonkeyPatch, page: str
) -> None:
    asked = part_of(person.get(page.format(**ids)).text)

    def nothing(*_: Any) -> str:
        raise AssertionError("this renders what the browser has")

    with monkeypatch.context() as patched:
        patched.setattr(rendering, "_html", nothing)
        assert person.get(asked).status_code == 204
    # What the browser is given instead, it is not given twice.
    again = person.get(asked.rpartition("v=")[0] + "v=0")
    assert again.status_code == 200
    assert part_of(again.text) == asked


def test_what_passes_makes_nothing_new(person: Person, engine: Engine) -> None:
    def note(seconds: float) -> None:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO operation_costs (operation, seconds_per_item, weight, items, "
                    "seconds, items_squared, items_seconds) "
                    "VALUES ('catalog.price', :seconds, 1, 1, 1, 1, 1) "
                    "ON CONFLICT (operation) DO UPDATE SET seconds_per_item = :seconds"
                ),
                {"seconds": seconds},
            )

    note(0.1)
    asked = part_of(person.get("/console/operations").text)
    note(0.2)
    assert person.get(asked).status_code == 204
    assert "200 ms</span> an item" in person.get("/console/operations").text

"""What narrows a list down: each is taken away by itself, and none is lost on the way."""

from __future__ import annotations

from html import unescape
from urllib.parse import parse_qs

import pytest
from flask import Flask

from app.clients.credentials import ClientSecret
from tests.console.conftest import Person


def test_the_address_of_an_answer_leads_to_what_it_was_of(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    api, head = app.test_client(), {"Authorization": f"Bearer {client.secret}"}
    sent = {"operation": "demo.sleep", "items": [{"seconds": 0}], "start": "manual"}
    batch = (api.post("/v1/batches", json=sent, headers=head).json or {})["id"]
    hook = api.post("/v1/webhooks", json={"url": "https://localhost:9/"}, headers=head).json or {}
    for path, leads_to in (
        (f"/console/batches/{batch}/items/0/edit", f"/console/batches/{batch}/items/0"),
        (f"/console/webhooks/{hook['id']}/rotate", f"/console/webhooks/{hook['id']}"),
        ("/console/batches/act?status=OPEN", "/console/batches?status=OPEN"),
    ):
        answer = person.get(path)
        assert (answer.status_code, answer.location) == (303, leads_to)


@pytest.mark.parametrize("page", ["/console/batches", "/console/activity"])
@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("2026-01-01T00:00:00+02:00", "2025-12-31T22:00"),
        ("2026-01-01", "2026-01-01T00:00"),
        ("2026-01-01T10:20:30Z", "2026-01-01T10:20"),
        ("nonsense", ""),
    ],
)
def test_a_time_stands_in_its_field_as_what_it_is(
    person: Person, page: str, asked: str, shown: str
) -> None:
    html = person.get(page, query_string={"createdAfter": asked}).text
    [_, field] = html.split('name="createdAfter"', 1)
    assert field.lstrip().startswith(f'value="{shown}"')


def test_a_chip_of_an_item_list_takes_itself_away(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    answer = app.test_client().post(
        "/v1/batches",
        json={"operation": "demo.sleep", "start": "manual"},
        headers={"Authorization": f"Bearer {client.secret}"},
    )
    own = f"/console/batches/{(answer.json or {})['id']}/items"
    asked = {"status": ["FAILED"], "failure": ["abc"], "key": ["A 1"]}
    html = person.get(own, query_string=asked).text
    for name in asked:
        said = "FAILED<" if name == "status" else f"{name} "
        chips = html.partition('<nav class="chips"')[2].partition("</nav>")[0].split("<a ")
        [chip] = [each for each in chips if f">{said}" in each]
        address = unescape(chip.partition('href="')[2].partition('"')[0])
        left = {other: value for other, value in asked.items() if other != name}
        assert parse_qs(address.partition("?")[2]) == left


def test_what_narrows_the_batches_down_stands_there_and_can_be_taken_away(person: Person) -> None:
    asked = {
        "status": ["FAILED"],
        "text": ["a <b> c"],
        "operation": ["demo.sleep"],
        "createdAfter": ["2026-01-01T10:20"],
    }
    html = person.get("/console/batches", query_string=asked).text
    [_, chips] = html.split('<nav class="chips" aria-label="Filters">', 1)
    links = [
        parse_qs(unescape(each.split('"', 1)[0]).partition("?")[2])
        for each in chips.split("</nav>", 1)[0].split('href="')[1:]
    ]
    without = [{k: v for k, v in asked.items() if k != name} for name in list(asked)[1:]]
    assert links == [*without, {}]

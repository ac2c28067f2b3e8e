"""The list of batches, and the page of one, as somebody without scripts sees and uses them."""

from __future__ import annotations

from collections.abc import Callable
from html import unescape
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client, list_clients
from app.clients.keys import create_key
from tests.console.conftest import Person

ITEM = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
Submit = Callable[..., str]
HOSTILE = "<img src=x onerror=alert(1)>\"'\u202e\x1b[31m"


@pytest.fixture
def submit(app: Flask, client: ClientSecret) -> Submit:
    """Makes an OPEN batch by the API, and says its id."""

    def submitted(secret: str = client.secret, **fields: Any) -> str:
        body = {"operation": "catalog.masterlist", "items": [ITEM], "start": "manual", **fields}
        answer = app.test_client().post(
            "/v1/batches", json=body, headers={"Authorization": f"Bearer {secret}"}
        )
        assert answer.status_code == 202, answer.text
        assert answer.json is not None
        return str(answer.json["id"])

    return submitted


def test_what_the_list_is_narrowed_by(person: Person, submit: Submit) -> None:
    ids = {
        "name": submit(name="Nightly FEED 100%"),
        "metadata": submit(metadata={"run": "seventy-seven"}),
        "other": submit(operation="catalog.price", items=[{"product": "p"}]),
    }

    def listed(**query: Any) -> set[str]:
        page = person.get("/console/batches", query_string=query)
        assert page.status_code == 200
        return {name for name, each in ids.items() if f"/console/batches/{each}" in page.text}

    assert listed() == set(ids)
    assert listed(text="nightly feed") == {"name"}
    assert listed(text="100%") == {"name"}
    assert listed(text="_") == set()
    assert listed(text="SEVENTY") == {"metadata"}
    assert listed(text=ids["other"]) == {"other"}
    assert listed(operation="catalog.price") == {"other"}
    assert listed(status=["OPEN", "RUNNING"]) == set(ids)
    assert listed(status="OPEN,RUNNING") == set(ids)
    assert listed(status="SUCCESS") == set()
    assert listed(createdAfter="2020-01-01T00:00") == set(ids)
    assert listed(createdAfter="2200-01-01T00:00") == set()
    assert listed(createdAfter="yesterday", status="odd", client="odd", before="odd") == set(ids)
    assert listed(text="\x00") == set(ids)
    assert person.get("/console/batches?text=%ED%A0%80").status_code == 200


def test_pages_go_on_where_the_last_one_ended(person: Person, submit: Submit) -> None:
    first = submit(name="the oldest")
    for _ in range(50):
        submit()
    page = person.get("/console/batches?status=OPEN")
    assert first not in page.text
    older = page.text.partition('">Older')[0].rpartition('href="')[2].replace("&amp;", "&")
    assert first in person.get(older).text


def test_another_client_s_are_not_there(
    person: Person, engine: Engine, submit: Submit, app: Flask
) -> None:
    other = create_client(engine, "other of the console")
    theirs = submit(other.secret)
    assert theirs not in person.get("/console/batches").text
    assert person.get(f"/console/batches/{theirs}").status_code == 404
    assert person.get(f"/console/batches/{UUID(int=1)}").status_code == 404
    page = person.get("/console/batches")
    token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    answer = person.post(f"/console/batches/{theirs}/start", {"csrf": token})
    assert answer.status_code == 404


def test_what_a_key_may_not_do_is_not_offered(
    app: Flask, engine: Engine, client: ClientSecret, submit: Submit
) -> None:
    batch = submit()
    key = create_key(engine, client.client_id, scopes=["batches.read"])
    reader = Person(app, "192.0.2.2")
    reader.sign_in(key.secret)
    page = reader.get(f"/console/batches/{batch}")
    assert page.status_code == 200
    assert "Cancel batch" not in page.text
    assert 'type="checkbox"' not in reader.get("/console/batches").text
    token = page.text.partition('name="csrf" value="')[2].partition('"')[0]
    assert reader.post(f"/console/batches/{batch}/cancel", {"csrf": token}).status_code == 403
    assert reader.get(f"/console/batches/{batch}/cancel").status_code == 403


def test_it_is_canceled_and_deleted_without_scripts(person: Person, submit: Submit) -> None:
    batch = submit(name="to go", items=[ITEM] * 3)
    page = person.get(f"/console/batches/{batch}")
    assert ">Start</button>" in page.text
    asked = person.get(f"/console/batches/{batch}/cancel")
    assert "3 of its 3 items" in asked.text
    done = person.fill(asked, f"/console/batches/{batch}/cancel")
    assert (done.status_code, done.location) == (303, f"/console/batches/{batch}")
    page = person.get(f"/console/batches/{batch}")
    assert "status-canceled" in page.text
    assert "batch.cancel" in page.text
    for label in ("Reset", "Delete"):
        assert f">{label}</button>" in page.text
    for label in ("Retry failed", "Start", "Cancel batch"):
        assert f">{label}</button>" not in page.text
    again = person.fill(asked, f"/console/batches/{batch}/cancel")
    assert again.status_code == 409
    assert "CANCELED" in again.text
    asked = person.get(f"/console/batches/{batch}/delete")
    assert person.fill(asked, f"/console/batches/{batch}/delete").status_code == 303
    assert person.get(f"/console/batches/{batch}").status_code == 404
    gone = person.get(f"/console/batches/{batch}/live", headers={"HX-Request": "true"})
    assert gone.headers["HX-Refresh"] == "true"


def test_several_at_once(person: Person, submit: Submit) -> None:
    first, second = submit(), submit()
    page = person.get("/console/batches")
    asked = person.fill(page, "/console/batches/act", action="cancel", id=[first, second])
    assert "Cancel 2 batches?" in asked.text
    # The page has a field a batch; the browser sends them all.
    fields = {"action": "cancel", "confirmed": "yes", "id": [first, second]}
    token = asked.text.partition('name="csrf" value="')[2].partition('"')[0]
    done = person.post("/console/batches/act", {**fields, "csrf": token})
    assert (done.status_code, done.location) == (303, "/console/batches?done=canceled")
    assert "status-canceled" in person.get(f"/console/batches/{second}").text
    partly = person.post("/console/batches/act", {**fields, "csrf": token})
    assert "0 batches canceled, 2 not" in partly.text
    assert person.post("/console/batches/act", fields).status_code == 403
    none = person.post("/console/batches/act", {"csrf": token, "action": "cancel"})
    assert none.status_code == 422


def test_what_others_wrote_does_nothing(person: Person, submit: Submit) -> None:
    name = "<script>alert(1)</script>\u202e" + "x" * 100
    batch = submit(name=name, metadata={HOSTILE: HOSTILE, "long": "y" * 15_000})
    for path in ("/console", "/console/batches", f"/console/batches/{batch}"):
        page = person.get(path)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "\u202e" not in page.text
        assert "\x1b" not in page.text


def name_of(engine: Engine, client: ClientSecret) -> str:
    """What it is called."""
    [name] = [each.name for each in list_clients(engine) if each.client_id == client.client_id]
    return name


def test_a_check_is_shown_as_one(person: Person, submit: Submit) -> None:
    ids = [submit(name="feed", dryRun=kind, start="now") for kind in (False, True)]
    sign = "</span>check</span>"
    batch, check = (person.get(f"/console/batches/{each}").text for each in ids)
    assert sign not in batch
    assert sign in check
    for path in ("/console/batches", "/console", "/console/search?text=feed"):
        page = person.get(path, headers={"HX-Request": "true"}).text
        # The newest first.
        first, second = (page.rindex(f'href="/console/batches/{each}"') for each in ids[::-1])
        assert first < page.index(sign) < second, path
        assert page.count(sign) == 1


def test_an_admin_sees_every_client(
    app: Flask, engine: Engine, client: ClientSecret, submit: Submit
) -> None:
    batch = submit(name="somebody's")
    boss = create_client(engine, f"boss {uuid4()}", ["admin"])
    person = Person(app, "192.0.2.3")
    person.sign_in(boss.secret)
    assert ">Client</label>" in person.get("/console/batches").text
    page = person.get(f"/console/batches/{batch}")
    assert page.status_code == 200
    assert "Cancel batch" in page.text
    mine = person.get("/console/batches", query_string={"client": str(boss.client_id)})
    assert batch not in mine.text
    # By name, wherever it stands; and not to those who only have their own.
    whose = {"client": str(client.client_id)}
    name = f"<bdi>{name_of(engine, client)[:40]}"
    for path in ("/console/batches", "/console", "/console/activity"):
        shown = person.get(path, query_string=whose).text
        assert batch in shown
        assert name in shown.partition("<table")[2], path
    assert name in page.text
    found = person.get("/console/search?text=somebody", headers={"HX-Request": "true"})
    assert name in found.text
    own = Person(app, "192.0.2.4")
    own.sign_in(client.secret)
    assert ">Client</th>" not in own.get("/console/batches").text
    # The overview is of one of them too, and stays so while it is open.
    other = {"client": str(boss.client_id)}
    assert batch not in person.get("/console", query_string=other).text
    live = person.get("/console/live", query_string=whose)
    assert f'hx-get="/console/live?client={client.client_id}"' in live.text
    assert batch not in person.get("/console/live", query_string=other).text
    assert batch in own.get("/console", query_string=other).text


def test_the_bar_says_how_far_it_is(person: Person, submit: Submit) -> None:
    batch = submit(items=[ITEM] * 4)
    page = person.get(f"/console/batches/{batch}")
    assert 'role="progressbar"' in page.text
    assert 'aria-valuemax="4" aria-valuenow="0"' in page.text


def test_what_is_live_asks_for_the_same_again(
    person: Person, submit: Submit, client: ClientSecret
) -> None:
    """With what it was asked for, and nothing else: it is as it was however often that is."""
    for number in range(2):
        submit(name=f"again {number}")
    query = {"text": "again &", "status": "OPEN", "before": str(uuid4()), "v": "0" * 16}
    for path, asked in (("/console/batches/live", query), ("/console/batches/live", {"v": "0"})):
        first = person.get(path, query_string=asked)
        assert first.status_code == 200
        again = unescape(first.text.partition('hx-get="')[2].partition('"')[0])
        assert parse_qs(again.partition("?")[2]) == {
            name: [value] for name, value in asked.items() if name != "v"
        }
        version = first.text.partition('data-version="')[2].partition('"')[0]
        mark = "&" if "?" in again else "?"
        assert person.get(f"{again}{mark}v={version}").status_code == 204
    submit(name="again 3")
    changed = person.get("/console/batches/live", query_string={"v": version})
    assert changed.status_code == 200
    assert "again 3" in changed.text

"""A check is submitted once, by whom it belongs to, as far as that one may."""

from __future__ import annotations

import json
import threading
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret, create_client, revoke_client
from app.clients.keys import create_key
from app.clients.quotas import default_quotas, set_quotas
from app.core.settings import Settings
from tests.console.conftest import Person, fields_of
from tests.console.submitting import (
    CSV,
    NDJSON_LINE,
    PATH,
    alert,
    checked,
    items_of,
    sent,
    signed_in,
    submitted,
)
from tests.support.stack import wait_for


def test_submitted_once_however_often_it_is_sent(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    check = checked(person)
    page = person.get(check)
    own = check.partition("?")[0]
    form = fields_of(page.text, own)
    answers: list[TestResponse] = []

    def click() -> None:
        twin = Person(app, person.address)
        twin.http.set_cookie("batchline_console", session, path="/console")
        answers.append(twin.post(own, form))

    cookie = person.http.get_cookie("batchline_console", path="/console")
    assert cookie is not None
    session = cookie.value
    clicks = [threading.Thread(target=click) for _ in range(4)]
    for each in clicks:
        each.start()
    for each in clicks:
        each.join()
    assert {each.status_code for each in answers} == {303}
    [batch] = {each.location for each in answers}
    # Somebody goes back, and finds that it is done; otherwise filled in it is refused.
    page = person.get(check)
    assert f'href="{batch}"' in page.text
    assert f'action="{own}"' not in page.text
    assert person.post(own, form).location == batch
    answer = person.post(own, {**form, "name": "another"})
    assert answer.status_code == 409
    assert "submitted before" in alert(answer)
    assert f'href="{batch}"' in answer.text


def test_a_check_is_the_key_s_that_made_it(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    check = checked(person)
    own = check.partition("?")[0]
    colleague = signed_in(app, create_key(engine, client.client_id, name="another").secret)
    page = colleague.get(check)
    assert page.status_code == 200
    assert "Another key sent these items" in page.text
    assert f'action="{own}"' not in page.text
    token = fields_of(page.text, "/console/sign-out")["csrf"]
    assert colleague.post(own, {"csrf": token}).status_code == 403
    stranger = signed_in(app, create_client(engine, f"stranger {uuid4()}").secret)
    token = fields_of(stranger.get("/console").text, "/console/sign-out")["csrf"]
    assert stranger.get(check).status_code == 404
    assert stranger.get(f"{own}/live").status_code == 404
    left_open = stranger.get(f"{own}/live", headers={"HX-Request": "true"})
    assert left_open.headers["HX-Refresh"] == "true"
    assert stranger.post(own, {"csrf": token}).status_code == 404
    # And what another key has put into it is not submitted by the first.
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO audit (id, at, action, client_id, key_id, batch_id) "
                "VALUES (:id, now(), 'item.edit', :client, :key, CAST(:batch AS uuid))"
            ),
            {
                "id": uuid4(),
                "client": client.client_id,
                "key": uuid4(),
                "batch": own.rpartition("/")[2],
            },
        )
    assert "Another key" in person.get(check).text
    token = fields_of(person.get(PATH).text, PATH)["csrf"]
    assert person.post(own, {"csrf": token}).status_code == 403


def test_a_check_dies(app: Flask, engine: Engine, person: Person) -> None:
    check = checked(person)
    own = check.partition("?")[0]
    form = fields_of(person.get(check).text, own)
    with engine.begin() as connection:
        connection.execute(
            text(
                "UPDATE batches SET created_at = now() - interval '13 hours' "
                "WHERE id = CAST(:id AS uuid)"
            ),
            {"id": own.rpartition("/")[2]},
        )
    answer = person.post(own, form)
    assert answer.status_code == 409
    assert "older than 12 hours" in alert(answer)
    assert f'action="{own}"' not in person.get(check).text


def test_what_is_no_check_has_no_such_page(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    check = checked(person)
    batch = submitted(person, check).location.rpartition("/")[2]
    for id_ in (batch, uuid4()):
        assert person.get(f"{PATH}/{id_}").status_code == 404
    assert person.get(f"{PATH}/x").status_code == 404


def test_who_is_signed_out_meanwhile_submits_nothing(
    app: Flask, engine: Engine, client: ClientSecret
) -> None:
    key = create_key(engine, client.client_id)
    person = signed_in(app, key.secret)
    check = checked(person)
    own = check.partition("?")[0]
    form = fields_of(person.get(check).text, own)
    person.fill(person.get(PATH), "/console/sign-out")
    for path in (own, PATH):
        answer = person.post(path, form)
        assert answer.status_code == 403
        assert "not signed in" in answer.text
    other = create_client(engine, f"gone {uuid4()}")
    person = signed_in(app, other.secret)
    check = checked(person)
    form = fields_of(person.get(check).text, check.partition("?")[0])
    revoke_client(engine, other.client_id)
    assert person.post(check.partition("?")[0], form).status_code == 403


@pytest.mark.parametrize(("quota", "most"), [("submissionsAtOnce", 0), ("pendingItems", 2)])
def test_quotas_are_those_of_the_api(
    app: Flask, engine: Engine, settings: Settings, person: Person, quota: str, most: int
) -> None:
    made = create_client(engine, f"small {uuid4()}")
    small = signed_in(app, made.secret)
    check = checked(small)
    set_quotas(engine, made.client_id, {quota: most}, default_quotas(settings))
    wait_for(lambda: app.extensions["batchline"].callers.find(made.secret).quotas[quota] == most)
    for answer in (sent(small, CSV, name="kept"), submitted(small, check, name="kept")):
        assert answer.status_code == 429
        assert f"The quota {quota} is {most}" in alert(answer)
        assert "Try again in" in alert(answer)
        assert int(answer.headers["Retry-After"]) > 0
        assert 'value="kept"' in answer.text
    set_quotas(engine, made.client_id, {quota: None}, default_quotas(settings))
    wait_for(lambda: app.extensions["batchline"].callers.find(made.secret).quotas[quota] is None)
    assert submitted(small, check).status_code == 303


def test_a_key_submits_what_it_may_and_no_other(
    app: Flask, engine: Engine, client: ClientSecret
) -> None:
    narrow = signed_in(app, create_key(engine, client.client_id, operations=["demo.*"]).secret)
    answer = sent(narrow, CSV)
    assert answer.status_code == 403
    assert "may not submit the operation 'catalog.masterlist'" in alert(answer)
    mixed = json.dumps({"operation": "catalog.price", "data": {}})
    answer = sent(narrow, mixed, "mixed.ndjson", operation="")
    assert answer.status_code == 403
    assert "catalog.price" in alert(answer)


def test_items_that_name_their_own_operation_still_do(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    inner = {"operation": "x", "data": {"operation": "y", "data": 1}}
    items = [
        {"operation": "catalog.price", "data": {"product": "p"}},
        inner,
        {"operation": "not an envelope"},
        {"asin": "A1"},
    ]
    check = checked(person, "\n".join(map(json.dumps, items)), "mixed.ndjson")
    done = submitted(person, check)
    found = items_of(app, client.secret, done.location)
    assert [each["operation"] for each in found] == [
        "catalog.price",
        "x",
        "catalog.masterlist",
        "catalog.masterlist",
    ]
    assert [each["input"] for each in found] == [
        {"product": "p"},
        {"operation": "y", "data": 1},
        {"operation": "not an envelope"},
        {"asin": "A1"},
    ]


def test_items_beyond_the_bounds_stay_so(app: Flask, person: Person, client: ClientSecret) -> None:
    deep = "[" * 80 + "]" * 80
    check = checked(person, f'{{"asin": {deep}}}\n{NDJSON_LINE}', "deep.ndjson")
    done = submitted(person, check)
    assert done.status_code == 303
    with app.extensions["batchline"].engine.connect() as connection:
        stored = connection.execute(
            text(
                "SELECT (SELECT CAST(input AS text) FROM items WHERE index = 0 "
                "AND batch_id = CAST(id AS uuid)) FROM unnest(CAST(:ids AS text[])) id"
            ),
            {"ids": [each.partition("?")[0].rpartition("/")[2] for each in (check, done.location)]},
        ).scalars()
        assert len(set(stored)) == 1

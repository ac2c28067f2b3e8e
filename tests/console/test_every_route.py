"""Every address of the console, for every kind of key: taken from the application, so that one that
is added is looked at too.

A route that needs another scope than most, or leads whoever asks, is named below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from app.clients.checks import SCOPES
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.db import transaction
from app.webhooks.recording import BATCH_FINISHED, record
from tests.api.conftest import ITEM
from tests.console.conftest import Person, fields_of

MARK = "only-mine"
READ, WRITE, MANAGE, ADMIN = "batches.read", "batches.write", "webhooks.manage", "admin"
BOTH = "batches.write and batches.read"
# What answers whoever asks.
OPEN = {"GET /console/assets/<name>", "GET /console/sign-in", "POST /console/sign-in"}
# Where it is not `batches.read` for what is looked at and `batches.write` for what changes.
SCOPE: dict[str, str | None] = {
    "POST /console/sign-out": None,
    "GET /console/batches/<uuid:batch_id>/<action>": WRITE,
    "POST /console/operations/<path:name>/breaker": ADMIN,
}
# Where a form is sent to the address of the page that it stands on.
OF_A_PAGE = {"/console/submit", "/console/submit/<uuid:check_id>"}
# What is not about anything of a client's own.
OF_NOBODY = {"POST /console/sign-out", "POST /console/operations/<path:name>/breaker"}
# As a browser would be refused whatever holds it up.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
}
FIELDS = {"action": "cancel", "confirmed": "yes", "index": "0", "input": "{}", "state": "open"}


def routes_of(app: Flask) -> Iterator[tuple[str, str, Rule]]:
    """Method, the two together as they are named above, and the rule."""
    for rule in app.url_map.iter_rules():
        if rule.rule.partition("/console")[0] == "" and rule.endpoint.startswith("console."):
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield method, f"{method} {rule.rule}", rule


def scope_of(name: str) -> str | None:
    """What a key needs for the route."""
    if name in SCOPE:
        return SCOPE[name]
    if "/console/webhooks" in name:
        return MANAGE
    if "/console/submit" in name:
        return BOTH
    return READ if name.startswith("GET") else WRITE


def may(scopes: tuple[str, ...], needed: str | None) -> bool:
    if needed == BOTH:
        return WRITE in scopes and may(scopes, READ)
    return needed is None or needed in scopes or (ADMIN in scopes and needed in (READ, WRITE))


@pytest.fixture
def theirs(app: Flask, engine: Engine, client: ClientSecret) -> Mapping[str, str]:
    """What a client has, by the names that paths have for it."""
    http, headers = app.test_client(), {"Authorization": f"Bearer {client.secret}"}
    hook = http.post(
        "/v1/webhooks", json={"url": f"https://example.com/{MARK}"}, headers=headers
    ).json
    batch = http.post(
        "/v1/batches",
        json={
            "operation": "catalog.masterlist",
            "start": "manual",
            "name": MARK,
            "metadata": {"a": MARK},
            "items": [{**ITEM, "asin": MARK}],
        },
        headers=headers,
    ).json
    check = http.post(
        "/v1/batches",
        json={
            "operation": "catalog.masterlist",
            "dryRun": True,
            "start": "manual",
            "name": MARK,
            "items": [{**ITEM, "asin": MARK}],
        },
        headers=headers,
    ).json
    assert hook is not None
    assert batch is not None
    assert check is not None
    with transaction(engine) as connection:
        record(
            connection,
            [UUID(hook["id"])],
            BATCH_FINISHED,
            at=datetime.now(UTC),
            data=MARK,
            batch_id=UUID(batch["id"]),
        )
        delivery = connection.execute(
            text(
                """UPDATE webhook_deliveries SET next_at = now() + interval '1 day'
                WHERE webhook_id = :hook RETURNING id"""
            ),
            {"hook": hook["id"]},
        ).scalar_one()
    return {
        "batch_id": batch["id"],
        "check_id": check["id"],
        "index": "0",
        "action": "cancel",
        "webhook_id": hook["id"],
        "delivery_id": str(delivery),
        "name": "demo.sleep",
    }


def path_of(app: Flask, rule: Rule, values: Mapping[str, str]) -> str:
    wanted = {
        name: int(values[name]) if name == "index" else values.get(name, str(uuid4()))
        for name in rule.arguments
    }
    built = app.url_map.bind("localhost").build(rule.endpoint, wanted)
    return str(built)


def ask(person: Person, method: str, path: str, token: str = "") -> TestResponse:
    if method == "GET":
        return person.get(path)
    return person.post(path, {**FIELDS, "csrf": token})


def state_of(engine: Engine, ids: Mapping[str, str]) -> list[Any]:
    """All that a request could change of what the client has."""
    with engine.connect() as connection:
        return [
            connection.execute(text(statement), dict(ids)).all()
            for statement in (
                "SELECT status, name, revision FROM batches WHERE id = :batch_id",
                "SELECT CAST(input AS text), status FROM items WHERE batch_id = :batch_id",
                "SELECT secret FROM webhooks WHERE id = :webhook_id",
                "SELECT attempts, step, next_at, status FROM webhook_deliveries "
                "WHERE webhook_id = :webhook_id",
                "SELECT count(*) FROM audit WHERE batch_id = :batch_id",
                "SELECT count(*) FROM batches WHERE name = 'only-mine' AND client_id = "
                "(SELECT client_id FROM batches WHERE id = :check_id)",
            )
        ]


def test_whoever_is_not_signed_in_gets_the_form_and_does_nothing(
    app: Flask, engine: Engine, theirs: Mapping[str, str]
) -> None:
    stranger, before = Person(app, "203.0.113.1"), state_of(engine, theirs)
    seen = 0
    for method, name, rule in routes_of(app):
        if name in OPEN:
            continue
        seen += 1
        path = path_of(app, rule, {**theirs})
        answer = ask(stranger, method, path)
        if method == "POST":
            assert answer.status_code == 403, name
        elif path == "/console":
            assert ">Secret</label>" in answer.text
        else:
            assert answer.status_code == 303, name
            assert (answer.location or "").startswith("/console?next="), name
        assert MARK not in answer.text
        well_protected(answer, name)
    assert seen > 20
    assert state_of(engine, theirs) == before


@pytest.mark.parametrize("scopes", [*((scope,) for scope in SCOPES), (READ, WRITE)], ids=",".join)
def test_a_key_may_what_its_scopes_say_and_no_more(
    app: Flask, engine: Engine, theirs: Mapping[str, str], scopes: tuple[str, ...]
) -> None:
    """Of another client's: where a scope is there, 404. An admin's key is one of the client's."""
    other = create_client(engine, f"other {uuid4()}")
    key = create_key(engine, other.client_id, scopes=list(scopes))
    person, before = Person(app, "203.0.113.2"), state_of(engine, theirs)
    assert person.sign_in(key.secret).status_code == 303
    token = fields_of(person.get("/console").text, "/console/sign-out")["csrf"]
    allowed = 0
    for method, name, rule in routes_of(app):
        if name in OPEN or "sign-out" in name:
            continue
        path = path_of(app, rule, theirs)
        mine = may(scopes, scope_of(name))
        if method == "POST" and mine and ADMIN in scopes:
            # It may: that it does is for tests of what it does.
            continue
        answer = ask(person, method, path, token)
        well_protected(answer, name)
        if not mine:
            assert answer.status_code == 403, name
            assert str(scope_of(name)) in answer.text, name
        else:
            allowed += 1
            of_theirs = {"batch_id", "check_id", "webhook_id"} & rule.arguments
            if of_theirs and not (ADMIN in scopes and "batch_id" in rule.arguments):
                assert answer.status_code == 404, name
            else:
                assert answer.status_code in (200, 303, 400, 404, 422), (name, answer.text)
        if ADMIN not in scopes:
            assert MARK not in answer.text, name
    assert bool(allowed) == bool({READ, WRITE, MANAGE, ADMIN} & set(scopes))
    assert state_of(engine, theirs) == before


def test_no_form_is_taken_that_is_not_of_the_session(
    app: Flask, engine: Engine, theirs: Mapping[str, str], client: ClientSecret
) -> None:
    """Without a token, with another session's of the same key, or sent by another site's page."""
    boss = create_key(engine, client.client_id, scopes=list(SCOPES))
    person, again = Person(app, "203.0.113.3"), Person(app, "203.0.113.3")
    for each in (person, again):
        assert each.sign_in(boss.secret).status_code == 303
    own, of_another = (
        fields_of(each.get("/console").text, "/console/sign-out")["csrf"]
        for each in (person, again)
    )
    assert own != of_another
    before, posts = state_of(engine, theirs), 0
    for method, name, rule in routes_of(app):
        if method != "POST" or name in OPEN:
            continue
        posts += 1
        path = path_of(app, rule, theirs)
        for token in ("", of_another, own[:-1], "ü"):
            assert person.post(path, {**FIELDS, "csrf": token}).status_code == 403, name
        assert person.post(f"{path}?csrf={own}", FIELDS).status_code == 403, name
        for site in ("cross-site", "same-site"):
            sent = person.post(path, {**FIELDS, "csrf": own}, headers={"Sec-Fetch-Site": site})
            assert sent.status_code == 403, name
    assert posts > 8
    assert state_of(engine, theirs) == before
    assert "Sign out" in person.get("/console").text


def test_a_get_changes_nothing(
    app: Flask, engine: Engine, theirs: Mapping[str, str], client: ClientSecret
) -> None:
    boss = create_key(engine, client.client_id, scopes=list(SCOPES))
    person, before = Person(app, "203.0.113.4"), state_of(engine, theirs)
    assert person.sign_in(boss.secret).status_code == 303
    for method, name, rule in routes_of(app):
        if method != "GET":
            continue
        path = path_of(app, rule, theirs)
        query = {**FIELDS, **theirs, "csrf": "x"}
        for answer in (
            person.http.get(path, query_string=query),
            person.http.head(path, query_string=query),
            person.http.options(path),
        ):
            well_protected(answer, name)
    for method, name, rule in routes_of(app):
        if method == "POST" and "GET" not in (rule.methods or ()):
            answer = person.get(path_of(app, rule, theirs))
            page = rule.rule in OF_A_PAGE or "Confirm" in answer.text
            assert answer.status_code in (303, 404, 405) or page, name
            well_protected(answer, name)
    assert state_of(engine, theirs) == before
    assert "Sign out" in person.get("/console").text


@pytest.mark.parametrize(
    "value",
    [
        "%3Cscript%3Ealert(1)%3C/script%3E%22%27%3E",
        "a%00b",
        "%E2%80%AE%1B%5B31m%0D%0A",
        "%ED%A0%80%FF",
        "-1",
        "9" * 400,
        "0001-01-01T00:00:00%2B23:59",
        "%25%27_%5C",
        "x" * 6000,
    ],
    ids=range(9),
)
def test_whatever_stands_in_a_query_is_no_fault_of_ours(
    app: Flask, theirs: Mapping[str, str], client: ClientSecret, value: str, engine: Engine
) -> None:
    boss = create_key(engine, client.client_id, scopes=list(SCOPES))
    person = Person(app, "203.0.113.5")
    assert person.sign_in(boss.secret).status_code == 303
    names = "status operation text createdAfter client failure key action before after next v"
    query = "&".join(f"{each}={value}" for each in names.split())
    for method, name, rule in routes_of(app):
        if method == "GET" and name not in OPEN:
            answer = person.get(f"{path_of(app, rule, theirs)}?{query}")
            assert answer.status_code in (200, 303, 404, 422), name
            assert "<script>alert" not in answer.text
            # It stands in fields for those who would change it, and nowhere else.
            assert "\u202e" not in answer.text.replace('value="\u202e', ""), name


def test_what_is_answered_to_what_cannot_be_read_is_protected_too(person: Person) -> None:
    for path in ("/console/nowhere", "/console/batches/x", "/console//batches", "/console/"):
        well_protected(person.get(path), path)
    well_protected(person.http.put("/console"), "PUT")
    well_protected(person.get("/console/live", headers={"HX-Request": "true"}), "live")
    gone = person.get(f"/console/batches/{uuid4()}/live", headers={"HX-Request": "true"})
    assert gone.headers["HX-Refresh"] == "true"
    well_protected(gone, "gone")
    too_large = person.post("/console/batches/act", {"id": "x" * 2_000_000})
    assert too_large.status_code in (403, 413)
    well_protected(too_large, "too large")


def well_protected(answer: TestResponse, name: str) -> None:
    """Whatever it is: it runs nothing, is shown nowhere else, and is not kept."""
    policy = answer.headers.get("Content-Security-Policy", "")
    assert "default-src 'none'" in policy, name
    assert "unsafe" not in policy, name
    if "/assets/" in answer.request.path and answer.status_code == 200:
        return
    assert "frame-ancestors 'none'" in policy, name
    assert answer.headers["Cache-Control"] == "no-store", name
    assert {each: answer.headers.get(each) for each in HEADERS} == HEADERS, name

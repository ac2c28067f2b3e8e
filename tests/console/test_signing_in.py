"""Sessions: begun by a secret, worth no more than it, over when one says so."""

from __future__ import annotations

import re
from itertools import count

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret, revoke_client, rotate_client
from app.clients.keys import create_key, revoke_key
from tests.console.conftest import Person, fields_of
from tests.support.stack import wait_for

_ADDRESSES = (f"198.51.100.{number}" for number in count(1))


@pytest.fixture
def stranger(app: Flask) -> Person:
    """From an address of their own, whose attempts nobody else has used up."""
    return Person(app, next(_ADDRESSES))


def audited(engine: Engine, action: str, client: ClientSecret) -> list[str | None]:
    with engine.connect() as connection:
        rows = connection.execute(
            text("SELECT address FROM audit WHERE action = :action AND client_id = :id"),
            {"action": action, "id": client.client_id},
        )
        return list(rows.scalars())


def test_the_form_then_the_console_then_the_form(
    engine: Engine, stranger: Person, client: ClientSecret
) -> None:
    page = stranger.get("/console")
    assert page.status_code == 200
    assert ">Secret</label>" in page.text
    answer = stranger.sign_in(client.secret)
    assert (answer.status_code, answer.location) == (303, "/console")
    inside = stranger.get("/console")
    assert "Sign out" in inside.text
    assert client.secret not in inside.text
    assert stranger.fill(inside, "/console/sign-out").status_code == 303
    assert ">Secret</label>" in stranger.get("/console").text
    assert audited(engine, "session.sign_in", client) == [stranger.address]
    assert audited(engine, "session.sign_out", client) == [stranger.address]


def test_it_leads_where_one_wanted_to_go(stranger: Person, client: ClientSecret) -> None:
    sent = stranger.get("/console/live?a=b")
    assert (sent.status_code, sent.location) == (303, "/console?next=%2Fconsole%2Flive%3Fa%3Db")
    assert stranger.sign_in(client.secret, sent.location or "").location == "/console/live?a=b"


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://example.org/console",
        "//example.org/console",
        "/\\example.org",
        "/console/\\example.org",
        "/v1/batches",
        "/consoles",
        "javascript:alert(1)",
        "/console//example.org",
        "/console/\r\nX: y",
        "/console/../docs",
        "/console/%2e%2E/docs",
        "/console@example.org",
        "//example.org%2f@localhost/console",
        "http:///console",
        "\t//example.org",
    ],
    ids=range(15),
)
def test_and_nowhere_else(stranger: Person, client: ClientSecret, elsewhere: str) -> None:
    page = stranger.get("/console", query_string={"next": elsewhere})
    answer = stranger.fill(page, "/console/sign-in", secret=client.secret, next=elsewhere)
    assert (answer.status_code, answer.location) == (303, "/console")


def test_who_is_refused_is_told_so_and_audited(
    engine: Engine, stranger: Person, client: ClientSecret
) -> None:
    revoke_client(engine, client.client_id)
    answer = stranger.sign_in(client.secret)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert client.secret not in answer.text
    assert audited(engine, "session.refused", client) == [stranger.address]


def test_the_cookie(stranger: Person, client: ClientSecret) -> None:
    [cookie] = [
        each
        for each in stranger.sign_in(client.secret).headers.getlist("Set-Cookie")
        if each.startswith("batchline_console=")
    ]
    parts = {part.strip() for part in cookie.split(";")[1:]}
    assert {"HttpOnly", "SameSite=Lax", "Path=/console", "Max-Age=43200"} <= parts
    assert "Secure" not in parts
    over_https = stranger.http.get(
        "/console?again",
        base_url="https://example.org",
        environ_base={"REMOTE_ADDR": stranger.address},
    )
    assert "Secure" in over_https.headers["Set-Cookie"]


def test_a_copied_cookie_is_dead_after_signing_out(
    app: Flask, stranger: Person, client: ClientSecret
) -> None:
    stranger.sign_in(client.secret)
    cookie = stranger.http.get_cookie("batchline_console", path="/console")
    assert cookie is not None
    thief = Person(app, stranger.address)
    thief.http.set_cookie("batchline_console", cookie.value, path="/console")
    assert "Sign out" in thief.get("/console").text
    stranger.fill(stranger.get("/console"), "/console/sign-out")
    assert "Sign out" not in thief.get("/console").text


def test_signing_in_again_is_another_session(stranger: Person, client: ClientSecret) -> None:
    def token() -> str:
        found = stranger.http.get_cookie("batchline_console", path="/console")
        assert found is not None
        return found.value

    stranger.http.set_cookie("batchline_console", "chosen-by-another", path="/console")
    stranger.sign_in(client.secret)
    first = token()
    page = stranger.get("/console?next=/console")
    assert "Sign out" in page.text
    stranger.http.delete_cookie("batchline_console", path="/console")
    form = stranger.get("/console")
    stranger.http.set_cookie("batchline_console", first, path="/console")
    stranger.fill(form, "/console/sign-in", secret=client.secret)
    assert token() not in (first, "chosen-by-another")
    stranger.http.set_cookie("batchline_console", first, path="/console")
    assert "Sign out" not in stranger.get("/console").text


@pytest.mark.parametrize("how", ["revoked key", "revoked client", "rotated", "twelve hours"])
def test_it_ends_with_the_key(
    engine: Engine, stranger: Person, client: ClientSecret, how: str
) -> None:
    key = create_key(engine, client.client_id) if how == "revoked key" else client
    stranger.sign_in(key.secret)
    if how == "revoked key":
        revoke_key(engine, key.key_id)
    elif how == "revoked client":
        revoke_client(engine, client.client_id)
    elif how == "rotated":
        rotate_client(engine, client.client_id)
    else:
        with engine.begin() as connection:
            connection.execute(
                text(
                    "UPDATE console_sessions SET expires_at = expires_at - interval '12 hours' "
                    "WHERE key_id = :key"
                ),
                {"key": client.key_id},
            )
    assert "Sign out" not in stranger.get("/console").text


def test_ten_wrong_ones_a_minute_from_an_address(stranger: Person, client: ClientSecret) -> None:
    for number in range(10):
        assert stranger.sign_in(f"wrong {number}").status_code == 401
    answer = stranger.sign_in(client.secret)
    assert answer.status_code == 429
    assert answer.headers["Retry-After"] == "60"
    assert 'role="alert"' in answer.text


def test_ten_a_minute_with_a_secret(app: Flask, client: ClientSecret) -> None:
    for _ in range(10):
        assert Person(app, next(_ADDRESSES)).sign_in(client.secret).status_code == 303
    assert Person(app, next(_ADDRESSES)).sign_in(client.secret).status_code == 429


def test_good_ones_do_not_use_an_address_up(
    app: Flask, engine: Engine, stranger: Person, client: ClientSecret
) -> None:
    for _ in range(12):
        key = create_key(engine, client.client_id)
        assert Person(app, stranger.address).sign_in(key.secret).status_code == 303


def test_a_network_of_ipv6_is_one_address(app: Flask, client: ClientSecret) -> None:
    for number in range(10):
        person = Person(app, f"2001:db8:0:14::{number:x}")
        assert person.sign_in(f"wrong {number}").status_code == 401
    assert Person(app, "2001:db8:0:14:1::1").sign_in(client.secret).status_code == 429
    assert Person(app, "2001:db8:0:15::1").sign_in(client.secret).status_code == 303


def test_a_cookie_is_only_taken_as_it_was_given(
    stranger: Person, app: Flask, client: ClientSecret
) -> None:
    """Written otherwise it would be a stranger's to the server that shares its threads out."""
    stranger.sign_in(client.secret)
    cookie = stranger.http.get_cookie("batchline_console", path="/console")
    assert cookie is not None
    without_jar = app.test_client(use_cookies=False)
    for sent, good in (
        (f"a=b; batchline_console={cookie.value}; c=d", True),
        (f'batchline_console="{cookie.value}"', False),
        (f'batchline_console="\\{ord(cookie.value[0]):03o}{cookie.value[1:]}"', False),
    ):
        page = without_jar.get(
            "/console",
            headers={"Cookie": sent},
            environ_base={"REMOTE_ADDR": stranger.address},
        )
        assert ("Sign out" in page.text) == good, sent


def test_a_forged_form_does_nothing(person: Person, stranger: Person, client: ClientSecret) -> None:
    assert stranger.post("/console/sign-in", {"secret": client.secret}).status_code == 403
    assert person.post("/console/sign-out", {}).status_code == 403
    of_another = fields_of(stranger.get("/console").text, "/console/sign-in")["csrf"]
    assert person.post("/console/sign-out", {"csrf": of_another}).status_code == 403
    assert "Sign out" in person.get("/console").text


def test_a_key_is_only_taken_from_its_networks(
    engine: Engine, stranger: Person, client: ClientSecret
) -> None:
    key = create_key(engine, client.client_id, networks=["203.0.113.0/24"])
    assert stranger.sign_in(key.secret).status_code == 401


def test_a_key_without_the_scope_is_refused_and_not_led_there(
    engine: Engine, stranger: Person, client: ClientSecret
) -> None:
    key = create_key(engine, client.client_id, scopes=["webhooks.manage"])
    stranger.sign_in(key.secret)
    page = stranger.get("/console")
    assert page.status_code == 403
    assert "Overview</a>" not in page.text
    assert stranger.fill(page, "/console/sign-out").status_code == 303


def test_what_every_page_says_to_browsers(person: Person, stranger: Person) -> None:
    for page in (stranger.get("/console"), person.get("/console"), person.get("/console/nowhere")):
        policy = page.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        assert " style=" not in page.text
        assert "<script>" not in page.text
        assert page.text.count("<main") == page.text.count("<h1") == 1


def test_errors_are_pages(person: Person) -> None:
    page = person.get("/console/nowhere")
    assert page.status_code == 404
    assert page.mimetype == "text/html"
    assert person.post("/console", {}).status_code == 405


def test_a_page_left_open_loads_the_form_once_the_session_is_over(stranger: Person) -> None:
    answer = stranger.get("/console/live", headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (200, "true")


def test_a_live_part_is_sent_only_where_it_has_changed(person: Person) -> None:
    first = person.get("/console/live")
    version = first.text.partition('data-version="')[2].partition('"')[0]
    assert len(version) == 16
    assert person.get("/console/live", query_string={"v": "another"}).status_code == 200

    def unchanged() -> bool:
        # Workers of another test may come and go meanwhile.
        nonlocal version
        answer = person.get("/console/live", query_string={"v": version})
        version = answer.text.partition('data-version="')[2].partition('"')[0] or version
        return answer.status_code == 204

    wait_for(unchanged)


def test_files_are_kept_for_a_year_under_names_of_their_content(stranger: Person) -> None:
    found = set(re.findall(r"/console/assets/[^\"]+", stranger.get("/console").text))
    assert len(found) == 6
    for path in found:
        answer = stranger.get(path)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000"
    assert stranger.get("/console/assets/console.css").status_code == 404

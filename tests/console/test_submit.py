"""Submitting by the form: what is refused, in words; what is kept; and once."""

from __future__ import annotations

import gzip
import io
import json
import re
import threading
from html import unescape
from typing import Any, BinaryIO, cast
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import Engine, text
from werkzeug.test import TestResponse

from app.clients.credentials import ClientSecret, create_client, revoke_client
from app.clients.keys import create_key
from app.clients.quotas import default_quotas, set_quotas
from app.console.pages.submit.upload import Upload
from app.core.errors import Malformed
from app.core.settings import Settings
from tests.console.conftest import Person, fields_of
from tests.support.stack import wait_for

PATH = "/console/submit"
HEADER = "asin,countryCode,percACoS"
CSV = f"{HEADER}\nA1,US,2.7\nA2,usa,2.7\nA3,US,lots\n"
HOSTILE = "</textarea><script>alert(1)</script>\"'"


def packed(content: bytes) -> bytes:
    """By gzip, and the same whenever it is."""
    return gzip.compress(content, mtime=0)


def signed_in(app: Flask, secret: str) -> Person:
    person = Person(app, f"192.0.2.{uuid4().int % 200 + 20}")
    assert person.sign_in(secret).status_code == 303
    return person


def sent(
    person: Person, content: bytes | str | None = None, filename: str = "feed.csv", **fields: Any
) -> TestResponse:
    """The form of the page, with that file; the fields first, as browsers send them."""
    form = fields_of(person.get(PATH).text, PATH)
    fields = {"csrf": form["csrf"], "operation": "catalog.masterlist", "items": "", **fields}
    body = content.encode() if isinstance(content, str) else content
    file = {} if body is None else {"file": (io.BytesIO(body), filename)}
    return person.post(PATH, {**fields, **file}, content_type="multipart/form-data")


def checked(
    person: Person, content: bytes | str = CSV, filename: str = "feed.csv", **fields: Any
) -> str:
    """The page of a check of that file."""
    answer = sent(person, content, filename, **fields)
    assert answer.status_code == 303, answer.text
    assert answer.location.startswith(f"{PATH}/")
    return answer.location


def submitted(person: Person, check: str, **fields: Any) -> TestResponse:
    """By the form of the check's page."""
    return person.fill(person.get(check), check.partition("?")[0], **fields)


def alert(answer: TestResponse) -> str:
    """What it says, without its markup."""
    found = re.search(r'role="alert"[^>]*>(.*?)</(?:div|p)>', answer.text, re.DOTALL)
    assert found is not None, answer.text
    return " ".join(unescape(re.sub("<[^>]*>", "", found[1])).split())


def batch_of(app: Flask, secret: str, path: str) -> dict[str, Any]:
    """As the API shows it."""
    answer = app.test_client().get(
        f"/v1/batches/{path.rpartition('/')[2].partition('?')[0]}",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.json is not None
    return dict(answer.json)


def items_of(app: Flask, secret: str, path: str) -> list[dict[str, Any]]:
    answer = app.test_client().get(
        f"/v1/batches/{path.rpartition('/')[2].partition('?')[0]}/items",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.json is not None
    return list(answer.json["data"])


def test_it_is_led_to_and_offers_what_the_key_may(
    app: Flask, engine: Engine, person: Person, client: ClientSecret
) -> None:
    assert f'href="{PATH}"' in person.get("/console").text
    assert "Submit one here" in person.get("/console").text
    page = person.get(f"{PATH}?operation=catalog.price")
    assert '<option value="catalog.price" selected>' in page.text
    assert page.text.count("<h1") == 1
    assert "as ^[A-Z]{3}$" in page.text
    assert person.get(f"{PATH}?operation=%3Cb%3E&name=%22%3E").status_code == 200
    narrow = create_key(engine, client.client_id, operations=["catalog.*"])
    offered = signed_in(app, narrow.secret).get(PATH).text
    assert 'value="catalog.price"' in offered
    assert 'value="demo.sleep"' not in offered
    link = f'href="{PATH}?operation='
    assert f'{link}demo.sleep"' in person.get("/console/operations").text
    listed = signed_in(app, narrow.secret).get("/console/operations").text
    assert f'{link}catalog.price"' in listed
    assert f'{link}demo.sleep"' not in listed


@pytest.mark.parametrize(
    "scopes", [["batches.read"], ["batches.write"], ["admin"], ["admin", "batches.read"]]
)
def test_who_may_not_has_no_link_and_no_page(
    app: Flask, engine: Engine, client: ClientSecret, person: Person, scopes: list[str]
) -> None:
    check = checked(person)
    key = create_key(engine, client.client_id, scopes=scopes)
    other = signed_in(app, key.secret)
    for path in ("/console", "/console/batches", "/console/operations"):
        assert f'href="{PATH}' not in other.get(path).text
    for path in (PATH, check, f"{PATH}/template?operation=catalog.price&format=csv"):
        assert other.get(path).status_code == 403
    token = fields_of(other.get("/console").text, "/console/sign-out")["csrf"]
    for path in (PATH, check.partition("?")[0]):
        answer = other.post(path, {"csrf": token}, content_type="multipart/form-data")
        assert answer.status_code == 403


def test_checked_and_then_submitted_without_sending_it_again(
    app: Flask, person: Person, client: ClientSecret
) -> None:
    metadata = '{"run":"</textarea>"}'
    typed = {"name": "nightly <feed>", "metadata": metadata}
    check = checked(person, **typed, maxFailures="7", rampSteps="1, 2")
    dry = batch_of(app, client.secret, check)
    assert (dry["dryRun"], dry["operation"], dry["maxFailures"]) == (
        True,
        "catalog.masterlist",
        None,
    )
    page = person.get(check)
    assert 'role="progressbar"' in page.text
    form = fields_of(page.text, check.partition("?")[0])
    assert form["maxFailures"] == "7"
    assert form["rampSteps"] == "1, 2"
    assert form["name"] == "nightly <feed>"
    assert metadata in unescape(page.text).replace('": "', '":"')
    assert '</textarea>"' not in page.text
    done = submitted(person, check, metadata=metadata, maxFailures="8")
    assert done.status_code == 303, done.text
    batch = batch_of(app, client.secret, done.location)
    assert batch["dryRun"] is False
    assert batch["maxFailures"] == 8
    assert batch["ramp"]["steps"] == [1, 2]
    assert batch["summary"]["total"] == 3
    inputs = [each["input"] for each in items_of(app, client.secret, done.location)]
    assert inputs[1] == {"asin": "A2", "countryCode": "usa", "percACoS": "2.7"}


NDJSON_LINE = json.dumps({"asin": "A1", "countryCode": "US", "percACoS": 2.70})
LARGE = f'{{"asin": "{"x" * 300_000}"}}'


@pytest.mark.parametrize(
    ("content", "filename", "lines"),
    [
        (CSV, "feed.csv", "2"),
        (CSV, "feed.ndjson.csv", "2"),
        ("\ufeff" + CSV, "feed.CSV", "2"),
        (CSV, "no ending", "2"),
        (packed(CSV.encode()), "feed.csv.gz", "2"),
        (packed(CSV.encode()), "feed.csv", "2"),
        (packed(HEADER.encode()) + packed(b"\nA,US,1"), "feed.gz", "2"),
        (CSV.replace("\n", "\n\n"), "feed.csv", ""),
        (f"sep=;\n{CSV.replace(',', ';')}", "feed.csv", ""),
        (f"{NDJSON_LINE}\n{NDJSON_LINE}", "feed.ndjson", "1"),
        (f"{NDJSON_LINE}\n{NDJSON_LINE}\n", "feed.csv", "1"),
        (f"\ufeff\n{NDJSON_LINE}\n", "feed.txt", ""),
        (f"\ufeff[{NDJSON_LINE},\n {NDJSON_LINE}]", "feed.json", ""),
    ],
    ids=range(13),
)
def test_files_are_what_is_in_them(
    person: Person, content: bytes | str, filename: str, lines: str
) -> None:
    check = checked(person, content, filename)
    assert check.partition("?")[2] == (f"line={lines}" if lines else "")
    assert person.get(check).status_code == 200


@pytest.mark.parametrize(
    ("content", "filename", "status", "said"),
    [
        (None, "", 422, "choose a file, or paste"),
        (b"", "feed.csv", 422, "It is empty."),
        (packed(b""), "feed.csv.gz", 422, "It is empty."),
        (b"\n\n", "feed.csv", 400, "no header row"),
        (HEADER, "feed.csv", 422, "There is a header, but no row."),
        ("[]", "feed.json", 422, "There is no item."),
        (CSV.encode("utf-16"), "feed.csv", 400, "Line 1: It is UTF-16; send UTF-8."),
        (CSV.replace("usa", "\u00fc").encode("latin-1"), "feed.csv", 400, "Line 3: Not UTF-8"),
        (b"PK\x03\x04\x14\x00\x06\x00\xff\xfe", "feed.xlsx", 400, "It is a workbook"),
        (f"{CSV}A4,US,1,2\n", "feed.csv", 400, "Line 5: Has a value beyond the 3 columns"),
        (f"{NDJSON_LINE}\n{{oh", "feed.ndjson", 400, "Line 2: Not JSON"),
        ("oh\n", "feed.jsonl", 400, "Line 1: Not JSON"),
        ('[{"a": 1}, {]', "feed.json", 400, "Not JSON"),
        (LARGE, "feed.ndjson", 413, "Item 0 is too large"),
        (b"\x1f\x8boh", "feed.csv.gz", 400, "It begins like gzip, and is not."),
        (packed(CSV.encode())[:-4], "feed.csv.gz", 400, "cut short"),
    ],
    ids=range(16),
)
def test_files_that_are_refused(
    app: Flask,
    person: Person,
    client: ClientSecret,
    content: bytes | str | None,
    filename: str,
    status: int,
    said: str,
) -> None:
    answer = sent(person, content, filename, name="as typed", maxFailures="12")
    assert answer.status_code == status, answer.text
    assert said in alert(answer)
    form = fields_of(answer.text, PATH)
    assert (form["name"], form["maxFailures"]) == ("as typed", "12")
    assert '<option value="catalog.masterlist" selected>' in answer.text
    listed = app.test_client().get(
        "/v1/batches", headers={"Authorization": f"Bearer {client.secret}"}
    )
    assert listed.json == {"data": [], "next": None}


def test_a_file_and_pasted_items_are_too_much(person: Person) -> None:
    answer = sent(person, CSV, items=NDJSON_LINE)
    assert answer.status_code == 422
    assert "leave one" in alert(answer)


@pytest.mark.parametrize(
    ("field", "typed", "said"),
    [
        ("operation", "no.such", "Operation: Unknown operation"),
        ("name", "x" * 300, "Name: Longer than maximum length 255."),
        ("start", "later", "Begin: Must be one of"),
        ("scheduledAt", "2020-01-01T00:00", "Scheduled at (UTC): Must be in the future."),
        ("scheduledAt", "tomorrow", "Scheduled at (UTC): Must be an RFC 3339 time"),
        ("onInvalid", "odd", "Where some are invalid: Must be one of"),
        ("maxFailures", "few", "Stop after more failures than: Must be a whole number."),
        ("maxFailurePercent", "101", "Stop above so many % failed: Must be"),
        ("minProcessed", "-1", "Once so many are processed: Must be"),
        ("rampSteps", "10, many", "Ramp: steps: Must be whole numbers"),
        ("rampSteps", "0", "Ramp: steps: Must be"),
        ("rampHold", "approve", "Ramp: steps: Say how many"),
        ("rampMaxFailurePercent", "5", "Ramp: steps: Say how many"),
        ("approval", "perhaps", "Another key has to approve it: Must be true or false."),
        ("metadata", "[1]", "Metadata: Must be an object."),
        ("metadata", "{", "Metadata: Must be a JSON object."),
        ("metadata", json.dumps({"a": "x" * 17_000}), "Metadata: Must be at most 16384 bytes"),
    ],
    ids=range(17),
)
def test_fields_that_are_refused_are_named_and_kept(
    app: Flask, person: Person, field: str, typed: str, said: str
) -> None:
    """Both where items are checked and where they are submitted."""
    check = checked(person)
    answers = [sent(person, CSV, **{field: typed})]
    if field != "operation":
        answers.append(submitted(person, check, **{field: typed}))
    for answer in answers:
        assert answer.status_code == 422, answer.text
        assert said in alert(answer)
        if field not in ("operation", "start", "onInvalid", "rampHold", "approval"):
            assert typed in unescape(answer.text)
        name = "rampSteps" if field.startswith("ramp") else field
        if name != "approval":
            assert re.search(rf'id="{name}"[^>]* aria-invalid="true"', answer.text)
    # What was refused has used nothing up.
    assert submitted(person, check).status_code == 303


def test_all_at_fault_are_named_at_once(person: Person) -> None:
    said = alert(sent(person, CSV, maxFailures="few", rampSteps="none", metadata="x"))
    for label in ("Stop after more failures than", "Ramp: steps", "Metadata"):
        assert label in said


def test_pasted_items_are_kept_and_never_markup(app: Flask, person: Person) -> None:
    pasted = f'{{"asin": "{HOSTILE[:-2]}\u202e", \n'
    answer = sent(person, items=pasted, name=HOSTILE)
    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    [text_] = re.findall(r'<textarea id="items"[^>]*>\n(.*?)</textarea>', answer.text, re.DOTALL)
    assert unescape(text_) == pasted
    long = json.dumps(
        {"asin": HOSTILE + "x" * 250_000, "countryCode": HOSTILE, "percACoS": "\u202e"}
    )
    check = sent(person, items=long, name=HOSTILE + "\u202e").location
    page = person.get(check).text
    assert "<script>alert" not in page
    assert "\u202e" not in re.sub(r'<input id="name"[^>]*>', "", page)
    large = sent(person, items="x" * 1_100_000)
    assert large.status_code == 413
    assert "choose a file for more" in alert(large)


def test_a_form_that_is_not_ours_is_refused(person: Person) -> None:
    check = checked(person)
    for path in (PATH, check.partition("?")[0]):
        for token in ("", "x"):
            assert person.post(path, {"csrf": token}).status_code == 403
    answer = sent(person, CSV, csrf="x")
    assert answer.status_code == 403
    behind = (
        b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
        + CSV.encode()
        + b'\r\n--b\r\nContent-Disposition: form-data; name="csrf"\r\n\r\n'
        + fields_of(person.get(PATH).text, PATH)["csrf"].encode()
        + b"\r\n--b--\r\n"
    )
    answer = person.http.post(
        PATH,
        data=behind,
        content_type="multipart/form-data; boundary=b",
        environ_base={"REMOTE_ADDR": person.address},
    )
    assert answer.status_code == 403
    assert person.http.post(PATH, json={}).status_code == 415


@pytest.mark.parametrize(
    "body", [b"a&" * 1000, b"a=" + b"b" * 1024 * 1024], ids=["fields", "bytes"]
)
def test_a_form_without_a_file_has_an_end(person: Person, body: bytes) -> None:
    kind = "application/x-www-form-urlencoded"
    for path in (PATH, checked(person).partition("?")[0]):
        answer = person.http.post(
            path, data=body, content_type=kind, environ_base={"REMOTE_ADDR": person.address}
        )
        assert answer.status_code == 413, path


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


def test_every_template_is_taken_as_it_is(person: Person, app: Flask) -> None:
    page = person.get(PATH).text
    links = [unescape(each) for each in re.findall(r'href="([^"]*/template\?[^"]*)"', page)]
    assert any("format=csv" in each for each in links)
    registry = app.extensions["batchline"].registry
    for link in links:
        answer = person.get(link)
        assert answer.status_code == 200
        assert answer.headers["Content-Disposition"].startswith("attachment")
        name = answer.headers["Content-Disposition"].partition('"')[2].rstrip('"')
        operation = registry.get(name.rpartition(".")[0])
        lines = answer.text.splitlines()
        assert len(lines) == (3 if name.endswith(".csv") else 2)
        check = checked(person, answer.data, name, operation=operation.name)
        with app.test_request_context():
            for item in _inputs(app, check):
                operation.load_keyed(item)
    assert person.get(f"{PATH}/template?operation=no.such&format=csv").status_code == 404
    assert person.get(f"{PATH}/template?operation=demo.sleep&format=xls").status_code == 404


def _inputs(app: Flask, check: str) -> list[Any]:
    with app.extensions["batchline"].engine.connect() as connection:
        found = connection.execute(
            text("SELECT CAST(input AS text) FROM items WHERE batch_id = CAST(:id AS uuid)"),
            {"id": check.partition("?")[0].rpartition("/")[2]},
        )
        return [json.loads(row.input) for row in found]


class Trickle(io.RawIOBase):
    """Gives a few bytes at a time, and says how many it has given."""

    def __init__(self, data: bytes, piece: int) -> None:
        super().__init__()
        self._data = io.BytesIO(data)
        self._piece = piece

    def read(self, size: int = -1) -> bytes:
        return self._data.read(min(size, self._piece))


@pytest.mark.parametrize("piece", [*range(1, 80), 10_000])
def test_a_form_is_read_in_whatever_pieces_it_comes(piece: int) -> None:
    content = b"\r\n--bound\r\n-\r\n--boun" * 50
    head = b'Content-Disposition: form-data; name="%b"'
    body = b"".join(
        (
            b"--boundary\r\n" + head % b"name" + b"\r\n\r\nnightly\r\n",
            b"--boundary\r\n" + head % b"file" + b'; filename="a.csv"\r\n\r\n' + content,
            b"\r\n--boundary\r\n" + head % b"items" + b"\r\n\r\nnone\r\n--boundary--\r\n",
        )
    )
    upload = Upload(cast(BinaryIO, Trickle(body, piece)), b"boundary")
    assert upload.fields == {"name": "nightly"}
    assert upload.filename == "a.csv"
    assert upload.file.read() == content
    upload.finish()
    assert upload.fields == {"name": "nightly", "items": "none"}
    with pytest.raises(Malformed):
        Upload(cast(BinaryIO, Trickle(body[:-40], piece)), b"other")


def test_a_head_without_an_end_is_not_collected() -> None:
    endless = b'--boundary\r\nContent-Disposition: form-data; name="' + b"x" * 5_000_000
    with pytest.raises(Malformed):
        Upload(cast(BinaryIO, Trickle(endless, 10_000)), b"boundary")

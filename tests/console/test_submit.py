"""Submitting by the form: what is refused, in words; and what is kept."""

from __future__ import annotations

import json
import re
from html import unescape
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.console.conftest import Person, fields_of
from tests.console.submitting import (
    CSV,
    HEADER,
    HOSTILE,
    NDJSON_LINE,
    PATH,
    alert,
    batch_of,
    checked,
    items_of,
    packed,
    sent,
    signed_in,
    submitted,
)

LARGE = f'{{"asin": "{"x" * 300_000}"}}'


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

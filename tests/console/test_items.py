"""A batch's items, and one of them, by a person without scripts and on workers that run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.quotas import NO_QUOTAS, PENDING_ITEMS, set_quotas
from tests.console.conftest import fields_of
from tests.support.stack import Stack, wait_for

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 2.70}
EXACT = "12345678901234567890.1230"
BAD = f'{{"asin": "A2", "countryCode": "<b>us</b>", "percACoS": {EXACT}}}'


@pytest.fixture
def api(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


@pytest.fixture
def browser(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    """Signed in, by the server that people use."""
    with httpx.Client(base_url=stack.url, timeout=30, follow_redirects=True) as found:
        form = fields_of(found.get("/console").text, "/console/sign-in")
        found.post("/console/sign-in", data={**form, "secret": client.secret}).raise_for_status()
        yield found


def submitted(api: httpx.Client, items: list[Any], **fields: Any) -> str:
    body = {"operation": "catalog.masterlist", "items": items, **fields}
    return str(api.post("/v1/batches", json=body).raise_for_status().json()["id"])


def test_one_is_edited_and_tried_again(
    stack: Stack, api: httpx.Client, browser: httpx.Client
) -> None:
    sent = api.post(
        "/v1/batches?operation=catalog.masterlist",
        content=f"{json.dumps(GOOD)}\n{BAD}\n",
        headers={"Content-Type": "application/x-ndjson"},
    )
    batch = sent.raise_for_status().json()["id"]
    stack.finished(api, batch)
    own = f"/console/batches/{batch}/items"
    listed = browser.get(f"{own}?status=INVALID")
    assert f'href="{own}/1"' in listed.text
    assert f'href="{own}/0"' not in listed.text
    page = browser.get(f"{own}/1")
    assert "<b>us" not in page.text
    [text] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    # To the last digit, so that an edit elsewhere leaves it alone.
    assert EXACT in text
    form = fields_of(page.text, f"{own}/1/edit")
    for wrong, status in (("{", 400), ("[1]", 422), ('{"a": 1}, "x": {}', 400), ("", 422)):
        refused = browser.post(f"{own}/1/edit", data={**form, "input": wrong})
        assert refused.status_code == status, wrong
        assert 'role="alert"' in refused.text
    right = unescape(text).replace("<b>us</b>", "US")
    right = right.replace(EXACT, "3")
    assert browser.post(f"{own}/1/edit", data={**form, "input": right}).status_code == 200
    assert stack.finished(api, batch)["status"] == "SUCCESS"
    page = browser.get(f"{own}/1")
    assert "status-invalid" in page.text  # its history
    assert f"{own}/1/retry" not in page.text


def test_a_large_one_is_edited(api: httpx.Client, browser: httpx.Client) -> None:
    """Many small values, which would be too large for an item once they were indented."""
    many = {**GOOD, "more": [1] * 100_000}
    batch = submitted(api, [many], start="manual")
    own = f"/console/batches/{batch}/items/0"
    page = browser.get(own)
    [text] = re.findall(r"<textarea[^>]*>(.*?)</textarea>", page.text, re.DOTALL)
    right = json.loads(unescape(text))
    assert right == many
    # Somebody makes it easier to read: those spaces are not counted.
    right["asin"] = "A2"
    sent = json.dumps(right, indent=0).replace("\n", "\r\n")
    assert len(sent) > 300_000
    form = fields_of(page.text, f"{own}/edit")
    assert browser.post(f"{own}/edit", data={**form, "input": sent}).status_code == 200
    assert api.get(f"/v1/batches/{batch}/items/0").json()["input"] == right
    right["more"] = [1] * 140_000
    refused = browser.post(f"{own}/edit", data={**form, "input": json.dumps(right)})
    assert refused.status_code == 413
    assert 'role="alert"' in refused.text


def test_an_edit_that_is_saved_and_not_run_says_so(
    api: httpx.Client, browser: httpx.Client, engine: Engine, client: ClientSecret
) -> None:
    batch = submitted(api, [GOOD], start="manual")
    api.post(f"/v1/batches/{batch}/cancel").raise_for_status()
    own = f"/console/batches/{batch}/items/0"
    form = fields_of(browser.get(own).text, f"{own}/edit")
    set_quotas(engine, client.client_id, {PENDING_ITEMS: 0}, NO_QUOTAS)
    # Processes know of a quota within a second, and what was saved may be saved again.
    found: list[httpx.Response] = []

    def refused() -> bool:
        found.append(browser.post(f"{own}/edit", data={**form, "input": '{"asin": "A9"}'}))
        return found[-1].status_code == 429

    wait_for(refused)
    assert "The edit was saved, but the item was not run again" in unescape(found[-1].text)
    assert "A9" in found[-1].text
    assert api.get(f"/v1/batches/{batch}/items/0").json()["input"] == {"asin": "A9"}


def test_some_are_canceled_and_run_again(
    stack: Stack, api: httpx.Client, browser: httpx.Client
) -> None:
    batch = submitted(api, [GOOD, GOOD, GOOD], start="manual")
    act = f"/console/batches/{batch}/items/act"
    form = fields_of(browser.get(f"/console/batches/{batch}/items").text, act)
    token = {"csrf": form["csrf"]}
    chosen = {**token, "action": "cancel", "index": ["0", "2"]}
    assert browser.post(act, data=chosen).status_code == 200
    found = api.get(f"/v1/batches/{batch}/items?status=CANCELED").json()["data"]
    assert [each["index"] for each in found] == [0, 2]
    assert browser.post(act, data={**chosen, "index": ["x", "-1"]}).status_code == 422
    assert browser.post(act, data={**chosen, "csrf": "x"}).status_code == 403
    api.post(f"/v1/batches/{batch}/cancel").raise_for_status()
    again = browser.post(f"/console/batches/{batch}/items/0/retry", data=token)
    assert again.status_code == 200
    assert stack.finished(api, batch)["summary"]["completed"] == 1


def test_they_are_taken_away_as_files(api: httpx.Client, browser: httpx.Client) -> None:
    batch = submitted(api, [GOOD, {**GOOD, "asin": "=1+1"}], start="manual")
    for wanted, lines in (("ndjson", 2), ("csv", 3), ("resubmit", 2)):
        answer = browser.get(f"/console/batches/{batch}/download", params={"format": wanted})
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert len(answer.text.splitlines()) == lines
    none = browser.get(f"/console/batches/{batch}/download?format=html")
    assert none.status_code == 404


def test_a_long_word_and_odd_addresses(api: httpx.Client, browser: httpx.Client) -> None:
    batch = submitted(api, [{"asin": "x" * 200_000, "countryCode": "\u202eUS"}], start="manual")
    own = f"/console/batches/{batch}/items"
    assert "\u202e" not in browser.get(f"{own}/0").text
    assert browser.get(f"{own}/0").status_code == 200
    for odd in ("1", "99999999999999999999", "-1", "x"):
        assert browser.get(f"{own}/{odd}").status_code == 404
    for query in ("status=odd", "failure=%00", "key=%00", "after=x", "after=99999999999999999999"):
        assert browser.get(f"{own}?{query}").status_code == 200

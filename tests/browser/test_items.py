"""Items in a real browser: a failure is opened, mended and tried again."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.browser.conftest import Watched
from tests.browser.test_console import sign_in, submitted
from tests.support.stack import Stack

pytestmark = pytest.mark.long

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 1}
BAD = {"asin": "A2", "countryCode": "usa", "percACoS": 1}
# What may be read without more scopes.
PAGES = (
    "/console",
    "/console/batches",
    "/console/batches?status=SUCCESS",
    "/console/batches/{id}",
    "/console/batches/{id}/items",
    "/console/batches/{id}/items/1",
    "/console/operations",
    "/console/workers",
    "/console/activity",
)


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


def test_a_refused_edit_stays_until_it_is_right(
    watched: Watched, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    batch = submitted(http, "catalog.masterlist", [GOOD, BAD])
    stack.finished(http, batch)
    sign_in(page, client.secret, f"/console/batches/{batch}")
    page.get_by_role("table").get_by_role("link", name="countryCode").click()
    page.get_by_role("link", name="1", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Item 1")
    field = page.get_by_role("textbox", name="Input")
    field.fill('{"asin": ')
    page.get_by_role("button", name="Edit and retry").click()
    expect(page.get_by_role("alert")).to_be_visible()
    # The page asks again and is given what moves; neither the text nor the reason goes with that.
    for _ in range(2):
        with page.expect_response(lambda found: "/live" in found.url):
            pass
    expect(page.get_by_role("alert")).to_be_visible()
    expect(field).to_have_value('{"asin": ')
    field.fill('{"asin": "A2", "countryCode": "US", "percACoS": 1}')
    page.get_by_role("button", name="Edit and retry").click()
    expect(page.locator(".title .status")).to_contain_text("SUCCESS")
    expect(page.get_by_role("alert")).to_have_count(0)
    # The browser itself tells of answers that are no success.
    assert [each for each in watched.errors if "400" not in each] == []


def test_a_key_that_only_reads_is_offered_nothing_else(
    watched: Watched, stack: Stack, engine: Engine, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    batch = submitted(http, "catalog.masterlist", [GOOD, BAD], name="to be read")
    stack.finished(http, batch)
    http.post("/v1/webhooks", json={"url": "https://localhost:9/"}).raise_for_status()
    reader = create_key(engine, client.client_id, scopes=["batches.read"])
    sign_in(page, reader.secret, "/console/batches")
    for path in PAGES:
        page.goto(path.format(id=batch))
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        expect(page.get_by_role("checkbox")).to_have_count(0)
        # Those of the head, and of filters; a download is a link.
        left = {each.text_content() or "" for each in page.get_by_role("button").all()}
        assert left <= {"Sign out", "Filter"}, (path, left)
        for hidden in ("Submit", "Webhooks"):
            expect(page.get_by_role("link", name=hidden, exact=True)).to_have_count(0)
    page.goto(f"/console/batches/{batch}/items/1")
    expect(page.get_by_role("textbox", name="Input")).to_have_count(0)
    expect(page.get_by_text('"usa"').first).to_be_visible()
    assert watched.errors == []
    # By an address that it was given it may not either.
    found = page.goto(f"/console/batches/{batch}/delete")
    assert found is not None
    assert found.status == 403
    expect(page.get_by_role("alert")).to_contain_text("batches.write")


def test_it_is_held_and_run_again_by_buttons(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    batch = submitted(http, "demo.sleep", [{"seconds": 1}] * 3000, name="by buttons")
    sign_in(page, client.secret, f"/console/batches/{batch}")
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".title .status")).to_contain_text("PAUSED")
    page.get_by_role("button", name="Resume").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    page.get_by_role("button", name="Cancel batch").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its 3,000 items will be removed")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.locator(".title .status")).to_contain_text("OPEN")
    expect(page.get_by_role("progressbar", name="Progress")).to_have_attribute("aria-valuemax", "0")
    assert watched.errors == []


def test_what_failed_is_run_again_and_what_waits_is_rejected(
    watched: Watched, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    failing = submitted(http, "test.probe", [{"do": "reject", "key": "a"}, {"key": "b"}])
    stack.finished(http, failing)
    sign_in(page, client.secret, f"/console/batches/{failing}")
    page.get_by_role("button", name="Retry failed").click()
    expect(page.get_by_role("row", name="batch.retry")).to_be_visible()
    awaiting = submitted(http, "catalog.masterlist", [GOOD] * 3, approval=True)
    page.goto(f"/console/batches/{awaiting}")
    page.get_by_role("button", name="Reject").click()
    expect(page.get_by_role("dialog")).to_contain_text("It has 3 items: none of them will run")
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.locator(".title .status")).to_contain_text("CANCELED")
    assert http.get(f"/v1/batches/{awaiting}").json()["stopReason"] == "rejected"
    assert watched.errors == []

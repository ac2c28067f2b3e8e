"""The console in a real browser: signed in to, watched, and used to act."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from tests.browser.conftest import Watched
from tests.browser.looks import violations
from tests.support.stack import Stack

pytestmark = pytest.mark.long


PAGES = (
    "/console",
    "/console/batches",
    "/console/batches?status=SUCCESS",
    "/console/batches/{id}",
    "/console/batches/{id}/items",
    "/console/batches/{id}/items/1",
    "/console/submit?operation=catalog.masterlist",
    "/console/operations",
    "/console/workers",
    "/console/webhooks",
    "/console/activity",
)


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


def sign_in(page: Page, secret: str, path: str = "/console") -> None:
    page.goto(path)
    page.get_by_label("Secret").fill(secret)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("button", name="Sign out")).to_be_visible()


def submitted(http: httpx.Client, operation: str, items: list[Any], **fields: Any) -> str:
    body = {"operation": operation, "items": items, **fields}
    return str(http.post("/v1/batches", json=body).raise_for_status().json()["id"])


def test_a_batch_is_watched_and_canceled(
    watched: Watched, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    items = [{"asin": f"A{n}", "countryCode": "US", "percACoS": 1} for n in range(3)]
    batch = submitted(http, "catalog.masterlist", items, start="manual", name="by hand")
    sign_in(page, client.secret, f"/console/batches/{batch}")
    expect(page).to_have_url(f"{stack.url}/console/batches/{batch}")
    expect(page.get_by_role("heading", level=1)).to_have_text("by hand")
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_attribute("aria-valuenow", "0")

    # More of it comes by somebody else; the page is told, and not loaded anew.
    page.evaluate("window.same = true")
    http.post(f"/v1/batches/{batch}/items", json=items).raise_for_status()
    expect(bar).to_have_attribute("aria-valuemax", "6")
    assert page.evaluate("window.same")

    cancel = page.get_by_role("button", name="Cancel batch")
    cancel.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("6 of its 6 items")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cancel).to_be_focused()

    page.get_by_role("button", name="Start").click()
    expect(bar).to_have_attribute("aria-valuenow", "6")
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Batches")
    assert http.get(f"/v1/batches/{batch}").status_code == 404

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Secret")).to_be_visible()
    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}


def test_a_dialog_stays_open_while_the_page_goes_on(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    item = {"asin": "A1", "countryCode": "US", "percACoS": 1}
    batch = submitted(http, "catalog.masterlist", [item], start="manual")
    sign_in(page, client.secret, f"/console/batches/{batch}")
    page.get_by_role("button", name="Cancel batch").click()
    http.post(f"/v1/batches/{batch}/items", json=[item]).raise_for_status()
    bar = page.locator("[role=progressbar]").first
    expect(bar).to_have_attribute("aria-valuemax", "2")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.get_by_role("dialog").get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    assert watched.errors == []


def test_rows_that_are_ticked_stay_so_and_are_canceled(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    item = {"asin": "A1", "countryCode": "US", "percACoS": 1}
    first = submitted(http, "catalog.masterlist", [item], start="manual", name="first")
    sign_in(page, client.secret, "/console/batches")
    page.get_by_role("checkbox", name="Choose first").check()
    submitted(http, "catalog.masterlist", [item], start="manual", name="second")
    expect(page.get_by_role("link", name="second")).to_be_visible()
    expect(page.get_by_role("checkbox", name="Choose first")).to_be_checked()
    several = page.get_by_role("button", name="Cancel chosen")
    several.click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Cancel 1 batch?")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(several).to_be_focused()
    page.get_by_role("checkbox", name="Choose second").check()
    several.click()
    expect(dialog).to_contain_text("Cancel 2 batches?")
    page.keyboard.press("Escape")
    page.get_by_role("checkbox", name="Choose second").uncheck()
    several.click()
    dialog.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status").first).to_contain_text("canceled")
    assert http.get(f"/v1/batches/{first}").json()["status"] == "CANCELED"
    assert watched.errors == []


def test_an_admin_sees_a_client_s_and_switches_a_breaker(
    watched: Watched, engine: Engine, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    submitted(http, "demo.sleep", [], start="manual", name="a client's own")
    boss = create_client(engine, "the boss", ["admin"])
    sign_in(page, boss.secret, "/console/batches")
    page.get_by_label("Client", exact=True).select_option(str(client.client_id))
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_role("link", name="a client's own", exact=True)).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    page.goto("/console/operations")
    page.get_by_role("button", name="Open test.chain").click()
    try:
        expect(page.get_by_role("button", name="Close test.chain")).to_be_visible()
        page.goto("/console")
        expect(page.get_by_role("status").first).to_contain_text("held by a breaker: test.chain")
    finally:
        page.goto("/console/operations")
        page.get_by_role("button", name="Close test.chain").click()
    expect(page.get_by_role("button", name="Open test.chain")).to_be_visible()
    assert watched.errors == []


def test_a_webhook_is_tried_and_a_delivery_sent_again(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    # Nobody listens there, and nobody may be sent anything there.
    hook = http.post("/v1/webhooks", json={"url": "https://localhost:9/"}).raise_for_status()
    sign_in(page, client.secret, f"/console/webhooks/{hook.json()['id']}")
    page.get_by_role("button", name="Test").click()
    row = page.get_by_role("row", name="webhook.test")
    # What comes of it is seen without loading anew; it is tried again by itself too.
    tries = row.get_by_role("cell").nth(4)
    expect(tries).to_have_text(re.compile("^[1-9]"))
    row.get_by_role("button", name="Resend").click()
    expect(page.get_by_role("status").first).to_contain_text("sent again")
    expect(tries).to_have_text(re.compile("^[2-9]"))
    page.get_by_role("button", name="Rotate").click()
    expect(page.get_by_role("status").first).to_contain_text("whsec_")
    # Loaded anew, it makes no other secret.
    page.reload()
    expect(page.get_by_role("button", name="Rotate")).to_be_visible()
    expect(page.get_by_text("whsec_")).to_have_count(0)
    expect(page).to_have_url(re.compile(f"/console/webhooks/{hook.json()['id']}$"))
    assert watched.errors == []


def test_who_may_approve_is_offered_it(
    watched: Watched, engine: Engine, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    item = {"asin": "A1", "countryCode": "US", "percACoS": 1}
    batch = submitted(http, "catalog.masterlist", [item], approval=True)
    sign_in(page, client.secret, f"/console/batches/{batch}")
    expect(page.get_by_role("button", name="Reject")).to_be_visible()
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)
    page.get_by_role("button", name="Sign out").click()
    other = create_key(engine, client.client_id)
    sign_in(page, other.secret, f"/console/batches/{batch}")
    page.get_by_role("button", name="Approve").click()
    expect(page.get_by_role("progressbar", name="Progress")).to_have_attribute("aria-valuenow", "1")
    assert watched.errors == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_in_anybody_s_way(
    chromium: Browser, stack: Stack, client: ClientSecret, http: httpx.Client, scheme: Any
) -> None:
    """What axe-core finds by itself, on every page, in both colour schemes."""
    items = [{"asin": "A1", "countryCode": "US", "percACoS": 1}, {"asin": "", "countryCode": "x"}]
    batch = submitted(http, "catalog.masterlist", items, name="some of it", metadata={"a": 1})
    stack.finished(http, batch)
    context = chromium.new_context(base_url=stack.url, color_scheme=scheme)
    page = context.new_page()
    page.goto("/console")
    found = {"sign in": violations(page)}
    sign_in(page, client.secret)
    for path in PAGES:
        page.goto(path.format(id=batch))
        found[path] = violations(page)
    page.goto(f"/console/batches/{batch}")
    page.get_by_role("button", name="Delete").click()
    found["dialog"] = violations(page)
    page.keyboard.press("Escape")
    page.wait_for_load_state()
    page.keyboard.press("/")
    expect(page.get_by_role("option").first).to_be_visible()
    found["palette"] = violations(page)
    page.goto("/console/batches")
    page.get_by_role("checkbox", name="Choose some of it").check()
    page.get_by_role("button", name="Delete chosen").click()
    found["several"] = violations(page)
    hook = http.post("/v1/webhooks", json={"url": "https://localhost:9/"}).json()["id"]
    page.goto(f"/console/webhooks/{hook}")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("button", name="Resend")).to_be_visible()
    found["webhook"] = violations(page)
    context.close()
    assert {where: each for where, each in found.items() if each} == {}


def test_without_scripts(
    chromium: Browser, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    item = {"asin": "A1", "countryCode": "US", "percACoS": 1}
    batch = submitted(http, "catalog.masterlist", [item], start="manual")
    context = chromium.new_context(base_url=stack.url, java_script_enabled=False)
    page = context.new_page()
    sign_in(page, client.secret, f"/console/batches/{batch}")
    page.get_by_role("button", name="Cancel batch").click()
    expect(page.get_by_role("main")).to_contain_text("1 of its 1 item")
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    context.close()


def test_a_page_that_gets_no_answers_says_so(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    batch = submitted(http, "demo.sleep", [{"seconds": 0}], start="manual")
    sign_in(page, client.secret, f"/console/batches/{batch}")
    told = page.locator("#stale")
    expect(told).to_be_hidden()
    page.route("**/live*", lambda route: route.abort())
    expect(told).to_contain_text("Not up to date since")
    expect(told).to_contain_text("the server does not answer")
    page.unroute("**/live*")
    page.route("**/live*", lambda route: route.fulfill(status=429, body="slower"))
    expect(told).to_contain_text("your key has asked too often")
    page.unroute("**/live*")
    expect(told).to_be_hidden()


def test_a_table_keeps_its_header(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    items = [{"asin": f"A{n}", "countryCode": "US", "percACoS": 1} for n in range(50)]
    batch = submitted(http, "catalog.masterlist", items, start="manual")
    page.set_viewport_size({"width": 1200, "height": 700})
    sign_in(page, client.secret, f"/console/batches/{batch}/items")
    page.get_by_role("link", name="49", exact=True).scroll_into_view_if_needed()
    page.mouse.move(600, 400)
    page.mouse.wheel(0, 5000)
    expect(page.get_by_role("link", name="49", exact=True)).to_be_in_viewport()
    # In sight, and not below the head of the page.
    seen = page.get_by_role("columnheader", name="Message").evaluate(
        "e => { const at = e.getBoundingClientRect();"
        " return document.elementFromPoint(at.x + 9, at.y + at.height / 2) === e; }"
    )
    assert seen

"""The console by keyboard alone: each page, a search, an action, and a failure that is mended."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from app.clients.credentials import ClientSecret
from tests.browser.conftest import Watched
from tests.browser.test_console import sign_in, submitted
from tests.support.stack import Stack

pytestmark = pytest.mark.long

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 1}
BAD = {"asin": "A2", "countryCode": "usa", "percACoS": 1}
# What has the focus: what it is called, and whether that is seen.
_FOCUSED = """() => {
  const e = document.activeElement;
  const label = e.getAttribute("aria-label") || e.labels?.[0]?.textContent || e.textContent;
  return [label.trim(), getComputedStyle(e).outlineStyle !== "none"];
}"""


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


def tab_to(page: Page, name: str) -> None:
    """By the tabulator alone, to whatever is called so; it is seen that it has the focus."""
    for _ in range(200):
        page.keyboard.press("Tab")
        found, seen = page.evaluate(_FOCUSED)
        if found == name:
            assert seen, name
            return
    raise AssertionError(f"no {name!r} on {page.url}")


def test_the_palette_is_used_by_keyboard_alone(
    watched: Watched, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    ids = {
        name: submitted(
            http, "demo.sleep", [], start="manual", name=name, metadata={"by": f"{name}-x"}
        )
        for name in ("first", "second", "second too")
    }
    sign_in(page, client.secret, "/console/workers")
    page.wait_for_load_state()
    page.keyboard.press("/")
    field = page.get_by_role("combobox", name="Find a batch")
    expect(field).to_be_focused()
    page.keyboard.type("second")
    options = page.get_by_role("dialog").get_by_role("option")
    # The two, and the list of all that are like that.
    expect(options).to_have_count(3)
    expect(options.nth(0)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    expect(options.nth(1)).to_have_attribute("aria-selected", "true")
    expect(field).to_have_attribute("aria-activedescendant", "found-2")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    expect(options.nth(2)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # Who is quicker than the answer gets there too.
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("first-x")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stack.url}/console/batches/{ids['first']}")
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type(ids["second"])
    expect(options.nth(0)).to_contain_text("second")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stack.url}/console/batches/{ids['second']}")
    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}


def test_every_page_and_an_action_by_keyboard_alone(
    watched: Watched, client: ClientSecret, http: httpx.Client
) -> None:
    page = watched.page
    batch = submitted(http, "demo.sleep", [{"seconds": 0}], start="manual", name="by keys")
    page.goto("/console")
    page.keyboard.type(client.secret)
    page.keyboard.press("Enter")
    for name in ("Overview", "Operations", "Workers", "Webhooks", "Activity", "Batches"):
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        tab_to(page, name)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text(name)
    tab_to(page, "by keys")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("by keys")
    tab_to(page, "Cancel batch")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_contain_text("1 of its 1 item")
    tab_to(page, "Confirm")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Reset")).to_be_visible()
    assert http.get(f"/v1/batches/{batch}").json()["status"] == "CANCELED"
    assert watched.errors == []


def test_a_failure_is_found_mended_and_tried_again(
    watched: Watched, stack: Stack, client: ClientSecret, http: httpx.Client
) -> None:
    """From signing in to signing out; what is tried again loses nothing, so that nothing asks."""
    page = watched.page
    batch = submitted(http, "catalog.masterlist", [GOOD, BAD], name="to be mended")
    stack.finished(http, batch)
    page.goto("/console")
    page.keyboard.type(client.secret)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.wait_for_load_state()
    page.keyboard.press("/")
    page.keyboard.type("to be mended")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{stack.url}/console/batches/{batch}")
    failure = page.get_by_role("table").get_by_role("link", name="countryCode")
    tab_to(page, failure.text_content() or "")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Items")
    tab_to(page, "1")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Item 1")
    tab_to(page, "Input")
    page.keyboard.press("ControlOrMeta+a")
    page.keyboard.type('{"asin": "A2", "countryCode": "US", "percACoS": 1}')
    tab_to(page, "Edit and retry")
    page.keyboard.press("Enter")
    expect(page.locator(".title .status")).to_contain_text("SUCCESS")
    tab_to(page, "Sign out")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Secret")).to_be_focused()
    assert http.get(f"/v1/batches/{batch}").json()["summary"]["completed"] == 2
    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}

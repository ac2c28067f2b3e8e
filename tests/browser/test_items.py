"""Items in a real browser: a failure is opened, mended and tried again."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import expect

from app.clients.credentials import ClientSecret
from tests.browser.conftest import Watched
from tests.browser.test_console import sign_in, submitted
from tests.support.stack import Stack

pytestmark = pytest.mark.long

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 1}
BAD = {"asin": "A2", "countryCode": "usa", "percACoS": 1}


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

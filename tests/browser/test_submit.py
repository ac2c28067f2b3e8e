"""A file with mistakes, submitted through the form by a person with a browser."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from app.clients.credentials import ClientSecret
from tests.browser.conftest import Watched
from tests.browser.looks import violations
from tests.browser.test_console import sign_in
from tests.support.stack import Stack

pytestmark = pytest.mark.long

HEADER = "asin,countryCode,percACoS\n"
MISTAKES = HEADER + "A1,US,2.7\nA2,usa,2.7\nA3,US,lots\nA4,d,1\nA5,DE,3\n"


def chosen(page: Page, text: str, name: str = "feed.csv") -> None:
    file: Any = {"name": name, "mimeType": "text/csv", "buffer": text.encode()}
    page.get_by_label("File").set_input_files(file)


def test_a_file_with_mistakes(watched: Watched, stack: Stack, client: ClientSecret) -> None:
    page = watched.page
    sign_in(page, client.secret)
    page.get_by_role("link", name="Submit", exact=True).click()
    page.get_by_label("Operation").select_option("catalog.masterlist")
    expect(page.get_by_role("cell", name="as ^[A-Z]{2}$")).to_be_visible()
    page.get_by_label("Name").fill("from the form")
    chosen(page, MISTAKES)
    page.get_by_role("button", name="Check").click()
    # The check goes on while the page is looked at.
    expect(page.get_by_text("3 of 5 would be refused; 2 would be taken.")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="countryCode: Must be two capital letters.")
    expect(row).to_contain_text("lines 3 and 5")
    row = page.get_by_role("row").filter(has_text="percACoS: Must be a number.")
    expect(row).to_contain_text("line 4")
    expect(page.get_by_label("Name")).to_have_value("from the form")
    page.get_by_role("button", name="Submit").click()
    expect(page).to_have_url(re.compile(r"/console/batches/[0-9a-f-]{36}$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("from the form")
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_attribute("aria-valuenow", "5")
    expect(page.locator(".title .status")).to_contain_text("PARTIAL")
    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}


def test_the_bar_moves_without_reloading(
    watched: Watched, client: ClientSecret, stack: Stack
) -> None:
    page = watched.page
    sign_in(page, client.secret, "/console/submit?operation=demo.sleep")
    page.get_by_label("Items").fill("\n".join(['{"seconds": 0.5}'] * 20))
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Submit").click()
    bar = page.get_by_role("progressbar", name="Progress")
    expect(bar).to_have_attribute("aria-valuemax", "20")
    page.evaluate("window.same = true")
    expect(bar).not_to_have_attribute("aria-valuenow", "0")
    expect(bar).to_have_attribute("aria-valuenow", "20")
    assert page.evaluate("window.same")
    assert watched.errors == []


def test_by_keyboard_and_without_scripts(
    chromium: Browser, stack: Stack, client: ClientSecret
) -> None:
    context = chromium.new_context(
        base_url=stack.url, java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page = context.new_page()
    sign_in(page, client.secret, "/console/submit?operation=catalog.masterlist")
    page.get_by_label("Items").fill(HEADER + "A1,US,")
    page.get_by_label("Items").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Check")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"\?line=2$"))
    expect(page.get_by_role("heading", level=1)).to_have_text("Check")
    page.get_by_role("button", name="Submit").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/console/batches/"))
    context.close()


def test_what_is_refused_is_told_and_kept(watched: Watched, client: ClientSecret) -> None:
    page = watched.page
    sign_in(page, client.secret, "/console/submit?operation=catalog.masterlist")
    page.get_by_text("Guards and metadata").click()
    page.get_by_label("Metadata").fill("no json")
    chosen(page, MISTAKES)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert")).to_contain_text("Metadata: Must be a JSON object.")
    expect(page.get_by_label("Metadata")).to_have_value("no json")
    expect(page.get_by_label("Operation")).to_have_value("catalog.masterlist")
    page.get_by_label("Metadata").fill('{"run": 77}')
    chosen(page, MISTAKES)
    page.get_by_role("button", name="Check").click()
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_text('"run": 77')).to_be_visible()
    page.go_back()
    expect(page.get_by_text("They have been submitted")).to_be_visible()
    # The browser itself tells of answers that are no success.
    assert [each for each in watched.errors if "422" not in each] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_in_anybody_s_way(
    chromium: Browser, stack: Stack, client: ClientSecret, scheme: Any
) -> None:
    context = chromium.new_context(base_url=stack.url, color_scheme=scheme)
    page = context.new_page()
    sign_in(page, client.secret, "/console/submit?operation=catalog.masterlist")
    page.get_by_text("Guards and metadata").click()
    found = {"form": violations(page)}
    page.get_by_label("Stop after more failures than").fill("few")
    chosen(page, MISTAKES)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_role("alert")).to_be_visible()
    found["refused"] = violations(page)
    page.get_by_label("Stop after more failures than").fill("7")
    chosen(page, MISTAKES)
    page.get_by_role("button", name="Check").click()
    expect(page.get_by_text("would be refused")).to_be_visible()
    found["check"] = violations(page)
    context.close()
    assert {where: each for where, each in found.items() if each} == {}

"""`/docs`: a person without a program tries the API out, by what the page offers as it stands."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from app.clients.credentials import ClientSecret
from tests.browser.conftest import Watched
from tests.support.stack import Stack

pytestmark = pytest.mark.long


def signed_in(page: Page, secret: str) -> None:
    """Give the page the secret, as its button "Authorize" asks for it."""
    page.goto("/docs")
    page.get_by_role("button", name="Authorize").first.click()
    scheme = page.locator(".auth-container form", has_text="bearer (http, Bearer)")
    scheme.locator("input").fill(secret)
    scheme.get_by_role("button", name="Apply credentials").click()
    page.get_by_role("button", name="Close").first.click()


def opened(page: Page, tag: str, operation: str) -> Locator:
    """The operation, open, after "Try it out"."""
    block = page.locator(f"#operations-{tag}-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def executed(block: Locator) -> tuple[int, Any]:
    """What "Execute" is answered with, as the page shows it."""
    block.get_by_role("button", name="Execute").click()
    answer = block.locator(".live-responses-table .response")
    status = answer.locator(".response-col_status").inner_text().split()[0]
    return int(status), json.loads(answer.locator(".highlight-code code").first.inner_text())


def test_submitting_and_three_others(watched: Watched, stack: Stack, client: ClientSecret) -> None:
    page = watched.page
    signed_in(page, client.secret)
    # What the page fills in by itself is sent; nothing is typed.
    status, made = executed(opened(page, "batches", "submitBatch"))
    assert status == 202
    status, listed = executed(opened(page, "batches", "listBatches"))
    assert (status, [each["id"] for each in listed["data"]]) == (200, [made["id"]])
    status, mine = executed(opened(page, "me", "getMe"))
    assert (status, mine["clientId"]) == (200, str(client.client_id))
    block = opened(page, "batches", "getBatch")
    block.locator('[data-param-name="batch_id"] input').fill(made["id"])
    status, seen = executed(block)
    assert (status, seen["id"]) == (200, made["id"])

    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}


def test_the_policy_is_in_force(watched: Watched) -> None:
    """The browser runs no script that stands in the page, and fetches none of another host."""
    page = watched.page
    page.goto("/docs")
    expect(page.locator(".opblock").first).to_be_visible()
    assert watched.errors == []
    page.evaluate(
        """() => {
          const inside = document.createElement("script");
          inside.textContent = "window.inside = true";
          const outside = document.createElement("script");
          outside.src = "http://127.0.0.1:9/outside.js";
          document.body.append(inside, outside);
        }"""
    )
    page.wait_for_function("() => true")
    assert page.evaluate("() => window.inside") is None
    assert sum("Content Security Policy" in said for said in watched.errors) == 2

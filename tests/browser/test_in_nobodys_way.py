"""What axe-core finds by itself: nothing, on whatever the console shows, in both colour schemes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from sqlalchemy import Engine

from app.clients.checks import SCOPES
from app.clients.credentials import ClientSecret, create_client
from app.clients.keys import create_key
from app.clients.quotas import NO_QUOTAS, set_quotas
from tests.browser.conftest import watching
from tests.browser.looks import violations
from tests.browser.pages import filled, pages
from tests.browser.test_console import sign_in
from tests.support.stack import Stack

pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(600),
    pytest.mark.parametrize("scheme", ["light", "dark"]),
]
EMPTY = (
    "/console",
    "/console/batches",
    "/console/batches?status=FAILED&text=nothing",
    "/console/submit",
    "/console/operations",
    "/console/workers",
    "/console/webhooks",
    "/console/activity",
    "/console/activity?action=batch.delete",
)


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


def looked_at(page: Page, path: str, status: int = 200) -> list[str]:
    answer = page.goto(path)
    assert answer is not None
    assert answer.status == status, (path, answer.status)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    return violations(page)


def nothing_in(found: dict[str, list[str]]) -> None:
    assert {where: each for where, each in found.items() if each} == {}


def test_on_every_page(
    chromium: Browser,
    stack: Stack,
    engine: Engine,
    client: ClientSecret,
    http: httpx.Client,
    scheme: Any,
) -> None:
    """With a key that may do everything, so that all is there that can be."""
    ids = filled(stack, http)
    secret = create_key(engine, client.client_id, scopes=SCOPES).secret
    with watching(chromium, stack, color_scheme=scheme) as watched:
        sign_in(watched.page, secret)
        every = pages(stack, secret, ids)
        assert len(every) > 15
        nothing_in({path: looked_at(watched.page, path) for path in every})
        assert watched.errors == []


def test_where_there_is_nothing_yet(
    chromium: Browser, stack: Stack, engine: Engine, scheme: Any
) -> None:
    new = create_client(engine, f"new here {uuid4()}")
    with watching(chromium, stack, color_scheme=scheme) as watched:
        sign_in(watched.page, new.secret)
        nothing_in({path: looked_at(watched.page, path) for path in EMPTY})
        assert watched.errors == []


def test_where_something_is_refused(
    chromium: Browser,
    stack: Stack,
    engine: Engine,
    client: ClientSecret,
    http: httpx.Client,
    scheme: Any,
) -> None:
    """The browser itself tells of answers that are no success, so its words are not looked at."""
    ids, found = filled(stack, http), dict[str, list[str]]()
    reader = create_key(engine, client.client_id, scopes=["batches.read"])
    hasty = create_client(engine, f"hasty {uuid4()}")
    set_quotas(engine, hasty.client_id, {"requestsPerSecond": 1}, NO_QUOTAS)
    with watching(chromium, stack, color_scheme=scheme) as watched:
        page = watched.page
        page.goto("/console")
        page.get_by_label("Secret").fill(f"bls_{uuid4().hex}")
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_be_visible()
        found["sign in, refused"] = violations(page)
        sign_in(page, client.secret)
        for path in ("/console/nothing", f"/console/batches/{uuid4()}"):
            found[path] = looked_at(page, path, 404)
        page.goto("/console/batches")
        page.get_by_role("checkbox").nth(1).check()
        page.get_by_role("button", name="Cancel chosen").click()
        page.get_by_role("button", name="Confirm").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("0 batches canceled")
        found["some of several refused"] = violations(page)
    with watching(chromium, stack, color_scheme=scheme) as watched:
        sign_in(watched.page, reader.secret)
        found["403"] = looked_at(watched.page, "/console/webhooks", 403)
        found["a batch, to read"] = looked_at(watched.page, f"/console/batches/{ids.batch_id}")
    with watching(chromium, stack, color_scheme=scheme) as watched:
        page = watched.page
        sign_in(page, hasty.secret)
        # The bucket holds two, and one comes in a second.
        for _ in range(20):
            answer = page.goto("/console/operations")
            if answer is not None and answer.status == 429:
                break
        expect(page.get_by_role("main")).to_contain_text("requestsPerSecond")
        found["429"] = violations(page)
    nothing_in(found)

"""Every page of the console: for everybody to read, in any window, and with nothing of others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine

from app.clients.checks import SCOPES
from app.clients.credentials import ClientSecret
from app.clients.keys import create_key
from tests.browser.conftest import watching
from tests.browser.looks import (
    PHONE,
    WALL,
    cut_off,
    long_lines,
    too_wide,
)
from tests.browser.pages import filled, pages
from tests.browser.test_console import sign_in
from tests.support.stack import Stack

pytestmark = pytest.mark.long


@dataclass(slots=True)
class Found:
    """What is wrong, by where it is seen, so that one look tells of all."""

    wrong: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def note(self, where: str, **looks: list[str]) -> None:
        """What each look found there, if anything."""
        told = {name: each for name, each in looks.items() if each}
        if told:
            self.wrong.setdefault(where, {}).update(told)


@pytest.fixture
def http(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


@pytest.mark.parametrize(("scheme", "admin"), [("light", False), ("dark", True)])
def test_each_can_be_read_in_any_window_and_without_scripts(
    chromium: Browser,
    stack: Stack,
    engine: Engine,
    client: ClientSecret,
    http: httpx.Client,
    scheme: Any,
    admin: bool,
) -> None:
    """An admin's key is shown more: filters by client, switches of breakers."""
    ids = filled(stack, http)
    secret = create_key(engine, client.client_id, scopes=SCOPES).secret if admin else client.secret
    found = Found()
    with watching(
        chromium, stack, color_scheme=scheme, java_script_enabled=False, viewport=PHONE
    ) as watched:
        page = watched.page
        page.goto("/console")
        found.note("sign in", wide=too_wide(page))
        sign_in(page, secret)
        every = pages(stack, secret, ids)
        assert len(every) > 15
        for path in every:
            page.goto(path)
            expect(page.get_by_role("heading", level=1)).to_be_visible()
            title, text = page.locator("h1").inner_text(), page.get_by_role("main").inner_text()
            assert len(text) > len(title) + 20, (path, text)
            found.note(path, wide=too_wide(page), cut_off=cut_off(page))
        page.set_viewport_size(WALL)
        for path in every:
            page.goto(path)
            found.note(f"{path} on a wall", wide=too_wide(page), lines=long_lines(page))
        page.goto(f"/console/batches/{ids.batch_id}")
        expect(page.get_by_role("row").filter(has_text="countryCode")).to_be_visible()
        page.goto(f"/console/batches/{ids.batch_id}/items/1")
        expect(page.get_by_role("textbox", name="Input")).to_have_value(re.compile('"usa"'))
    assert found.wrong == {}
    assert watched.errors == []
    assert watched.hosts == {urlsplit(stack.url).netloc}


def test_each_is_led_to_without_scripts(
    chromium: Browser, stack: Stack, client: ClientSecret
) -> None:
    with watching(chromium, stack, java_script_enabled=False, viewport=PHONE) as watched:
        page = watched.page
        sign_in(page, client.secret)
        links = page.get_by_role("navigation", name="Console").get_by_role("link")
        names = links.all_text_contents()
        assert len(names) > 5
        for name in names:
            links.filter(has_text=name).click()
            expect(page.get_by_role("heading", level=1)).to_have_text(name)
        page.get_by_role("searchbox", name="Search batches").fill("none-is-called-so")
        page.keyboard.press("Enter")
        expect(page.get_by_role("main")).to_contain_text("No batch is like that")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Secret")).to_be_visible()
        assert watched.errors == []

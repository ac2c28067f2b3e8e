"""A page in a real browser, on the running system, that notes what it should not do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import browser
from tests.support.stack import Stack

# How long a click, or what it brings about, may take: only a page that hangs gets there.
_PATIENCE_MS = 30_000
expect.set_options(timeout=_PATIENCE_MS)


@dataclass
class Watched:
    """`page`, with what it said of errors, and which hosts it asked."""

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One for all tests of a module. Without a browser it fails, and says how to get one."""
    with browser() as started:
        yield started


@pytest.fixture
def watched(chromium: Browser, stack: Stack) -> Iterator[Watched]:
    """A page that has nothing of another's; addresses are those of the running system."""
    with watching(chromium, stack, viewport={"width": 1200, "height": 1600}) as found:
        yield found


@contextmanager
def watching(chromium: Browser, stack: Stack, **options: Any) -> Iterator[Watched]:
    """The same, in a window that is as `options` say: its size, its colours, its scripts."""
    context = chromium.new_context(base_url=stack.url, **options)
    context.set_default_timeout(_PATIENCE_MS)
    found = Watched(context.new_page())
    found.page.on("console", lambda said: _note(found, said.type, said.text))
    found.page.on("pageerror", lambda error: found.errors.append(str(error)))
    found.page.on("request", lambda asked: found.hosts.add(urlsplit(asked.url).netloc))
    try:
        yield found
    finally:
        context.close()


def _note(found: Watched, kind: str, text: str) -> None:
    if kind in ("error", "warning"):
        found.errors.append(text)

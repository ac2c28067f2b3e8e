"""Pictures of the console, of batches as they come: in light, in dark and on a phone.

They go into a folder of the test's, or where `SCREENSHOTS` says: `make screenshots`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import Engine, text

from app.clients.credentials import create_client
from tests.browser.test_console import sign_in, submitted
from tests.support.stack import Stack

pytestmark = pytest.mark.long

PAGES = {
    "overview": "/console",
    "batches": "/console/batches",
    "batch": "/console/batches/{id}",
    "items": "/console/batches/{id}/items?status=FAILED&status=INVALID",
    "item": "/console/batches/{id}/items/1",
    "submit": "/console/submit?operation=catalog.masterlist",
    "check": "/console/submit/{check}?line=2",
    "operations": "/console/operations",
    "workers": "/console/workers",
    "webhooks": "/console/webhooks",
    "activity": "/console/activity",
}
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 900}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 900}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go."""
    found = Path(os.environ.get("SCREENSHOTS") or tmp_path)
    found.mkdir(parents=True, exist_ok=True)
    return found


def fill(stack: Stack, http: httpx.Client) -> str:
    """Batches of several kinds; the id of one of which some failed."""
    good = [{"asin": f"B{n:09}", "countryCode": "US", "percACoS": 2.7} for n in range(1200)]
    bad = [{"asin": f"B{n:09}", "countryCode": "usa", "percACoS": 2.7} for n in range(18)]
    prices = [{"transactionId": f"t{n}", "playerUniqueId": f"p{n}", "amount": 5} for n in range(40)]
    stack.finished(http, submitted(http, "catalog.masterlist", good, name="catalog, whole"))
    stack.finished(http, submitted(http, "loyalty.redeem", prices, name="redeem points"))
    submitted(http, "catalog.masterlist", good[:40], name="to be approved", approval=True)
    submitted(http, "catalog.masterlist", good[:300], name="weekend prices", start="manual")
    sleeping = [{"seconds": 30}] * 400
    submitted(http, "demo.sleep", sleeping, name="load test")
    mixed = submitted(
        http,
        "catalog.masterlist",
        [good[0], *bad, *good[:500]],
        name="nightly feed",
        metadata={"run": 77, "source": "erp", "by": "scheduler"},
    )
    stack.finished(http, mixed)
    return mixed


def checked(stack: Stack, http: httpx.Client) -> str:
    """A check of a file with mistakes."""
    rows = [{"asin": f"B{n:09}", "countryCode": "US", "percACoS": 2.7} for n in range(240)]
    for at, row in ((17, {"countryCode": "usa"}), (90, {"countryCode": "d"}), (55, {"asin": ""})):
        rows[at].update(row)
    made = submitted(http, "catalog.masterlist", rows, name="autumn feed", dryRun=True)
    stack.finished(http, made)
    return made


def work_of_a_day(engine: Engine, client_id: UUID) -> None:
    """A history for the charts, which a test has no day to wait for."""
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                INSERT INTO item_history (minute, client_id, operation, completed, failed, invalid,
                                          whole)
                SELECT date_trunc('minute', now()) - make_interval(mins => m), :client_id, 'x',
                       CAST(900 + 500 * sin(m / 90.0) + (m * 7919) % 300 AS integer),
                       CASE WHEN m % 17 = 0 THEN 40 ELSE (m * 31) % 9 END, 0, true
                FROM generate_series(1, 1439) m
                """
            ),
            {"client_id": client_id},
        )


def test_every_page_in_every_look(
    chromium: Browser, stack: Stack, engine: Engine, folder: Path
) -> None:
    client = create_client(engine, "Corner shop")
    work_of_a_day(engine, client.client_id)
    with stack.http(client) as http:
        batch, check = fill(stack, http), checked(stack, http)
        running = http.get("/v1/batches", params={"operation": "demo.sleep"}).json()["data"][0]
        hook = http.post("/v1/webhooks", json={"url": "https://localhost:9/"}).json()["id"]
        for look, options in LOOKS.items():
            context = chromium.new_context(base_url=stack.url, **options)
            page = context.new_page()
            page.goto("/console")
            page.screenshot(path=folder / f"sign-in-{look}.png")
            sign_in(page, client.secret)
            for name, path in PAGES.items():
                page.goto(path.format(id=batch, check=check))
                expect(page.get_by_role("heading", level=1)).to_be_visible()
                # Nothing is wider than the window, but for what scrolls within itself.
                wide = page.evaluate(
                    "document.documentElement.scrollWidth - document.documentElement.clientWidth"
                )
                assert wide <= 0, (name, look)
                page.screenshot(path=folder / f"{name}-{look}.png", full_page=name != "operations")
            page.goto(f"/console/webhooks/{hook}")
            page.get_by_role("button", name="Test", exact=True).click()
            expect(page.get_by_role("button", name="Resend").first).to_be_visible()
            page.screenshot(path=folder / f"webhook-{look}.png")
            page.wait_for_load_state()
            page.keyboard.press("/")
            page.keyboard.type("feed")
            expect(page.get_by_role("option")).to_have_count(3)
            page.screenshot(path=folder / f"palette-{look}.png")
            page.goto(f"/console/batches/{running['id']}")
            page.get_by_role("button", name="Cancel batch").click()
            page.screenshot(path=folder / f"dialog-{look}.png")
            context.close()
        http.post(f"/v1/batches/{running['id']}/cancel")

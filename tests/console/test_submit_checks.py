"""A file with mistakes: checked by workers that run, and submitted through the server."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from app.clients.credentials import ClientSecret
from tests.console.conftest import fields_of
from tests.support.stack import Stack

PATH = "/console/submit"
HEADER = "asin,countryCode,percACoS\n"


@pytest.fixture
def api(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    with stack.http(client) as found:
        yield found


@pytest.fixture
def browser(stack: Stack, client: ClientSecret) -> Iterator[httpx.Client]:
    """Signed in, by the server that people use."""
    with httpx.Client(base_url=stack.url, timeout=60, follow_redirects=True) as found:
        form = fields_of(found.get("/console").text, "/console/sign-in")
        found.post("/console/sign-in", data={**form, "secret": client.secret}).raise_for_status()
        yield found


def sent(browser: httpx.Client, content: bytes, filename: str = "feed.csv") -> httpx.Response:
    form = fields_of(browser.get(PATH).text, PATH)
    fields = {"csrf": form["csrf"], "operation": "catalog.masterlist", "name": "from a file"}
    return browser.post(PATH, data=fields, files={"file": (filename, content)})


def typed(page: str, action: str) -> dict[str, str]:
    """What a browser sends of the form: of what is not ticked, nothing."""
    return {name: text for name, text in fields_of(page, action).items() if name != "approval"}


def rows(page: str) -> list[list[str]]:
    """What the table of failures says."""
    found = re.findall(r"<tr><td class=\"num\">.*?</tr>", page, re.DOTALL)
    cells = [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in found]
    return [[unescape(re.sub("<[^>]*>", "", cell)).strip() for cell in row] for row in cells]


def test_what_is_wrong_by_cause_and_line(
    stack: Stack, api: httpx.Client, browser: httpx.Client
) -> None:
    lines = ["A1,US,2.7", "A2,usa,2.7", "A3,US,lots", "A4,de,1", "A5,d,1", "A6,US,"]
    page = sent(browser, (HEADER + "\n".join(lines)).encode())
    check = str(page.url.path)
    stack.finished(api, check.rpartition("/")[2])
    page = browser.get(str(page.url))
    assert "5 of 6 would be refused; 1 would be taken." in page.text
    told = {row[2]: row[:2] for row in rows(page.text)}
    assert told["countryCode: Must be two capital letters."] == ["3", "lines 3 to 6"]
    assert told["percACoS: Must be a number."] == ["1", "line 4"]
    # Where a line is not an item's alone, it is items that are counted.
    broken = sent(browser, (HEADER + "\n" + "\n".join(lines)).encode())
    stack.finished(api, str(broken.url.path).rpartition("/")[2])
    told = {row[2]: row[:2] for row in rows(browser.get(str(broken.url)).text)}
    assert told["percACoS: Must be a number."] == ["1", "item 2"]
    # Nothing has taken effect; then it does, and the batch is what the check said.
    assert api.get("/v1/records/masterlist/A1:US").status_code == 404
    done = browser.post(check, data=typed(page.text, check))
    batch = str(done.url.path)
    assert batch.startswith("/console/batches/")
    ended = stack.finished(api, batch.rpartition("/")[2])
    assert (ended["status"], ended["name"]) == ("PARTIAL", "from a file")
    assert (ended["summary"]["completed"], ended["summary"]["invalid"]) == (1, 5)
    assert api.get("/v1/records/masterlist/A1:US").status_code == 200
    audit = api.get("/v1/audit?action=batch.submit").json()["data"]
    me = api.get("/v1/me").json()["keyId"]
    assert [each["keyId"] for each in audit] == [me] * 3


def test_a_large_file_goes_through_packed(
    stack: Stack, api: httpx.Client, browser: httpx.Client
) -> None:
    number = 12_000
    text = HEADER + "".join(f"A{n},US,{n % 50}\n" for n in range(number))
    page = sent(browser, gzip.compress(text.encode()), "feed.csv.gz")
    assert page.status_code == 200, page.text
    check = str(page.url.path)
    done = browser.post(check, data=typed(page.text, check))
    batch = str(done.url.path).rpartition("/")[2]
    ended = stack.finished(api, batch, within=120)
    assert (ended["status"], ended["summary"]["completed"]) == ("SUCCESS", number)
    shown = api.get(f"/v1/batches/{batch}/items?limit=1").json()["data"][0]
    assert shown["input"] == {"asin": "A0", "countryCode": "US", "percACoS": "0"}

"""Every page of the console, taken from its addresses, so that none that is added is forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import httpx
from flask import Flask

from app.console.pages import PAGES
from app.console.shell.page import make_blueprint
from tests.browser.test_console import submitted
from tests.console.conftest import fields_of
from tests.support.stack import Stack

# What else a page can look like: with a filter, with nothing that is like that.
MORE = (
    "/console/batches?status=PARTIAL&operation=catalog.masterlist",
    "/console/batches?text=none-is-called-so",
    "/console/batches/{batch_id}/items?status=INVALID&key=none-has-it",
    "/console/submit?operation=catalog.masterlist",
    "/console/activity?action=item.edit",
)
# What is nothing without a query.
NOT_BY_ITSELF = "/console/submit/template"
GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 1}
BAD = {"asin": "A2", "countryCode": "usa", "percACoS": "x" * 40}
LONG = "a name that is as long as somebody needs to tell what it is about and who wanted it " * 2


@dataclass(frozen=True, slots=True)
class Ids:
    """What stands for the variable parts of addresses, by the names that they have there."""

    batch_id: str
    check_id: str
    webhook_id: str
    index: int = 1
    action: str = "delete"


def filled(stack: Stack, http: httpx.Client) -> Ids:
    """A batch of which some failed, a check of the same, and a webhook that was told of both."""
    hook = http.post("/v1/webhooks", json={"url": "https://localhost:9/"}).raise_for_status()
    fields = {"name": LONG.strip(), "metadata": {"run": 77, "by": "x" * 90}}
    batch = submitted(http, "catalog.masterlist", [GOOD, BAD, GOOD], **fields)
    check = submitted(http, "catalog.masterlist", [GOOD, BAD], dryRun=True, name="to be checked")
    for each in (batch, check):
        stack.finished(http, each)
    return Ids(batch, check, hook.json()["id"])


def addresses(ids: Ids) -> Iterator[str]:
    """All that answer a GET. A KeyError names what is variable in one that was added."""
    flask = Flask(__name__)
    flask.register_blueprint(make_blueprint(PAGES))
    bound, values = flask.url_map.bind("localhost"), asdict(ids)
    for rule in flask.url_map.iter_rules():
        if rule.endpoint.startswith("console.") and "GET" in (rule.methods or ()):
            yield bound.build(rule.endpoint, {name: values[name] for name in rule.arguments})


def pages(stack: Stack, secret: str, ids: Ids) -> list[str]:
    """Those of them that are pages: no parts of one, no files, nothing that leads elsewhere.

    `secret`: of the key that looks at them; it may see them all.
    """
    found = []
    with httpx.Client(base_url=stack.url, timeout=30) as browser:
        form = fields_of(browser.get("/console").text, "/console/sign-in")
        browser.post("/console/sign-in", data={**form, "secret": secret})
        for path in addresses(ids):
            answer = browser.get(path)
            is_there = answer.status_code in (200, 303)
            assert is_there or path == NOT_BY_ITSELF, (path, answer.text)
            if answer.status_code == 200 and answer.text.startswith("<!doctype html>"):
                found.append(path)
    return found + [each.format(**asdict(ids)) for each in MORE]

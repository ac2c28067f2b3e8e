"""`If-Match` and `Idempotency-Key`: honoured or refused on every path that changes something."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask

from app.clients.idempotency_keys import Claim
from app.core.errors import TooSlow
from app.server import connection, refusals, times
from app.web.problems import problem_types
from tests.api.conftest import ITEM, Caller

PAPER = Path(__file__).parents[2] / "docs" / "integrating.md"
KEY = {"Idempotency-Key": "k"}


def test_a_batch_is_changed_only_as_it_was_seen(api: Caller) -> None:
    path = f"/v1/batches/{api.opened([ITEM])}"
    seen = api.get(path).headers["ETag"]

    def change(name: str, condition: str) -> Any:
        return api.send("PATCH", path, json={"name": name}, headers={"If-Match": condition})

    first = change("one", seen)
    assert (first.status_code, first.json["name"]) == (200, "one")
    for condition in (seen, '"other"', f"W/{first.headers['ETag']}", "", '"'):
        refused = change("two", condition)
        assert refused.status_code == 412, condition
        assert refused.json["type"] == "urn:batchline:problem:precondition-failed"
    assert api.get(path).json["name"] == "one"
    assert change("two", f'"x", {first.headers["ETag"]}').status_code == 200
    assert change("three", "*").status_code == 200
    missing = f"/v1/batches/{uuid4()}"
    for method in ("PATCH", "DELETE"):
        answer = api.send(method, missing, json={"name": "x"}, headers={"If-Match": "*"})
        assert answer.status_code == 404


def test_a_batch_is_deleted_only_as_it_was_seen(api: Caller) -> None:
    path = f"/v1/batches/{api.opened([ITEM])}"
    open_ = api.get(path).headers["ETag"]
    assert api.post(f"{path}/cancel").status_code == 202
    assert api.send("DELETE", path, headers={"If-Match": open_}).status_code == 412
    ended = api.get(path).headers["ETag"]
    assert api.send("DELETE", path, headers={"If-Match": ended}).status_code == 204


def changing(app: Flask) -> list[tuple[str, str]]:
    """Every path that takes more than reading, with ids that do not exist."""
    found = []
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<uuid:[^>]+>", str(uuid4()), rule.rule)
        path = re.sub(r"<any\((\w+)[^>]*>", r"\1", path)
        path = re.sub(r"<[^>]+>", "7", path)
        methods = (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}
        found += [(method, path) for method in sorted(methods)]
    assert len(found) > 25
    return found


# What takes the key, by the end of the path.
TAKING = re.compile(
    r"/v1/batches|/v1/batches/[^/]+/items|/batch/\w+/\w+|/amazon/.*|/platform/data/batchJob/?"
    r"|/commerce/.*|/integrations/batch|/api/v4.1/job|/api/v4.1/job/7/batch"
)


def test_a_key_is_honoured_or_refused_everywhere(app: Flask, api: Caller) -> None:
    for method, path in changing(app):
        if path.startswith("/console"):
            continue
        answer = everything(api, method, path, KEY)
        if answer.status_code in (401, 403):
            continue  # with other credentials: tests/dialects, and the clients' own tests
        refused = answer.status_code == 400 and "Idempotency-Key is not taken" in answer.text
        assert refused == (not TAKING.fullmatch(path)), (method, path, answer.text)


def test_what_has_no_etag_fails_if_match(app: Flask, api: Caller) -> None:
    for method, path in changing(app):
        if (method in ("PATCH", "DELETE") and re.fullmatch(r"/v1/batches/[^/]+", path)) or (
            path.startswith("/console")
        ):
            continue
        answer = everything(api, method, path, {"If-Match": '"x"'})
        assert answer.status_code in (401, 403, 412), (method, path)
        star = everything(api, method, path, {"If-Match": "*"})
        assert star.status_code != 412, (method, path)


def test_an_action_is_not_done_whose_condition_cannot_be_looked_at(api: Caller) -> None:
    path = f"/v1/batches/{api.opened([ITEM])}"
    for condition in ('"x"', api.get(path).headers["ETag"]):
        for action, body in (("cancel", None), ("items", [ITEM])):
            refused = api.post(f"{path}/{action}", body, headers={"If-Match": condition})
            assert refused.status_code == 412
    batch = api.get(path).json
    assert (batch["status"], batch["summary"]["total"]) == ("OPEN", 1)
    assert api.post(f"{path}/cancel", headers={"If-Match": "*"}).status_code == 202


def everything(api: Caller, method: str, path: str, headers: dict[str, str]) -> Any:
    """Any request, by the native credentials; the shape of the answer does not matter."""
    given = {**api._headers, **headers}
    return api._client.open(path, method=method, headers=given, json={})


def test_keys_in_flight_and_used_ones_are_told_apart(app: Flask, api: Caller, engine: Any) -> None:
    body = {"operation": "catalog.masterlist", "start": "manual"}
    assert api.client is not None
    claim = Claim(engine, api.client.client_id, "busy")
    claim.take()
    busy = api.submit(body, headers={"Idempotency-Key": "busy"})
    assert (busy.status_code, busy.json["type"]) == (409, "urn:batchline:problem:key-in-flight")
    assert busy.headers["Retry-After"]
    claim.release()
    assert api.submit(body, headers=KEY).status_code == 202
    other = api.submit({**body, "name": "x"}, headers=KEY)
    assert (other.status_code, other.json["type"]) == (422, "urn:batchline:problem:key-reused")


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("GET", "/v1/nothing", "not-found"),
        ("PUT", "/v1/batches", "method-not-allowed"),
        ("GET", f"/v1/batches/{UUID(int=7)}", "not-found"),
        ("GET", "/v1/batches?limit=x", "invalid"),
        ("POST", "/v1/batches", "unsupported-type"),
    ],
)
def test_every_problem_has_its_type(api: Caller, method: str, path: str, kind: str) -> None:
    assert api.send(method, path).json["type"] == f"urn:batchline:problem:{kind}"


def test_what_is_refused_before_the_application_has_a_type_of_these() -> None:
    """By the server, which makes its answers itself."""
    types = {name for name, _, _ in problem_types()}
    told = [(status, name) for _, status, name in refusals._STATUSES]
    told += [refusals.of(ValueError("no head"))[:2]]
    told += [each[:2] for each in (times._HEAD_LATE, times._STOPPING, connection.BUSY)]
    statuses = {408: "timeout", 503: "busy"}
    for status, name in told:
        assert f"urn:batchline:problem:{name}" in types
        assert name in (statuses.get(status, "malformed"), "unavailable")
    assert TooSlow("late").status == times._HEAD_LATE[0]


def test_all_types_are_in_the_papers(api: Caller) -> None:
    described = api.get("/openapi.json").json["components"]["schemas"]["Problem"]
    rows = re.findall(r"^\| (\d+) \| `(urn:\S+)` \| (.+) \|$", PAPER.read_text(), re.MULTILINE)
    assert [(name, int(status), means) for status, name, means in rows] == problem_types()
    for name, status, means in problem_types():
        assert f"`{name}` ({status}): {means}." in described["properties"]["type"]["description"]

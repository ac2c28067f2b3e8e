"""Log lines bear the ids of what they tell of, from the request to the last task it led to."""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

import pytest
from structlog.contextvars import get_contextvars

from app.clients.credentials import ClientSecret
from app.core import correlation
from tests.api.conftest import Caller
from tests.support.stack import Stack, wait_for


def lines(stack: Stack, name: str) -> list[dict[str, Any]]:
    found = []
    for line in (stack.logs / f"{name}.log").read_text(errors="replace").splitlines():
        if line.startswith("{"):
            found.append(json.loads(line))
    return found


def test_a_requests_id_goes_with_its_batch(stack: Stack, client: ClientSecret) -> None:
    request_id, line = _settled(stack, client)
    assert line["requestId"] == request_id
    assert line["clientId"] == str(client.client_id)
    assert "wave" not in line, "it was one slice, and needed no message but its first"
    assert line["level"] == "info"
    [answered] = [one for one in lines(stack, "web") if one.get("requestId") == request_id]
    assert answered["event"] == "request.answered"
    assert (answered["method"], answered["path"], answered["status"]) == (
        "POST",
        "/v1/batches",
        202,
    )
    assert answered["clientId"] == str(client.client_id)


def _settled(stack: Stack, client: ClientSecret) -> tuple[str, dict[str, Any]]:
    """A request's id, and the line that tells of its batch's end."""
    request_id = f"test-{uuid4()}"
    with stack.http(client) as http:
        answer = http.post(
            "/v1/batches",
            json={"operation": "test.bulk", "items": [{"do": "succeed"}] * 3},
            headers={"X-Request-Id": request_id},
        )
        assert answer.headers["X-Request-Id"] == request_id
        batch_id = answer.json()["id"]
        stack.finished(http, batch_id)

    def settled() -> dict[str, Any] | None:
        # Whichever of the workers settled it: both take such tasks.
        for line in lines(stack, "worker") + lines(stack, "slow"):
            if line.get("event") == "batch.settled" and line.get("batch") == batch_id:
                return line
        return None

    return request_id, wait_for(settled, within=10)


@pytest.mark.parametrize(
    "given", [None, "", "a b", "x" * 129, "new\tline", "ü", "bls_" + "s" * 43, "id=whsec_c2VjcmV0"]
)
def test_an_id_that_cannot_be_used_is_replaced(given: str | None) -> None:
    assert correlation.begin_request(given) != given
    correlation.end()


def test_every_answer_has_an_id(api: Caller) -> None:
    ids = {api.get(path).headers["X-Request-Id"] for path in ("/v1/limits", "/nowhere", "/healthz")}
    assert len(ids) == 3
    assert api.get("/healthz", headers={"X-Request-Id": "mine"}).headers["X-Request-Id"] == "mine"
    assert get_contextvars() == {}


def test_a_task_begins_with_its_own_ids_alone() -> None:
    correlation.note(clientId="somebody else's")
    correlation.begin_task("r1", {"batch_id": "b1", "wave": 2, "number": 3})
    assert get_contextvars() == {"requestId": "r1", "batch": "b1", "wave": 2, "slice": 3}
    correlation.begin_task(None, {"webhook_id": "w1"})
    assert get_contextvars() == {"webhook": "w1"}
    correlation.end()
    assert get_contextvars() == {}

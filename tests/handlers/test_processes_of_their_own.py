"""Handlers that start processes: where docs/handlers.md says they may, and where they may not."""

from __future__ import annotations

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

HOW = ["program", "process", "pool"]


def outcomes(stack: Stack, client: ClientSecret, operation: str) -> list[tuple[str, object]]:
    with stack.http(client) as http:
        items = [{"how": how} for how in HOW]
        answer = http.post("/v1/batches", json={"operation": operation, "items": items})
        stack.finished(http, answer.raise_for_status().json()["id"])
        found = http.get(f"/v1/batches/{answer.json()['id']}/items").json()["data"]
    return [(item["status"], item["result"] or item["message"]) for item in found]


def test_a_worker_process_may_start_programs_and_no_processes_of_python(
    stack: Stack, client: ClientSecret
) -> None:
    refused = "AssertionError: daemonic processes are not allowed to have children"
    program, process, pool = outcomes(stack, client, "children.fast")
    assert program == ("SUCCESS", 6)
    assert process == ("FAILED", refused)
    assert pool == ("FAILED", refused)


def test_a_worker_with_threads_may_have_a_pool(stack: Stack, client: ClientSecret) -> None:
    program, process, pool = outcomes(stack, client, "children.slow")
    assert program == ("SUCCESS", 6)
    assert process[0] == "SUCCESS"
    assert pool == ("SUCCESS", 6)

"""Items that end their worker, each in its own way, on real processes: they fail alone."""

from __future__ import annotations

import pytest

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

pytestmark = pytest.mark.whole

DIED = "died each of the 4 times it was tried, the last time by"


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("do", "said", "code"),
    [
        (
            "segfault",
            f"{DIED} signal 11 (SIGSEGV)",
            500,
        ),
        ("kill", f"{DIED} signal 9 (SIGKILL)", 500),
        ("exit", f"{DIED} exit status 3", 500),
        ("hang", "Exceeded the operation's time limit of 1 s and could not be interrupted", 504),
        ("memory", "more memory", 500),
    ],
)
def test_it_fails_alone_with_a_message_that_says_what_it_did(
    stack: Stack, client: ClientSecret, do: str, said: str, code: int
) -> None:
    items = [{"key": f"{do}{number}"} for number in range(12)]
    items[5]["do"] = do
    with stack.http(client) as http:
        answer = http.post("/v1/batches", json={"operation": "test.poison", "items": items})
        batch = stack.finished(http, answer.json()["id"], within=100)
        assert batch["status"] == "PARTIAL"
        assert batch["summary"]["completed"] == 11
        [failed] = http.get(f"/v1/batches/{batch['id']}/items", params={"status": "FAILED"}).json()[
            "data"
        ]
        assert failed["index"] == 5
        assert said in failed["message"]
        assert failed["code"] == code
        for number in {*range(12)} - {5}:
            assert http.get(f"/v1/records/probe/{do}{number}").json()["data"] == [number]

"""Handlers that raise what is no exception, or swallow an error of their SQL, on real workers."""

from __future__ import annotations

import pytest

from app.clients.credentials import ClientSecret
from tests.support.stack import Stack

COUNT, GUILTY = 20, 7


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("operation", "kind", "said"),
    [
        (operation, kind, said)
        for operation in ("case.db", "case.bulk", "case.away", "case.slow")
        for kind, said in (("cancelled", "CancelledError"), ("exits", "SystemExit: 3"))
    ]
    + [
        (operation, "swallowed", "went on after one of its statements had failed")
        for operation in ("case.db", "case.bulk")
    ],
)
def test_it_fails_alone_on_real_workers(
    stack: Stack, client: ClientSecret, operation: str, kind: str, said: str
) -> None:
    items = [{"id": f"{kind}{number}"} for number in range(COUNT)]
    items[GUILTY]["kind"] = kind
    with stack.http(client) as http:
        answer = http.post("/v1/batches", json={"operation": operation, "items": items})
        batch = stack.finished(http, answer.json()["id"], within=60)
        ended = http.get(f"/v1/batches/{batch['id']}/items", params={"limit": 100}).json()["data"]
        assert [item["status"] for item in ended] == [
            "FAILED" if number == GUILTY else "SUCCESS" for number in range(COUNT)
        ]
        for item in ended:
            # A worker that died, or a slice that was given back, would have cost the others a try.
            assert item["attempts"] == (3 if item["index"] == GUILTY else 1)
        assert said in ended[GUILTY]["message"]
        if operation in ("case.db", "case.bulk"):
            for number in range(COUNT):
                record = http.get(f"/v1/records/case/{kind}{number}")
                assert record.status_code == (404 if number == GUILTY else 200)
                assert number == GUILTY or record.json()["version"] == 1

"""What a user of openapi-python-client writes: URL and SECRET are its arguments.

Prints what the test looks at, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any
from uuid import UUID

import httpx
from made_by_opc import AuthenticatedClient
from made_by_opc.api.actions import append_items, retry_batch, start_batch
from made_by_opc.api.batches import get_batch, list_batches, submit_batch
from made_by_opc.api.events import follow_batch
from made_by_opc.api.items import list_items
from made_by_opc.api.operations import get_limits
from made_by_opc.api.results import get_results
from made_by_opc.models import (
    Batch,
    GetResultsFormat,
    Item,
    Items,
    ListItemsStatusItem,
    Problem,
    Retry,
    RetryStatusesItem,
    Submission,
    SubmissionStart,
)

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
BAD = {"asin": "A1", "countryCode": "usa", "percACoS": 2.7}


def main(url: str, secret: str) -> dict[str, Any]:
    """Submit, wait, page through what failed, stream, act, and be refused."""
    client = AuthenticatedClient(base_url=url, token=secret, timeout=httpx.Timeout(60))
    body = Submission(
        operation="catalog.masterlist", name="made", items=[GOOD, BAD, BAD, GOOD, BAD]
    )
    made = submit_batch.sync(client=client, body=body, idempotency_key="once")
    again = submit_batch.sync_detailed(client=client, body=body, idempotency_key="once")
    assert isinstance(made, Batch)
    assert again.parsed.id == made.id
    assert isinstance(made.id, UUID)
    ended = waited(client, made.id)
    failures, pages = [], 0
    cursor: dict[str, str] = {}
    while True:
        page = list_items.sync(
            made.id, client=client, status=[ListItemsStatusItem.INVALID], limit=2, **cursor
        )
        failures += [[item.index, item.message] for item in page.data]
        assert all(item.status == "INVALID" for item in page.data)
        pages += 1
        if page.next_ is None:
            break
        cursor = {"cursor": page.next_}
    lines = get_results.sync(made.id, client=client)
    table = get_results.sync(made.id, client=client, format_=GetResultsFormat.CSV)
    events = follow_batch.sync(made.id, client=client)
    opened = submit_batch.sync(
        client=client, body=Submission(operation="catalog.masterlist", start=SubmissionStart.MANUAL)
    )
    append_items.sync(opened.id, client=client, body=Items(items=[GOOD]))
    start_batch.sync(opened.id, client=client)
    second = waited(client, opened.id)
    retried = retry_batch.sync(
        made.id, client=client, body=Retry(statuses=[RetryStatusesItem.INVALID])
    )
    refused = start_batch.sync(made.id, client=client)
    assert isinstance(refused, Problem)
    unknown = submit_batch.sync(client=client, body=Submission(operation="no.such", items=[GOOD]))
    assert isinstance(unknown, Problem)
    return {
        "ended": [ended.status, ended.summary.completed, ended.summary.invalid],
        "replayed": again.headers["Idempotent-Replayed"],
        "failures": failures,
        "pages": pages,
        "lines": [json.loads(line)["index"] for line in lines.splitlines()],
        "rows": len(table.splitlines()),
        "events": [line for line in events.splitlines() if line.startswith("event:")],
        "second": second.status,
        "retried": str(retried.id) == str(made.id),
        "refused": [refused.status, refused.type_],
        "unknown": [unknown.status, unknown.errors[0].pointer],
        "listed": len(list_batches.sync(client=client, limit=1).data),
        "limits": get_limits.sync(client=client).default_page_size,
        "new_words": [
            Batch.from_dict({**made.to_dict(), "status": "RESTING"}).status,
            Item.from_dict({**page.data[0].to_dict(), "status": "PONDERING"}).status,
        ],
    }


def waited(client: Any, batch_id: UUID) -> Any:
    """The batch once it has ended."""
    while True:
        batch = get_batch.sync(batch_id, client=client, wait=20)
        if batch.finished_at is not None:
            return batch


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))

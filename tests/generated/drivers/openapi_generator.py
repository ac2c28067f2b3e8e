"""What a user of OpenAPI Generator's Python client writes: URL and SECRET are its arguments.

Prints what the test looks at, as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from made_by_og import (
    ActionsApi,
    ApiClient,
    ApiException,
    Batch,
    BatchesApi,
    Configuration,
    EventsApi,
    Item,
    Items,
    ItemsApi,
    OperationsApi,
    ResultsApi,
    Retry,
    Submission,
)

GOOD = {"asin": "A1", "countryCode": "US", "percACoS": 2.7}
BAD = {"asin": "A1", "countryCode": "usa", "percACoS": 2.7}


def main(url: str, secret: str) -> dict[str, Any]:
    """Submit, wait, page through what failed, stream, act, and be refused."""
    with ApiClient(Configuration(host=url, access_token=secret)) as client:
        return used(client)


def used(client: Any) -> dict[str, Any]:
    """The same, with a client."""
    batches, actions, items = BatchesApi(client), ActionsApi(client), ItemsApi(client)
    body = Submission(
        operation="catalog.masterlist", name="made", items=[GOOD, BAD, BAD, GOOD, BAD]
    )
    made = batches.submit_batch(body, idempotency_key="once")
    again = batches.submit_batch_with_http_info(body, idempotency_key="once")
    assert again.data.id == made.id
    ended = waited(batches, made.id)
    failures, cursor, pages = [], None, 0
    while True:
        page = items.list_items(made.id, status=["INVALID"], limit=2, cursor=cursor)
        failures += [[item.index, item.message] for item in page.data]
        pages += 1
        cursor = page.next
        if cursor is None:
            break
    # Streamed: what comes is given out as it comes.
    lines = streamed(ResultsApi(client).get_results_without_preload_content(made.id))
    table = streamed(ResultsApi(client).get_results_without_preload_content(made.id, format="csv"))
    events = streamed(EventsApi(client).follow_batch_without_preload_content(made.id))
    opened = batches.submit_batch(Submission(operation="catalog.masterlist", start="manual"))
    actions.append_items(opened.id, Items(items=[GOOD]))
    actions.start_batch(opened.id)
    second = waited(batches, opened.id)
    retried = actions.retry_batch(made.id, retry=Retry(statuses=["INVALID"]))
    refused = refusal(lambda: actions.start_batch(made.id))
    unknown = refusal(lambda: batches.submit_batch(Submission(operation="no.such", items=[GOOD])))
    return {
        "ended": [ended.status, ended.summary.completed, ended.summary.invalid],
        "replayed": again.headers["Idempotent-Replayed"],
        "failures": failures,
        "pages": pages,
        "lines": [json.loads(line)["index"] for line in lines],
        "rows": len(table),
        "events": [line for line in events if line.startswith("event:")],
        "second": second.status,
        "retried": retried.id == made.id,
        "refused": [refused["status"], refused["type"]],
        "unknown": [unknown["status"], unknown["errors"][0]["pointer"]],
        "listed": len(batches.list_batches(limit=1).data),
        "limits": OperationsApi(client).get_limits().default_page_size,
        "new_words": [
            Batch.from_json(changed(made, "RESTING")).status,
            Item.from_json(changed(page.data[0], "PONDERING")).status,
        ],
    }


def changed(shown: Any, status: str) -> str:
    """What was answered, with another status."""
    return json.dumps({**json.loads(shown.to_json()), "status": status})


def waited(batches: Any, batch_id: Any) -> Any:
    """The batch once it has ended."""
    while True:
        batch = batches.get_batch(batch_id, wait=20)
        if batch.finished_at is not None:
            return batch


def streamed(response: Any) -> list[str]:
    """The lines of an answer."""
    text = b"".join(response.stream(1024)).decode()
    return text.splitlines()


def refusal(call: Any) -> dict[str, Any]:
    """The problem that a call is refused with."""
    try:
        call()
    except ApiException as error:
        problem: dict[str, Any] = json.loads(error.body)
        return problem
    raise AssertionError


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:])))

"""A batch and an item as callers see them, to the letter: JSON, NDJSON, CSV, OpenAPI.

Callers parse these by name and by column, and generate clients from the document, so what is
expected is written out here, not made.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, text

from app.batches.export import csv_header, csv_rows, ndjson
from app.batches.queries import ItemFilter, find_batch, find_item, list_batches, list_items
from app.batches.serializers import batch_body, item_body
from app.batches.submission import Submission, write
from app.clients.credentials import ClientSecret
from app.formats.raw_item import RawItem
from app.web.responses import encode
from handlers import Registry
from tests.api.test_openapi import document

BATCH = (
    '{"id":"%s","name":"=Prices","operation":"catalog.masterlist","status":"RUNNING",'
    '"createdAt":"2026-01-02T03:04:05.678Z","scheduledAt":"2026-01-02T03:04:06.000Z",'
    '"startedAt":"2026-01-02T03:04:07.001Z","finishedAt":null,"progress":0.6,'
    '"metadata":{"b": 1.10,\n"a": [ ]},"stopReason":null,"dialect":"native","reference":null,'
    '"dryRun":false,"onInvalid":"partial","maxFailures":null,"maxFailurePercent":2.5,'
    '"ramp":{"steps":[10,100],"hold":"approve","maxFailurePercent":1.5},'
    '"approval":false,"waitingFor":null,'
    '"summary":{"total":5,"pending":1,"running":1,"completed":1,"failed":1,"invalid":0,'
    '"canceled":1,"processed":2},"doing":{"action":"cancel","done":1,"total":3}}'
)
SUCCESS = (
    '{"index":0,"key":"A1:US","operation":"catalog.masterlist","status":"SUCCESS","attempts":1,'
    '"code":null,"message":null,"result":{"z": 1.50, "a": null},"input":{"asin":"A1", "n": 1.0},'
    '"createdAt":"2026-01-02T03:04:05.678Z","startedAt":"2026-01-02T03:04:07.100Z",'
    '"finishedAt":"2026-01-02T03:04:08.000Z","failure":null}'
)
FAILED = (
    '{"index":1,"key":"-A2","operation":"catalog.other","status":"FAILED","attempts":4,'
    '"code":404,"message":"=1+1, \\"no\\"","result":null,"input":{"asin":%s"-A2"},'
    '"createdAt":"2026-01-02T03:04:05.678Z","startedAt":"2026-01-02T03:04:07.100Z",'
    '"finishedAt":"2026-01-02T03:04:08.000Z","failure":"abcdefghijkl"}'
)
CANCELED = (
    '{"index":2,"key":null,"operation":"catalog.masterlist","status":"CANCELED","attempts":0,'
    '"code":null,"message":null,"result":null,"input":[1],'
    '"createdAt":"2026-01-02T03:04:05.678Z","startedAt":null,'
    '"finishedAt":"2026-01-02T03:04:08.000Z","failure":null}'
)
RUNNING = (
    '{"index":3,"key":null,"operation":"catalog.masterlist","status":"RUNNING","attempts":2,'
    '"code":null,"message":null,"result":null,"input":"@x",'
    '"createdAt":"2026-01-02T03:04:05.678Z","startedAt":"2026-01-02T03:04:09.900Z",'
    '"finishedAt":null,"failure":null}'
)
PENDING = (
    '{"index":4,"key":null,"operation":"catalog.masterlist","status":"PENDING","attempts":0,'
    '"code":null,"message":null,"result":null,"input":{},'
    '"createdAt":"2026-01-02T03:04:05.678Z","startedAt":null,"finishedAt":null,"failure":null}'
)
CSV = "\r\n".join(
    [
        "index,key,operation,status,attempts,code,message,result,input,createdAt,startedAt,finishedAt,"
        "failure",
        '0,A1:US,catalog.masterlist,SUCCESS,1,,,"{""z"": 1.50, ""a"": null}",'
        '"{""asin"":""A1"", ""n"": 1.0}",2026-01-02T03:04:05.678Z,2026-01-02T03:04:07.100Z,'
        "2026-01-02T03:04:08.000Z,",
        '1,-A2,catalog.other,FAILED,4,404,"=1+1, ""no""",,"{""asin"":\n""-A2""}",'
        "2026-01-02T03:04:05.678Z,2026-01-02T03:04:07.100Z,2026-01-02T03:04:08.000Z,abcdefghijkl",
        "2,,catalog.masterlist,CANCELED,0,,,,[1],"
        "2026-01-02T03:04:05.678Z,,2026-01-02T03:04:08.000Z,",
        '3,,catalog.masterlist,RUNNING,2,,,,"""@x""",'
        "2026-01-02T03:04:05.678Z,2026-01-02T03:04:09.900Z,,",
        "4,,catalog.masterlist,PENDING,0,,,,{},2026-01-02T03:04:05.678Z,,,",
        "",
    ]
)


def word(*known: str, what: str = "") -> dict[str, Any]:
    """A field of one of these words, to which others may be added one day."""
    listed = ", ".join(f"`{each}`" for each in known)
    said = f"{what} One of {listed}; there may be more one day.".strip()
    return {"type": "string", "description": said, "x-extensible-enum": list(known)}


SHOWN: dict[str, dict[str, Any]] = {
    "Doing": {
        "action": word("cancel", "retry", "reset", "delete", what="What the caller asked for."),
        "done": {"type": "integer", "description": "Items that it is through with."},
        "total": {"type": "integer", "description": "Items that it is about."},
    },
    "Ramp": {
        "steps": {
            "type": "array",
            "items": {"type": "integer"},
            "description": "Items of each step.",
        },
        "hold": word("auto", "approve", what="`approve`: it is PAUSED after each step."),
        "maxFailurePercent": {
            "type": "number",
            "description": "A larger share of a step's items FAILED or INVALID pauses it.",
        },
    },
    "Summary": {
        "total": {"type": "integer", "description": "All items."},
        "pending": {"type": "integer", "description": "Not begun, or waiting to be tried again."},
        "running": {"type": "integer", "description": "Being processed."},
        "completed": {"type": "integer", "description": "Ended SUCCESS."},
        "failed": {"type": "integer", "description": "Ended FAILED."},
        "invalid": {"type": "integer", "description": "Ended INVALID."},
        "canceled": {"type": "integer", "description": "Ended CANCELED."},
        "processed": {"type": "integer", "description": "completed + failed + invalid."},
    },
    "Batch": {
        "id": {"type": "string", "format": "uuid"},
        "name": {"type": ["string", "null"]},
        "operation": {
            "type": ["string", "null"],
            "description": "null: the items name theirs.",
        },
        "status": word(
            *("OPEN", "SCHEDULED", "AWAITING", "PENDING", "RUNNING", "PAUSED"),
            *("SUCCESS", "PARTIAL", "FAILED", "CANCELED"),
        ),
        "createdAt": {
            "type": "string",
            "format": "date-time",
            "description": "When it was submitted. RFC 3339, UTC.",
        },
        "scheduledAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it is to start. RFC 3339, UTC.",
        },
        "startedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it began. RFC 3339, UTC.",
        },
        "finishedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it ended. RFC 3339, UTC.",
        },
        "progress": {
            "type": "number",
            "description": "The part of its items that have ended, 0 to 1.",
        },
        "metadata": {"type": ["object", "null"], "additionalProperties": {}},
        "stopReason": {
            "type": ["string", "null"],
            "description": "Why the rest was canceled: `canceled`, `rejected`, `max_failures` or "
            "`max_failure_percent`; or `ramp`: it is PAUSED, as too much of a step failed.",
        },
        "dialect": {"type": "string", "description": "The API it came by: `native`, or a dialect."},
        "reference": {
            "type": ["string", "null"],
            "description": "The id that the dialect gave.",
        },
        "dryRun": {
            "oneOf": [
                {"type": "boolean"},
                {
                    "type": "string",
                    "x-extensible-enum": ["effects"],
                    "description": "One of `effects`; there may be more one day.",
                },
            ],
            "description": (
                "`true`: it is only validated. `effects`: what its handlers did is undone."
            ),
        },
        "onInvalid": word(
            "partial", "reject", what="`reject`: nothing runs if an item is invalid."
        ),
        "maxFailures": {
            "type": ["integer", "null"],
            "description": "More FAILED and INVALID items than this cancel the rest.",
        },
        "maxFailurePercent": {
            "type": ["number", "null"],
            "description": "A larger share of the processed items FAILED or INVALID cancels the "
            "rest.",
        },
        "ramp": {
            "anyOf": [{"$ref": "#/components/schemas/Ramp"}, {"type": "null"}],
            "description": "The steps that it begins with, if any.",
        },
        "approval": {
            "type": "boolean",
            "description": "Whether another key has to approve it.",
        },
        "waitingFor": {
            "type": ["string", "null"],
            "description": "What it waits for before it goes on: `approval`, `ramp` (`resume`, "
            "after a step), `schedule` (its time), `worker` (no live one has its operation), "
            "`breaker` (its operation is left alone: what that needs is away, or asked for a "
            "pause) or `retry` (of items that are to be tried again later); the first of these "
            "that holds, null where it does not wait.",
        },
        "summary": {"$ref": "#/components/schemas/Summary"},
        "doing": {
            "anyOf": [
                {"$ref": "#/components/schemas/Doing"},
                {"type": "null"},
            ],
            "description": "A long action under way; until it is over, others are refused. "
            "Else null.",
        },
    },
    "Item": {
        "index": {"type": "integer", "description": "Its position in the batch, from 0."},
        "key": {"type": ["string", "null"], "description": "The record it touches."},
        "operation": {"type": ["string", "null"]},
        "status": word("PENDING", "RUNNING", "SUCCESS", "INVALID", "FAILED", "CANCELED"),
        "attempts": {"type": "integer", "description": "How often it was tried."},
        "code": {
            "type": ["integer", "null"],
            "description": "Of what went wrong; HTTP-like.",
        },
        "message": {"type": ["string", "null"]},
        "result": {},
        "input": {"description": "The JSON as it was sent; null if it could not be kept."},
        "createdAt": {
            "type": "string",
            "format": "date-time",
            "description": "When it was submitted. RFC 3339, UTC.",
        },
        "startedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it was first tried. RFC 3339, UTC.",
        },
        "finishedAt": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "When it ended. RFC 3339, UTC.",
        },
        "failure": {
            "type": ["string", "null"],
            "description": "Of what went wrong: the same for the same cause.",
        },
    },
}
INPUTS = ('{"asin":"A1", "n": 1.0}', '{"asin":\n"-A2"}', "[1]", '"@x"', "{}")
HALF_DONE = """
    UPDATE batches SET name = '=Prices', metadata = '{"b": 1.10,\n"a": [ ]}', status = 'PENDING',
        created_at = '2026-01-02T04:04:05.6789+01', scheduled_at = '2026-01-02T03:04:06Z'
    WHERE id = :id;
    UPDATE batches SET status = 'RUNNING', started_at = '2026-01-02T03:04:07.001Z', total = 5,
        completed = 1, canceled = 1, doing = 'cancel', doing_index = 4, doing_done = 1,
        doing_total = 3, max_failure_percent = 2.50,
        ramp = '{"steps": [10, 100], "hold": "approve", "maxFailurePercent": 1.5}' WHERE id = :id;
    UPDATE items SET created_at = '2026-01-02T03:04:05.678Z' WHERE batch_id = :id;
    UPDATE items SET status = 'SUCCESS', key = 'A1:US', attempts = 1, finished_at =
        '2026-01-02T03:04:08Z', started_at = '2026-01-02T03:04:07.1Z',
        result = '{"z": 1.50, "a": null}' WHERE batch_id = :id AND index = 0;
    UPDATE items SET status = 'FAILED', key = '-A2', operation = 'catalog.other', attempts = 4,
        code = 404, failure = 'abcdefghijkl', message = '=1+1, "no"',
        finished_at = '2026-01-02T03:04:08Z',
        started_at = '2026-01-02T03:04:07.1Z' WHERE batch_id = :id AND index = 1;
    UPDATE items SET status = 'CANCELED', finished_at = '2026-01-02T03:04:08Z'
    WHERE batch_id = :id AND index = 2;
    UPDATE items SET attempts = 1, started_at = NULL WHERE batch_id = :id AND index = 3;
    INSERT INTO slices (batch_id, wave, number, queue, phase, first_index, last_index, size, state,
                        claim, claimed_at, failed)
    VALUES (:id, 1, 0, 'fast', 'run', 1, 3, 2, 'CLAIMED', gen_random_uuid(),
            '2026-01-02T03:04:09.9Z', 1);
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """A batch in a transaction that is rolled back: no worker and no sweep ever sees it."""

    connection: Connection
    client_id: UUID
    batch_id: UUID


@pytest.fixture
def stored(engine: Engine, registry: Registry, client: ClientSecret) -> Iterator[Stored]:
    """Half done: one item of each kind, the fourth in a slice that has ended the second."""
    submission = Submission(client.client_id, "catalog.masterlist", start="manual")
    with engine.connect() as connection:
        write(connection, registry, submission, [RawItem(text) for text in INPUTS])
        connection.execute(text(HALF_DONE), {"id": submission.id})
        yield Stored(connection, client.client_id, submission.id)
        connection.rollback()


def test_a_batch(stored: Stored) -> None:
    expected = (BATCH % stored.batch_id).encode()
    found = find_batch(stored.connection, stored.client_id, stored.batch_id)
    assert encode(batch_body(found)) == expected
    [listed], _ = list_batches(stored.connection, stored.client_id, limit=2)
    assert listed == found


def test_an_item(stored: Stored) -> None:
    lines = (SUCCESS, FAILED % "\n", CANCELED, RUNNING, PENDING)
    for index, line in enumerate(lines):
        item = find_item(stored.connection, stored.client_id, stored.batch_id, index)
        assert encode(item_body(item)).decode() == line


@pytest.mark.parametrize("most_bytes", [None, 10_000])
def test_items_as_lines(stored: Stored, most_bytes: int | None) -> None:
    items, _ = list_items(
        stored.connection, stored.client_id, stored.batch_id, limit=9, most_bytes=most_bytes
    )
    lines = (SUCCESS, FAILED % " ", CANCELED, RUNNING, PENDING)
    assert ndjson(items).decode() == "".join(f"{line}\n" for line in lines)
    assert (csv_header() + csv_rows()(items)).decode() == CSV


def test_items_as_rows_for_a_spreadsheet(stored: Stored) -> None:
    items, _ = list_items(stored.connection, stored.client_id, stored.batch_id, limit=9)
    guarded = CSV.replace("1,-A2,", "1,'-A2,").replace('"=1+1', "\"'=1+1")
    # What stands alone for whoever takes no notice of our quotes.
    guarded = guarded.replace('\n""-A2', '\n\'""-A2').replace('"""@x"""', '"\'""@x"""')
    assert (csv_header() + csv_rows(guarded=True)(items)).decode() == guarded


@pytest.mark.parametrize(
    ("status", "indexes"), [("PENDING", [4]), ("RUNNING", [3]), ("FAILED", [1]), ("INVALID", [])]
)
def test_items_of_a_status(stored: Stored, status: str, indexes: list[int]) -> None:
    items, _ = list_items(
        stored.connection, stored.client_id, stored.batch_id, which=ItemFilter((status,)), limit=9
    )
    assert [item.index for item in items] == indexes


# What is there only in the answers to admins.
TO_ADMINS: dict[str, dict[str, Any]] = {
    "Batch": {
        "clientId": {
            "type": "string",
            "format": "uuid",
            "description": "Whose it is: said only to `admin`.",
        },
        "clientName": {"type": "string", "description": "Said only to `admin`."},
    },
}


def test_batches_and_items_are_described_field_by_field(app: Flask) -> None:
    schemas = document(app)["components"]["schemas"]
    for name, properties in SHOWN.items():
        described = {**properties, **TO_ADMINS.get(name, {})}
        assert list(schemas[name]["properties"].items()) == list(described.items())
        assert schemas[name]["required"] == sorted(properties), "every field is always there"
        assert "additionalProperties" not in schemas[name], "a field more breaks nobody"

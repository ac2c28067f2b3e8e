"""Speaking the dialects: their headers, their calls, and a way to wait for the workers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from flask.testing import FlaskClient
from sqlalchemy import Engine, update
from werkzeug.test import TestResponse

from app.batches.submission import Submission, write
from app.clients.credentials import ClientSecret
from app.db import transaction
from app.db.models import Batch
from app.formats.raw_item import RawItem
from handlers import Registry
from tests.dialects.facts import FACTS
from tests.support.described import check_described
from tests.support.stack import Stack


@dataclass(frozen=True)
class Speaker:
    """A client that speaks one dialect to the application itself, without a server between."""

    http: FlaskClient
    client: ClientSecret
    dialect: str

    def __call__(self, method: str, path: str, body: Any = None, **options: Any) -> TestResponse:
        """Send; `body` is JSON, or text to be sent to the letter."""
        headers = FACTS[self.dialect].headers(self.client.api_key, self.client.secret)
        headers |= options.pop("headers", {})
        if body is not None:
            options["data"] = body if isinstance(body, (str, bytes)) else json.dumps(body)
            headers.setdefault("Content-Type", "application/json")
        answer = self.http.open(path, method=method, headers=headers, **options)
        check_described(self.http.application, answer)
        return answer

    def get(self, path: str) -> TestResponse:
        """GET."""
        return self("GET", path)

    def shown(self, path: str) -> Any:
        """The JSON that a GET is answered with."""
        return self.get(path).json

    def post(self, path: str, body: Any, **options: Any) -> TestResponse:
        """POST."""
        return self("POST", path, body, **options)


def ended(stack: Stack, client: ClientSecret, dialect: str, reference: str) -> dict[str, Any]:
    """The batch as `/v1` shows it, once it has ended."""
    with stack.http(client) as http:
        found = http.get("/v1/batches", params={"dialect": dialect, "reference": reference})
        (batch,) = found.raise_for_status().json()["data"]
        return stack.finished(http, batch["id"])


def held(
    engine: Engine,
    registry: Registry,
    client: ClientSecret,
    dialect: str,
    operation: str,
    items: list[str],
    status: str = "OPEN",
) -> str:
    """A batch in a state that it stays in (OPEN, SCHEDULED or PAUSED); its reference."""
    submission = Submission(
        client_id=client.client_id,
        operation=operation,
        start="manual",
        dialect=dialect,
        reference=uuid4().hex[:24],
        own_operations=False,
    )
    steps = {"OPEN": [], "SCHEDULED": ["SCHEDULED"], "PAUSED": ["PENDING", "PAUSED"]}[status]
    with transaction(engine) as connection:
        write(connection, registry, submission, [RawItem(item) for item in items])
        for step in steps:
            connection.execute(
                update(Batch)
                .where(Batch.id == submission.id)
                .values(status=step, scheduled_at=datetime.now(UTC) + timedelta(days=1))
            )
    return str(submission.reference)

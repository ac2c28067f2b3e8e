"""A batch from request to item in one traced process; prints its spans, a JSON object a line.

In a process of its own, since tracing patches libraries permanently.
"""

from __future__ import annotations

import json
import logging
from uuid import uuid4

from celery.contrib.testing.worker import start_worker
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from app.clients.credentials import create_client
from app.core import tracing
from app.server.wsgi import create_app
from app.web.services import EXTENSION


def main() -> None:
    """Trace into memory, submit, wait, and tell."""
    spans = InMemorySpanExporter()
    tracing.set_up("batchline-test", spans)
    flask = create_app()
    logging.disable(logging.CRITICAL)
    client = create_client(flask.extensions[EXTENSION].engine, f"traced {uuid4()}")
    headers = {"Authorization": f"Bearer {client.secret}"}

    import workers.tasks  # noqa: F401 (registers them)
    from workers.celery import app as celery
    from workers.wiring import runtime

    # As a worker does when it is ready; this in-process one does not.
    runtime().heartbeat.start()
    with start_worker(
        celery,
        pool="threads",
        concurrency=4,
        perform_ping_check=False,
        queues=["control", "express", "fast", "slow"],
    ):
        api = flask.test_client()
        body = {"operation": "test.outside", "items": [{"do": "succeed"}] * 3}
        answer = api.post("/v1/batches", json=body, headers=headers)
        batch = api.get(f"/v1/batches/{answer.get_json()['id']}?wait=20", headers=headers).json
        print(json.dumps({"batch": batch}))  # noqa: T201 (read by the test)
    for span in spans.get_finished_spans():
        context = span.get_span_context()
        assert context is not None
        told = {
            "name": span.name,
            "trace": context.trace_id,
            "id": context.span_id,
            "parent": span.parent.span_id if span.parent else None,
            "attributes": {key: str(value) for key, value in (span.attributes or {}).items()},
        }
        print(json.dumps(told))  # noqa: T201


if __name__ == "__main__":
    main()

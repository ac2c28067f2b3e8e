"""One trace from the request to each item; and nothing of it where nobody asks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from app.core import tracing
from app.core.settings import Settings

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[1]


@pytest.mark.usefixtures("own_processes")
def test_a_trace_reaches_from_the_request_to_the_items(settings: Settings) -> None:
    environ = {
        **os.environ,
        "DATABASE_URL": settings.database_url or "",
        "REDIS_URL": f"{(settings.redis_url or '').rsplit('/', 1)[0]}/14",
        "HANDLERS": "tests.support.handlers",
        "OTEL_TRACES_EXPORTER": "otlp",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.traced"],
        env=environ,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    first, *spans = map(json.loads, done.stdout.splitlines())
    assert first["batch"]["status"] == "SUCCESS"
    by_id = {span["id"]: span for span in spans}

    def ancestors(span: dict[str, Any]) -> list[str]:
        names = []
        while span["parent"] in by_id:
            span = by_id[span["parent"]]
            names.append(span["name"])
        return names

    handled = [span for span in spans if span["name"] == "handle test.outside"]
    assert sorted(span["attributes"]["batchline.index"] for span in handled) == ["0", "1", "2"]
    for span in handled:
        assert span["attributes"]["batchline.batch"] == first["batch"]["id"]
        names = ancestors(span)
        # What is one slice may be run by the task that moves the batch on.
        assert names[0] in ("run/batchline.slice", "run/batchline.advance")
        assert "run/batchline.advance" in names
        assert names[-1] == "POST /v1/batches"
    statements = [span for span in spans if span["attributes"].get("db.system") == "postgresql"]
    assert any("POST /v1/batches" in ancestors(span) for span in statements)


@pytest.mark.parametrize(
    ("environ", "wanted"),
    [
        ({}, False),
        ({"OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
    ],
    ids=str,
)
def test_it_is_asked_for_by_opentelemetrys_own_variables(
    environ: dict[str, str], wanted: bool
) -> None:
    assert tracing.asked_for(environ) is wanted


def test_nobody_asks_here() -> None:
    tracing.trace_worker(None)  # type: ignore[arg-type]
    assert tracing._tracer is None
    assert isinstance(tracing.span("nothing", index=1), nullcontext)

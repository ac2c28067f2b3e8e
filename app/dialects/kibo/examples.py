"""The examples of Kibo's document, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, Any] = {
    "job": {
        "code": "batch_job_1",
        "jobName": "Example Job",
        "scheduledDate": None,
        "domain": "Catalog",
        "status": "Ready",
    },
    "action": {"action": "start"},
}

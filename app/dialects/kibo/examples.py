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
    "product": {"productCode": "MS-CAM-001", "content": {"productName": "Camera"}},
    "property": {"productCode": "MS-CAM-001", "attributeFQN": "tenant~color", "values": ["red"]},
    "entry": {
        "priceListCode": "spring",
        "productCode": "MS-CAM-001",
        "currencyCode": "USD",
        "priceEntries": [{"listPrice": 99.5}],
    },
    "action": {"action": "start"},
}

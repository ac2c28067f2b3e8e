"""The examples of Quartile's document, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_ITEM = {"asin": "ASINXYZXPTO1", "countryCode": "US", "percACoS": 2.7}
_BATCH = {"batchId": "5349b4ddd2781d08c09890f3"}

EXAMPLES: dict[str, Any] = {
    "item": _ITEM,
    "batch": _BATCH,
    "results": {
        **_BATCH,
        "status": "SUCCESS",
        "data": [
            {
                "id": "497f6eca-6276-4993-bfeb-53cbbbba6f08",
                **_ITEM,
                "status": {"success": True, "message": "successfully", "process": "INSERT"},
            }
        ],
    },
    "processing": {"detail": "processing", "status": "PENDING"},
}

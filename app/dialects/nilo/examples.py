"""The examples of Nilo's document, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, Any] = {
    "item": {"product": "22222.1", "store": 2134, "available": True, "units": 1},
    "price": {"product": "22222.1", "store": 2134, "price": 19.9, "currency": "EUR"},
    "promotion": {
        "promotion": "spring",
        "product": "22222.1",
        "discount": 2.5,
        "startsAt": "2027-03-01T00:00:00Z",
        "endsAt": "2027-04-01T00:00:00Z",
    },
    "detail": {
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
        "detail": [
            {
                "code": "550e8400-e29b-41d4-a716-446655440000",
                "endpoint": "batch/product/22222.1",
                "action": "availability",
                "batchItem": '{"product": "22222.1", "store": 2134, "available": true, "units": 1}',
                "status": "completed",
                "message": "Product processed successfully",
                "finishedAt": "2025-12-03T10:15:30Z",
                "createdAt": "2025-12-03T10:15:30Z",
            }
        ],
    },
    "status": {
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
        "status": "processing",
        "createdAt": "2025-12-03T10:15:30Z",
        "finishedAt": None,
        "summary": {"total": 100, "processed": 50, "failed": 10, "completed": 40},
    },
}

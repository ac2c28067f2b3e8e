"""The examples of Fluent's document, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

EXAMPLES: dict[str, Any] = {
    "request": {
        "action": "UPSERT",
        "entityType": "CATEGORY",
        "entities": [
            {"categoryRef": "CGR-0001", "name": "Category 001", "parentCategoryRef": "CGR-000"},
            {"categoryRef": "CGR-0002", "name": "Category 002"},
        ],
    },
    "id": {"id": "427323"},
    "batch": {
        "batchId": "1",
        "entityType": "CATEGORY",
        "status": "COMPLETE",
        "start": 1,
        "count": 100,
        "total": 2,
        "results": [
            {
                "responseCode": 404,
                "entityRef": "CGR-0001",
                "message": 'Parent category "CGR-000" does not exist',
            },
            {
                "responseCode": 200,
                "entityId": "2",
                "entityRef": "CGR-0002",
                "message": "Category update successfully",
            },
        ],
        "createdOn": "2017-09-20T10:00:00.000Z",
    },
}

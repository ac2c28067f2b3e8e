"""The documents' own examples, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

NILO_ITEM = {"product": "22222.1", "store": 2134, "available": True, "units": 1}
NILO_DETAIL = {
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
}
NILO_STATUS = {
    "uuid": "550e8400-e29b-41d4-a716-446655440000",
    "status": "processing",
    "createdAt": "2025-12-03T10:15:30Z",
    "finishedAt": None,
    "summary": {"total": 100, "processed": 50, "failed": 10, "completed": 40},
}

QUARTILE_ITEM = {"asin": "ASINXYZXPTO1", "countryCode": "US", "percACoS": 2.7}
QUARTILE_BATCH = {"batchId": "5349b4ddd2781d08c09890f3"}
QUARTILE_RESULTS = {
    **QUARTILE_BATCH,
    "status": "SUCCESS",
    "data": [
        {
            "id": "497f6eca-6276-4993-bfeb-53cbbbba6f08",
            **QUARTILE_ITEM,
            "status": {"success": True, "message": "successfully", "process": "INSERT"},
        }
    ],
}
QUARTILE_PROCESSING = {"detail": "processing", "status": "PENDING"}

KIBO_JOB: dict[str, Any] = {
    "code": "batch_job_1",
    "jobName": "Example Job",
    "scheduledDate": None,
    "domain": "Catalog",
    "status": "Ready",
}
KIBO_ACTION = {"action": "start"}

# The document has no example; these are by what it says of the fields.
GAMEBALL_START = {
    "method": "POST",
    "operation": "cashback",
    "body": [{"playerUniqueId": "player-1", "transactionId": "order-17", "amount": "10.50"}],
}
GAMEBALL_BATCH = {
    "operation": "cashback",
    "errorCount": 0,
    "totalCount": 1,
    "finishedCount": 0,
    "startedAt": None,
    "createdAt": "2017-05-30T15:14:22Z",
    "status": "Queued",
    "response": None,
}

FLUENT_REQUEST = {
    "action": "UPSERT",
    "entityType": "CATEGORY",
    "entities": [
        {"categoryRef": "CGR-0001", "name": "Category 001", "parentCategoryRef": "CGR-000"},
        {"categoryRef": "CGR-0002", "name": "Category 002"},
    ],
}
FLUENT_ID = {"id": "427323"}
FLUENT_BATCH = {
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
}

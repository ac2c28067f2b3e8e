"""The examples of Gameball's document, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

# The document has no example; these are by what it says of the fields.
EXAMPLES: dict[str, Any] = {
    "start": {
        "method": "POST",
        "operation": "cashback",
        "body": [{"playerUniqueId": "player-1", "transactionId": "order-17", "amount": "10.50"}],
    },
    "batch": {
        "operation": "cashback",
        "errorCount": 0,
        "totalCount": 1,
        "finishedCount": 0,
        "startedAt": None,
        "createdAt": "2017-05-30T15:14:22Z",
        "status": "Queued",
        "response": None,
    },
}

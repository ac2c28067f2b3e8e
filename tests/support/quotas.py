"""What clients may take for which nothing was set: the contract's, not the code's."""

from __future__ import annotations

DEFAULTS = {
    "requestsPerSecond": None,
    "submissionsAtOnce": 8,
    "openBatches": None,
    "pendingItems": None,
    "storedItems": None,
    "streamsAtOnce": 100,
    "webhooks": 50,
}

"""Batchline for those who call it, from Python.

    with Client("https://batchline.example.com", secret) as client:
        batch = client.submit("catalog.price", prices, name="nightly")
        batch = client.wait(batch.id)
        for failure in client.failures(batch.id):
            print(failure.count, failure.message)

`Client` has the whole of it; `verify_webhook` is for receivers. These names stay; where the code
behind them is, may change. It needs none of the server: the command line uses it, too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchline.client.client import Client
    from batchline.client.errors import (
        ApiError,
        BadFile,
        BadItem,
        ClientError,
        NotEnded,
        WebhookRefused,
    )
    from batchline.client.models import Batch, Doing, Failure, Item, Selected, Summary, Try
    from batchline.client.webhooks import verify_webhook

_PLACES = {
    "Client": "client",
    **dict.fromkeys(
        ("ApiError", "BadFile", "BadItem", "ClientError", "NotEnded", "WebhookRefused"), "errors"
    ),
    **dict.fromkeys(("Batch", "Doing", "Failure", "Item", "Selected", "Summary", "Try"), "models"),
    "verify_webhook": "webhooks",
}
__all__ = [
    "ApiError",
    "BadFile",
    "BadItem",
    "Batch",
    "Client",
    "ClientError",
    "Doing",
    "Failure",
    "Item",
    "NotEnded",
    "Selected",
    "Summary",
    "Try",
    "WebhookRefused",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    """One of the names above, fetched when it is asked for: a command that needs none is faster."""
    if name not in _PLACES:
        raise AttributeError(f"module 'batchline.client' has no attribute {name!r}")
    module = importlib.import_module(f"batchline.client.{_PLACES[name]}")
    found = globals()[name] = getattr(module, name)
    return found

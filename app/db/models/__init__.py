"""The tables, a file a subject. Migrations give the same schema; a test holds the two together.

Dialects and handlers declare tables of their own beside them, in modules called `tables`.
"""

from app.db.models.audit import AuditRow
from app.db.models.base import Base
from app.db.models.batch import Batch
from app.db.models.breaker import Breaker, BreakerFailures
from app.db.models.client import Client
from app.db.models.console import ConsoleSession, ItemHistory
from app.db.models.engine import (
    LaneChunk,
    OperationCost,
    OperationGate,
    PublishedOperation,
    Slice,
    Sweep,
    Worker,
)
from app.db.models.failure import Failure, FailureCount
from app.db.models.idempotency import IdempotencyKey
from app.db.models.item import Item
from app.db.models.item_try import ItemTry
from app.db.models.key import Key, KeySecret
from app.db.models.record import Record
from app.db.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "AuditRow",
    "Base",
    "Batch",
    "Breaker",
    "BreakerFailures",
    "Client",
    "ConsoleSession",
    "Failure",
    "FailureCount",
    "IdempotencyKey",
    "Item",
    "ItemHistory",
    "ItemTry",
    "Key",
    "KeySecret",
    "LaneChunk",
    "OperationCost",
    "OperationGate",
    "PublishedOperation",
    "Record",
    "Slice",
    "Sweep",
    "Webhook",
    "WebhookDelivery",
    "Worker",
]

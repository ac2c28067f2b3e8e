"""The tables, a file a subject. Migrations give the same schema; a test holds the two together."""

from app.db.models.base import Base
from app.db.models.batch import Batch
from app.db.models.category import CATEGORY_IDS
from app.db.models.client import Client
from app.db.models.engine import OperationCost, OperationGate, Slice, Worker
from app.db.models.fluent import FLUENT_BATCH_IDS, FluentBatch, FluentJob
from app.db.models.idempotency import IdempotencyKey
from app.db.models.item import Item
from app.db.models.ledger import LedgerEntry, Wallet
from app.db.models.record import Record
from app.db.models.webhook import Webhook, WebhookDelivery

__all__ = [
    "CATEGORY_IDS",
    "FLUENT_BATCH_IDS",
    "Base",
    "Batch",
    "Client",
    "FluentBatch",
    "FluentJob",
    "IdempotencyKey",
    "Item",
    "LedgerEntry",
    "OperationCost",
    "OperationGate",
    "Record",
    "Slice",
    "Wallet",
    "Webhook",
    "WebhookDelivery",
    "Worker",
]

"""The tables, a file a subject. Migrations give the same schema; a test holds the two together."""

from app.models.base import Base
from app.models.batch import Batch
from app.models.category import CATEGORY_IDS
from app.models.client import Client
from app.models.engine import OperationCost, OperationGate, Slice, Worker
from app.models.fluent import FLUENT_BATCH_IDS, FluentBatch, FluentJob
from app.models.idempotency import IdempotencyKey
from app.models.item import Item
from app.models.ledger import LedgerEntry, Wallet
from app.models.record import Record
from app.models.webhook import Webhook, WebhookDelivery

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

"""The tables, a file a subject. Migrations give the same schema; a test holds the two together."""

from app.models.base import Base
from app.models.batch import Batch
from app.models.client import Client
from app.models.engine import OperationCost, Slice, Worker
from app.models.idempotency import IdempotencyKey
from app.models.item import Item
from app.models.record import Record

__all__ = [
    "Base",
    "Batch",
    "Client",
    "IdempotencyKey",
    "Item",
    "OperationCost",
    "Record",
    "Slice",
    "Worker",
]

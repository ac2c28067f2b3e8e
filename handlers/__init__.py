"""What is done to an item: the contract, the registry and the shipped operations.

Nothing in here knows Flask, Celery or the rest of Batchline, so that a handler can be written,
read and tested by itself.
"""

from handlers.breaker import Breaker
from handlers.contract import Context, Defer, Item, Outcome, Records, Reject, Retry
from handlers.operation import Operation, WrongOperation
from handlers.registry import Registry, operation, registry

__all__ = [
    "Breaker",
    "Context",
    "Defer",
    "Item",
    "Operation",
    "Outcome",
    "Records",
    "Registry",
    "Reject",
    "Retry",
    "WrongOperation",
    "operation",
    "registry",
]

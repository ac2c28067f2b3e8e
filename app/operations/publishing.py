"""A process tells the others which operations it has registered."""

from __future__ import annotations

import threading
import time

import structlog
from sqlalchemy import Engine

from app.db import transaction
from app.db.statements.served_operations import PUBLISH_OPERATIONS
from app.operations.description import describe
from handlers import Registry

log = structlog.get_logger(__name__)


class Publisher:
    """Publishes a registry's operations once, in a transaction of its own. Safe between threads."""

    def __init__(self, engine: Engine, registry: Registry) -> None:
        self._engine = engine
        self._registry = registry
        self._published = False
        self._publishing = threading.Lock()

    def publish_soon(self, *, again_after: float) -> None:
        """Do it in a thread of its own, again after so many seconds until it has been done."""
        threading.Thread(
            target=self._until_done, args=(again_after,), name="publish", daemon=True
        ).start()

    def _until_done(self, again_after: float) -> None:
        while not self.publish():
            time.sleep(again_after)

    def publish(self) -> bool:
        """Do it, if it has not been done yet; whether it now is. What fails is logged."""
        if self._published or not self._publishing.acquire(blocking=False):
            return self._published
        try:
            described = {operation.name: describe(operation) for operation in self._registry}
            with transaction(self._engine) as connection:
                connection.execute(PUBLISH_OPERATIONS, {"descriptions": described})
            self._published = True
        except Exception as error:  # a schema says of itself what it likes; nothing waits for this
            log.warning("operations.not_published", error=str(error))
        finally:
            self._publishing.release()
        return self._published

"""Operations of the chaos runs: an item does whatever its kind says, on real workers.

The kinds are those of tests/engine/misbehaviour.py, but for those that commit what had been done so
far: of these nobody can say how often their neighbours take effect (docs/reliability.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from handlers import Context, Item, operation
from tests.engine.misbehaviour import (
    COMMITTING,
    KINDS,
    RAISED,
    SAID,
    UNSTORABLE,
    CaseSchema,
    do,
)

COLLECTION = "chaos"
COUNT = 20
# The operation, and the kinds that an item of it may be of.
_ANYWHERE = sorted([*RAISED, *SAID, *UNSTORABLE])
_IN_DATABASE = sorted(KINDS.keys() - COMMITTING)
KINDS_OF: dict[str, list[str]] = {
    "chaos.db": _IN_DATABASE,
    "chaos.bulk": _IN_DATABASE,
    "chaos.away": _ANYWHERE,
    "chaos.slow": _ANYWHERE,
}
IN_DATABASE = ("chaos.db", "chaos.bulk")

_OPTIONS: dict[str, Any] = {
    "schema": CaseSchema,
    "key": ("id",),
    "max_attempts": 3,
    "backoff_seconds": 0.1,
    "slice_items": COUNT,
}


def _recorded(item: Item, context: Context) -> Any:
    context.records.upsert(COLLECTION, [(item.data["id"], item.index)])
    return do(item, context)


def _offer(name: str, handler: Callable[..., Any], **options: Any) -> None:
    operation(name, **_OPTIONS, **options)(handler)


_offer("chaos.db", _recorded, collection=COLLECTION)
_offer(
    "chaos.bulk",
    lambda items, context: [_recorded(item, context) for item in items],
    collection=COLLECTION,
    bulk=True,
)
_offer("chaos.away", do, in_database=False)
_offer("chaos.slow", do, in_database=False, queue="slow")

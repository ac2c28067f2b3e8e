"""How many deliveries are kept: a client's webhooks share `MOST_OF_CLIENT`, an equal part each.

Each thing that happens to a batch is written for every webhook that wants it, and a batch can be
paused and resumed, or retried, as often as somebody likes; where the receiver is away nothing of it
ends for days. Past its part a webhook's oldest go, whatever became of them: of what waits to be
sent, too, the newest is what a receiver has most use for.
"""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection

from app.db.statements.webhook_deliveries import TRIM_DELIVERIES

MOST_OF_CLIENT = 100_000
WEBHOOKS_AT_ONCE = 20
"""That one step looks at: so many times a part, in entries of an index."""
DELIVERIES_AT_ONCE = 1000
"""That one step removes of a webhook."""


class Trimming:
    """A process's way round all webhooks, some in each step."""

    def __init__(self) -> None:
        self._after: UUID | None = None

    def step(self, connection: Connection) -> int:
        """Trim the logs of the next webhooks; how many deliveries went."""
        done = connection.execute(
            TRIM_DELIVERIES,
            {
                "after": self._after,
                "webhooks": WEBHOOKS_AT_ONCE,
                "most": MOST_OF_CLIENT,
                "at_once": DELIVERIES_AT_ONCE,
            },
        ).one()
        # None where these were none: from the beginning again.
        self._after = done.last
        return int(done.removed)

"""Pages of items while much of a batch is under way."""

from __future__ import annotations

import re

from sqlalchemy import Engine, text

from app.batches.item_view import ITEM_COLUMNS
from app.batches.queries import ItemFilter, list_items
from app.batches.submission import Submission, write
from app.clients.credentials import ClientSecret
from app.db.statements.item_pages import select_items
from app.formats.raw_item import RawItem
from handlers import Registry

SLICES = 400
CLAIMED = text(
    """
    INSERT INTO slices (batch_id, wave, number, queue, phase, first_index, last_index, size, state,
                        claim, claimed_at)
    SELECT :batch_id, 1, g, 'fast', 'run', g * 5, g * 5 + 3, 4, 'CLAIMED', gen_random_uuid(), now()
    FROM generate_series(0, :slices - 1) g
    """
)


def test_what_is_pending_is_not_compared_with_all_that_is_held(
    engine: Engine, registry: Registry, client: ClientSecret
) -> None:
    """Whatever memory there is, and whatever the planner believes of how much is held."""
    submission = Submission(client.client_id, "catalog.masterlist", start="manual")
    this = {"batch_id": submission.id}
    with engine.connect() as connection:
        write(connection, registry, submission, [RawItem("{}")] * (5 * SLICES))
        connection.execute(CLAIMED, {**this, "slices": SLICES})
        connection.execute(text("SET LOCAL work_mem = '64kB'"))
        statement = select_items(ITEM_COLUMNS, statuses=["PENDING"]).text
        plan = "\n".join(
            connection.execute(
                text(f"EXPLAIN {statement}"),
                {
                    **this,
                    "operation": None,
                    "status": "PENDING",
                    "after": -1,
                    "limit": 1000,
                    "look": 50_000,
                    "until": 5 * SLICES,
                },
            ).scalars()
        )
        # An InitPlan is carried out once; a SubPlan and a join look at what is held item by item.
        assert re.search(r"NOT \((\w+\.)?index <@ \(InitPlan", plan), plan
        assert "SubPlan" not in plan, plan
        assert " Anti " not in plan, plan
        items, _ = list_items(
            connection, client.client_id, submission.id, which=ItemFilter(("PENDING",)), limit=1000
        )
        assert [item.index for item in items] == list(range(4, 5 * SLICES, 5))
        connection.rollback()

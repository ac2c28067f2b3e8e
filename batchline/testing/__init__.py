"""Handlers tried without a server: `run_items`, through what runs them in a worker.

    from batchline.testing import run_items

    [result] = run_items(set_price, [{"sku": "A1", "price": "2.70"}])
    assert result.status == "SUCCESS"

`database` starts a Postgres for handlers that have tables of their own.
"""

from __future__ import annotations

from batchline.testing.database import database
from batchline.testing.records import MemoryRecords
from batchline.testing.results import Result, Results
from batchline.testing.running import run_items

__all__ = ["MemoryRecords", "Result", "Results", "database", "run_items"]

"""The statements on `batches` that only dialects need."""

from __future__ import annotations

from sqlalchemy import text

# Just the id of a client's batch, by uq_batches_client_id_dialect_reference.
FIND_BATCH_ID = text(
    """
    SELECT id FROM batches
    WHERE client_id = :client_id AND dialect = :dialect AND reference = :reference
    """
)

# How many batches of a dialect a client has: as many entries of the same index.
COUNT_BATCHES = text(
    "SELECT count(*) FROM batches WHERE client_id = :client_id AND dialect = :dialect"
)

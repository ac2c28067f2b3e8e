"""What is counted for quotas, and the lock under which it is: the client's row."""

from __future__ import annotations

from sqlalchemy import text

# Seconds for which a count of stored items is added to before it is made anew.
COUNT_GOOD_FOR = 60
# Seconds in which a process may not know of a quota yet, and adds nothing to the count.
_UNTIL_KNOWN = 2

# A client's own quotas. By pk_clients, as are the next ones.
SELECT_QUOTAS = text("SELECT quotas FROM clients WHERE id = :client_id")

# The same, locked until the end of the transaction, which is to be soon: others of the client wait.
# In it `stored_items` is to be trusted where `counted`. Foreign keys are checked beside it.
LOCK_QUOTAS = text(
    f"""
    SELECT quotas, stored_items,
           coalesce(stored_at BETWEEN clock_timestamp() - interval '{COUNT_GOOD_FOR} seconds'
                                  AND clock_timestamp(), false) AS counted
    FROM clients WHERE id = :client_id AND revoked_at IS NULL FOR NO KEY UPDATE
    """
)

# Other quotas. What is counted of the client is not trusted until every process knows of them.
SET_QUOTAS = text(
    f"""
    UPDATE clients SET quotas = CAST(:quotas AS jsonb), stored_items = NULL,
        stored_at = clock_timestamp() + interval '{_UNTIL_KNOWN} seconds'
    WHERE id = :client_id
    """
)

# How many batches of a client have not ended, or begin again by a long action, and how many of
# their items are still to be processed. By ix_batches_client_id_open: as many entries as there are
# such batches. To be executed under the lock, so that it sees what others have added.
COUNT_OPEN = text(
    """
    SELECT count(*) AS batches,
           coalesce(sum(CASE
               WHEN b.finished_at IS NULL
               THEN b.total - b.completed - b.failed - b.invalid - b.canceled - coalesce(s.ended, 0)
               WHEN b.doing = 'retry' THEN b.doing_total
           END), 0) AS items
    FROM batches b
    LEFT JOIN LATERAL (
        SELECT sum(s.completed + s.failed + s.invalid) AS ended
        FROM slices s WHERE s.batch_id = b.id AND b.finished_at IS NULL
    ) s ON true
    WHERE b.client_id = :client_id AND (b.finished_at IS NULL OR b.doing IS NOT NULL)
      AND (b.finished_at IS NULL OR b.doing IN ('retry', 'reset'))
    """
)

# How many items a client's batches have, whatever became of them. By ix_batches_client_id_id: as
# many rows as the client has batches, so it is done once a minute at most, and where the quota
# would be passed.
COUNT_STORED = text(
    "SELECT coalesce(sum(total), 0) AS items FROM batches WHERE client_id = :client_id"
)

# At least as many are stored: what was counted, and what was added since; by the transaction that
# adds it, under the lock.
NOTE_STORED = text("UPDATE clients SET stored_items = :items WHERE id = :client_id")

# What was just counted, where it is to be trusted.
NOTE_COUNTED = text(
    """
    UPDATE clients SET stored_items = :items, stored_at = clock_timestamp()
    WHERE id = :client_id AND (stored_at IS NULL OR stored_at <= clock_timestamp())
    """
)

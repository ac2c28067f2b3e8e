"""What is asked of a check, a dry run whose items are to be submitted."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

# Whether all that was ever put into the batch was put there by that key, by what the audit has of
# it; null where it has nothing (any more). By ix_audit_batch_id_id.
IS_ALL_OF_KEY = text(
    """
    SELECT bool_and(key_id IS NOT DISTINCT FROM CAST(:key_id AS uuid)) FROM audit
    WHERE batch_id = :batch_id
      AND action IN ('batch.submit', 'batch.append', 'batch.reset', 'item.edit')
    """
)


@dataclass(frozen=True, slots=True)
class StoredInput:
    """An item's text as it is stored, and its operation where it names one of its own."""

    index: int
    operation: str | None
    input: str


# At most :limit items of the batch behind the index :after, in that order, and of these no more
# than bring the page to :most_bytes; what does not fit is not sent. By the primary key.
LIST_INPUTS = text(
    """
    SELECT index, operation, input FROM (
        SELECT *, sum(octet_length(input)) OVER (ORDER BY index) - octet_length(input) AS before
        FROM (SELECT i.index, i.operation, CAST(i.input AS text) AS input FROM items i
              WHERE i.batch_id = :batch_id AND i.index > :after
              ORDER BY i.index LIMIT :limit) asked) sized
    WHERE before < :most_bytes ORDER BY index
    """
)

"""How many items ended in each minute: written as batches go on, read by the console's charts."""

from __future__ import annotations

from functools import cache

from sqlalchemy import TextClause, text


def insert_item_history(counted: str) -> str:
    """The INSERT of a row, for a CTE of the statement that adds the counts to a batch.

    `counted`: the CTE with the batch's `client_id` and `operation`; none where it has no row. The
    counts are the parameters :completed, :failed and :invalid. A row of its own, so that nobody
    waits for anybody's.
    """
    return f"""
        INSERT INTO item_history (client_id, operation, completed, failed, invalid)
        SELECT client_id, coalesce(operation, ''), :completed, :failed, :invalid FROM {counted}
        WHERE :completed + :failed + :invalid > 0
    """


@cache
def sum_item_history(*, of_client: bool) -> TextClause:
    """What ended in the last :minutes minutes, by steps of :step minutes, the oldest first.

    `of_client`: of :client_id alone. `ago`: how many steps ago, 0 the one that goes on. By
    ix_item_history_client_id_minute or ix_item_history_minute: a row a minute and operation, and
    of the last minutes more.
    """
    client = "AND client_id = :client_id" if of_client else ""
    return text(
        f"""
        SELECT CAST(floor(extract(epoch FROM date_trunc('minute', now()) - minute)
                          / 60 / :step) AS integer) AS ago,
               sum(completed) AS completed, sum(failed) AS failed, sum(invalid) AS invalid
        FROM item_history
        WHERE minute > date_trunc('minute', now()) - make_interval(mins => :minutes) {client}
        GROUP BY 1 ORDER BY 1 DESC
        """
    )


# Makes one row of those of a minute that has been over for two, at most of :at_once rows: by
# ix_item_history_parts. Rows that somebody else is at are passed over, and may so leave two.
CONDENSE_ITEM_HISTORY = text(
    """
    WITH parts AS (
        SELECT id FROM item_history
        WHERE NOT whole AND minute < date_trunc('minute', now()) - interval '2 minutes'
        ORDER BY minute LIMIT :at_once FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM item_history WHERE id IN (SELECT id FROM parts)
        RETURNING minute, client_id, operation, completed, failed, invalid
    )
    INSERT INTO item_history (minute, client_id, operation, completed, failed, invalid, whole)
    SELECT minute, client_id, operation, sum(completed), sum(failed), sum(invalid), true
    FROM gone GROUP BY minute, client_id, operation
    """
)

# Older than :days days, at most :at_once rows: by ix_item_history_minute.
DELETE_OLD_ITEM_HISTORY = text(
    """
    DELETE FROM item_history WHERE id IN (
        SELECT id FROM item_history WHERE minute < now() - make_interval(days => :days)
        ORDER BY minute LIMIT :at_once FOR UPDATE SKIP LOCKED)
    """
)

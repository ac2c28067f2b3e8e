"""Reading batches as they are shown: the batch's row, and what the slices under way add to it.

A batch's row holds what the waves that were folded in ended with; the slices of the wave that is
under way add to it. So a look costs two short scans by the slices' primary key, whatever the size
of the batch.

The columns are declared with the view (app/batches/batch_view.py) and passed in: SQL expressions
by name, in terms of `b`, the batch; `live`, the sums of its slices' counts, and where items name
theirs the operations of those that are not over; and `held.running`, the number of its items that
claimed slices hold, counted only where `b.may_repeat`.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import ARRAY, TextClause, Uuid, bindparam, text

from app.db.statements.held_items import held_items
from app.db.statements.select_list import select_list

PLAIN = "(b.finished_at IS NOT NULL OR NOT b.may_repeat)"
"""Of which batches no items have to be counted."""
_IDS = bindparam("ids", type_=ARRAY(Uuid()))


def select_batch(columns: Mapping[str, str]) -> TextClause:
    """The batch :batch_id, if it is the client :client_id's. By the primary key."""
    return text(batch_views(columns, where="b.id = :batch_id AND b.client_id = :client_id"))


def select_plain_batch(columns: Mapping[str, str]) -> TextClause:
    """The same, of a batch that has ended or repeats no key, which nearly all have, or do not.

    For these no items are counted, and the statement is planned in half of the time.
    """
    return text(
        batch_views(
            columns,
            where=f"b.id = :batch_id AND b.client_id = :client_id AND {PLAIN}",
            plain=True,
        )
    )


def select_batch_by_reference(columns: Mapping[str, str]) -> TextClause:
    """The batch to which :dialect gave the id :reference. By the index on these three."""
    return text(
        batch_views(
            columns,
            where="b.client_id = :client_id AND b.dialect = :dialect AND b.reference = :reference",
        )
    )


def select_followed_batches(columns: Mapping[str, str], *, plain: bool = False) -> TextClause:
    """The batches :ids, for those who follow them. By the primary key.

    `plain`: those of them that `select_plain_batch` is for.
    """
    where = f"b.id = ANY(:ids) AND {PLAIN}" if plain else "b.id = ANY(:ids)"
    return text(batch_views(columns, where=where, plain=plain)).bindparams(_IDS)


def sum_unfinished_batches(columns: Mapping[str, str]) -> TextClause:
    """How many batches have not ended and how their items stand, by status and operation.

    For the gauges. By the index of the unfinished batches.
    """
    return text(
        f"""
        SELECT status, operation, count(*) AS batches, sum(total) AS total,
               sum(running) AS running, sum(completed) AS completed, sum(failed) AS failed,
               sum(invalid) AS invalid, sum(canceled) AS canceled
        FROM ({batch_views(columns, where="b.finished_at IS NULL")}) shown
        GROUP BY status, operation
        """
    )


# Which of the batches :ids have not ended, or go on by a long action, for those who only wait. By
# the primary key.
SELECT_UNFINISHED = text(
    "SELECT id FROM batches WHERE id = ANY(:ids) AND (finished_at IS NULL OR doing IS NOT NULL)"
).bindparams(_IDS)

# The operation of the client's batch, null where its items name theirs. By the primary key.
SELECT_OPERATION = text(
    "SELECT operation FROM batches WHERE id = :batch_id AND client_id = :client_id"
)


def batch_views(
    columns: Mapping[str, str], *, where: str = "", source: str = "batches", plain: bool = False
) -> str:
    """The statement that all these and lists are made of. `source`: what has the batches' rows.

    `plain`: whether no batch is asked for whose held items would have to be counted.

    The conditions on the batch stand inside the subqueries, since otherwise these are carried out
    for batches of which they are not asked.
    """
    counted = (
        "SELECT 0 AS running"
        if plain
        else f"""
            SELECT count(*) AS running FROM ({held_items("b.id")}) h
            WHERE b.finished_at IS NULL AND b.may_repeat"""
    )
    # Validation (onInvalid: reject) only looks at items, so nothing of it is RUNNING.
    return f"""
        SELECT {select_list(columns)}
        FROM {source} b
        LEFT JOIN LATERAL (
            SELECT sum(s.completed) AS completed, sum(s.failed) AS failed,
                   sum(s.invalid) AS invalid,
                   sum(s.size - s.completed - s.failed - s.invalid)
                       FILTER (WHERE s.state = 'CLAIMED' AND s.phase <> 'validate') AS running,
                   array_agg(DISTINCT s.operation)
                       FILTER (WHERE b.mixed AND s.state <> 'DONE') AS operations
            FROM slices s WHERE s.batch_id = b.id AND b.finished_at IS NULL
        ) live ON true
        LEFT JOIN LATERAL ({counted}) held ON true
        {f"WHERE {where}" if where else ""}
    """

"""Taking a small batch in: the batch, its items and what is shown of it, by one statement."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import TextClause, text

from app.db.statements.audit import insert_audit_row
from app.db.statements.select_list import select_list


def write_batch_at_once(columns: Mapping[str, str]) -> TextClause:
    """Makes a batch with its items, whose number is known already, and shows it.

    `columns`: of the batch's view (app/batches/batch_view.py). The items are given as three arrays
    of texts, in their order: :inputs, :keys, :operations. It is audited, too. Refused by the unique
    key where the client's reference is taken. The new batch has no slices, so there is nothing to
    look up.
    """
    return text(
        f"""
        WITH made AS (
            INSERT INTO batches (
                id, client_id, operation, name, scheduled_at, on_invalid, max_failures,
                max_failure_percent, min_processed, approval, contributors, ramp, ramp_end,
                ramp_wave, dry_run, dry_effects,
                metadata, dialect, reference, request_id, status, phase, queue, total, mixed,
                may_repeat, turn_at)
            VALUES (
                :id, :client_id, :operation, :name, :scheduled_at, :on_invalid, :max_failures,
                CAST(:max_failure_percent AS numeric), :min_processed, :approval,
                CAST(:contributors AS uuid[]), CAST(:ramp AS json), :ramp_end, :ramp_wave,
                :dry_run, :dry_effects,
                :metadata, :dialect, :reference, :request_id, :status, :phase, :queue, :total,
                :mixed, :may_repeat, CASE WHEN :status = 'PENDING' THEN clock_timestamp() END)
            RETURNING *
        ), filled AS (
            INSERT INTO items (batch_id, index, key, operation, input)
            SELECT :id, given.place - 1, given.key, given.operation, CAST(given.input AS json)
            FROM unnest(CAST(:inputs AS text[]), CAST(:keys AS text[]),
                        CAST(:operations AS text[]))
                 WITH ORDINALITY AS given (input, key, operation, place)
        ), audited AS (
            {insert_audit_row("'batch.submit'", client_id=":client_id", batch_id=":id")}
        )
        SELECT {select_list(columns)} FROM made b
        CROSS JOIN (SELECT 0 AS completed, 0 AS failed, 0 AS invalid, 0 AS running,
                           CAST(NULL AS text[]) AS operations) live
        CROSS JOIN (SELECT 0 AS running) held
        """
    )

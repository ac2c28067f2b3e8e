"""The statements on Fluent's jobs, and on which batch belongs to which."""

from __future__ import annotations

from sqlalchemy import text

# A new job of the client's; its number is given by the column itself.
INSERT_JOB = text(
    "INSERT INTO fluent_jobs (client_id, name) VALUES (:client_id, :name) RETURNING id"
)

# A job, if it is the client's: by pk_fluent_jobs. It stays while the transaction lasts, whatever
# FORGET_OLD_JOBS finds; others find it meanwhile, too.
FIND_JOB = text(
    """
    SELECT id, name FROM fluent_jobs WHERE id = :job_id AND client_id = :client_id
    FOR KEY SHARE
    """
)

# A batch is sent under it. Once a day, or those who send at once would wait for each other.
TOUCH_JOB = text(
    """
    UPDATE fluent_jobs SET used_at = now()
    WHERE id = :job_id AND used_at < now() - interval '1 day'
    """
)

# A client's jobs that were not used lately, the oldest :most of them by
# ix_fluent_jobs_client_id_used_at. One whose batches are still there counts as used by them, so
# that however many such there are, others have their turn.
FORGET_OLD_JOBS = text(
    """
    WITH old AS MATERIALIZED (
        SELECT id, EXISTS (SELECT FROM fluent_batches b WHERE b.job_id = j.id) AS used
        FROM fluent_jobs j
        WHERE client_id = :client_id AND used_at < now() - make_interval(days => :days)
        ORDER BY used_at LIMIT :most FOR UPDATE SKIP LOCKED
    ), kept AS (
        UPDATE fluent_jobs j SET used_at = now() FROM old WHERE j.id = old.id AND old.used
    )
    DELETE FROM fluent_jobs j USING old WHERE j.id = old.id AND NOT old.used
    """
)

# The number that a new batch is known by.
TAKE_NUMBER = text("SELECT nextval('fluent_batch_ids')")

# Put a new batch under a job.
INSERT_BATCH = text("INSERT INTO fluent_batches (batch_id, job_id) VALUES (:batch_id, :job_id)")

# The job that a batch belongs to: by pk_fluent_batches.
FIND_JOB_OF_BATCH = text("SELECT job_id FROM fluent_batches WHERE batch_id = :batch_id")

"""The statements on Fluent's jobs, and on which batch belongs to which."""

from __future__ import annotations

from sqlalchemy import text

# A new job of the client's; its number is given by the column itself.
INSERT_JOB = text(
    "INSERT INTO fluent_jobs (client_id, name) VALUES (:client_id, :name) RETURNING id"
)

# A job, if it is the client's: by pk_fluent_jobs.
FIND_JOB = text("SELECT id, name FROM fluent_jobs WHERE id = :job_id AND client_id = :client_id")

# The number that a new batch is known by.
TAKE_NUMBER = text("SELECT nextval('fluent_batch_ids')")

# Put a new batch under a job.
INSERT_BATCH = text("INSERT INTO fluent_batches (batch_id, job_id) VALUES (:batch_id, :job_id)")

# The job that a batch belongs to: by pk_fluent_batches.
FIND_JOB_OF_BATCH = text("SELECT job_id FROM fluent_batches WHERE batch_id = :batch_id")

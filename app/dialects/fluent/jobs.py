"""Fluent's jobs: names under which a client sends batches, and the numbers of both.

A job is kept as long as any of its batches is there, and as batches are (`RETENTION_DAYS`) after it
was last used. Those of a client go as it makes others, several for each that it makes, so that in
the end there are no more of them than it made within that time, and those that have batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from app.audit.recording import record
from app.batches.batch_view import BatchView
from app.core.errors import NotFound
from app.db import read
from app.dialects.common.batches import find
from app.dialects.fluent.dialect import NAME
from app.dialects.fluent.statements import (
    FIND_JOB,
    FIND_JOB_OF_BATCH,
    FORGET_OLD_JOBS,
    INSERT_BATCH,
    INSERT_JOB,
    TAKE_NUMBER,
    TOUCH_JOB,
)
from app.web.auth import caller
from app.web.services import services

_LARGEST_ID = 2**63 - 1
# Old jobs that are looked at with each that is made.
GO_AT_ONCE = 10


@dataclass(frozen=True, slots=True)
class Job:
    """A job of the caller's."""

    id: int
    name: str


def make_job(connection: Connection, name: str) -> int:
    """Make a job of the caller's, some of whose old ones go; its number."""
    client_id = caller().client_id
    if (days := services().settings.retention_days) > 0:
        old = {"client_id": client_id, "days": days, "most": GO_AT_ONCE}
        connection.execute(FORGET_OLD_JOBS, old)
    made = connection.execute(INSERT_JOB, {"client_id": client_id, "name": name})
    job_id = int(made.scalar_one())
    record(connection, "job.create", client_id=client_id, detail={"jobId": job_id, "name": name})
    return job_id


def find_job(connection: Connection, jobid: str) -> Job:
    """The caller's job, which stays while the transaction lasts.

    Raises NotFound: unknown, malformed, or another client's.
    """
    found = connection.execute(
        FIND_JOB, {"job_id": _number(jobid), "client_id": caller().client_id}
    ).one_or_none()
    if found is None:
        raise NotFound(f"There is no job {jobid!r}.")
    return Job(found.id, found.name)


def take_number(connection: Connection) -> str:
    """A number for a new batch, as text: it becomes the batch's `reference`."""
    return str(connection.execute(TAKE_NUMBER).scalar_one())


def put_batch_under(connection: Connection, job: Job, batch_id: UUID) -> None:
    """Let the batch belong to the job, which `find_job` found in the same transaction."""
    connection.execute(TOUCH_JOB, {"job_id": job.id})
    connection.execute(INSERT_BATCH, {"batch_id": batch_id, "job_id": job.id})


def find_batch(jobid: str, reference: str) -> BatchView:
    """The caller's batch, if it belongs to that job. Raises NotFound."""
    batch = find(NAME, reference)
    job_id = read(
        services().engine,
        lambda connection: connection.execute(
            FIND_JOB_OF_BATCH, {"batch_id": batch.id}
        ).scalar_one_or_none(),
    )
    if str(job_id) != jobid:
        raise NotFound(f"There is no batch {reference!r} in job {jobid!r}.")
    return batch


def _number(text: str) -> int:
    """The id that a path names. Raises NotFound for what cannot be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and not text.startswith("0")):
        raise NotFound(f"There is no job {text!r}.")
    return min(int(text), _LARGEST_ID)

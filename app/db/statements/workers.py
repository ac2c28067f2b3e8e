"""Worker processes: a row each, as long as they live. There are a few hundred at most."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text

from app.db.statements.breakers import OPEN_BREAKERS
from app.db.statements.rows import columns
from app.db.statements.served_operations import NOTE_LAST_SERVED

# A heartbeat, the first of which makes the row. How long ago something was is told in seconds, as
# clocks differ. By the primary key. Tells which breakers are open.
BEAT_WORKER = text(
    f"""
    INSERT INTO workers (id, hostname, machine, pid, main_pid, queue, slots, queues, operations,
                         busy, took_at, starving_since, tries, undoes)
    VALUES (:id, :host, :machine, :pid, :main_pid, :queue, :slots,
            CAST(:queues AS text[]), CAST(:operations AS text[]), :busy,
            clock_timestamp() - make_interval(secs => :idle),
            clock_timestamp() - make_interval(secs => CAST(:starving AS float)),
            CAST(:tries AS jsonb), true)
    ON CONFLICT (id) DO UPDATE SET heartbeat_at = clock_timestamp(), busy = excluded.busy,
        took_at = excluded.took_at, starving_since = excluded.starving_since,
        tries = excluded.tries
    RETURNING {OPEN_BREAKERS} AS breakers
    """
)

# Processes that stop: what they still hold may be taken over at once. By the primary key.
DELETE_WORKERS = text(
    f"""
    WITH gone AS (DELETE FROM workers WHERE id = ANY(:ids) RETURNING operations, heartbeat_at),
    {NOTE_LAST_SERVED}
    SELECT count(*) FROM gone
    """
)

# Silent for ten times as long as makes a claim stale; nothing of theirs is left. By
# ix_workers_heartbeat_at; one that is being written is passed over.
DELETE_GONE_WORKERS = text(
    f"""
    WITH gone AS (
        DELETE FROM workers WHERE id IN (
            SELECT id FROM workers WHERE heartbeat_at < now() - make_interval(secs => :stale * 10)
            ORDER BY heartbeat_at LIMIT 1000 FOR UPDATE SKIP LOCKED)
        RETURNING operations, heartbeat_at),
    {NOTE_LAST_SERVED}
    SELECT count(*) FROM gone
    """
)

# Which live processes have taken nothing for `:patience` seconds, although they could and messages
# wait. By ix_workers_heartbeat_at.
FIND_STARVING_WORKERS = text(
    """
    SELECT id, hostname, pid, queue FROM workers
    WHERE heartbeat_at > now() - make_interval(secs => :stale)
      AND starving_since < now() - make_interval(secs => :patience)
    """
)

# The queues that a live process takes from. One that takes nothing although it could is none; one
# of a release that does not tell takes from what its kind does. By ix_workers_heartbeat_at.
LIST_TAKEN_QUEUES = text(
    """
    SELECT DISTINCT unnest(coalesce(queues, ARRAY[queue])) FROM workers
    WHERE heartbeat_at > now() - make_interval(secs => :stale)
      AND (starving_since IS NULL OR starving_since > now() - make_interval(secs => :patience))
    """
)

# Which rows are those of processes of this machine.
FIND_WORKERS_OF_PIDS = text("SELECT id FROM workers WHERE machine = :machine AND pid = ANY(:pids)")


@dataclass(frozen=True, slots=True)
class WorkerHere:
    """A worker process of this machine."""

    id: UUID
    pid: int
    main_pid: int | None
    ended: str | None


# Processes of a machine that hold slices: a sweep that runs there can look them up, without waiting
# for a silence. By ix_slices_state.
FIND_WORKERS_HERE = text(
    f"""
    SELECT DISTINCT {columns(WorkerHere, "w")}
    FROM workers w JOIN slices s ON s.worker_id = w.id
    WHERE s.state = 'CLAIMED' AND w.machine = :machine
    """
)

# How many slices may run at once, by the heartbeats of those that consume the queue, and do. By
# ix_workers_heartbeat_at.
COUNT_SLOTS = text(
    """
    SELECT coalesce(sum(slots), 0) FROM workers
    WHERE queue = :queue AND heartbeat_at > now() - make_interval(secs => :stale)
      AND starving_since IS NULL
    """
)

# What a process died of: how, machine, pid. For psycopg2 itself, on a connection of its own.
NOTE_DEATH = "UPDATE workers SET ended = %s WHERE machine = %s AND pid = %s"


@dataclass(frozen=True, slots=True)
class ShownWorker:
    """A live worker process, as people are shown it. `silent`: seconds since its last sign."""

    id: UUID
    hostname: str
    pid: int
    queue: str
    slots: int
    busy: int | None
    started_at: datetime
    took_at: datetime | None
    starving_since: datetime | None
    silent: float
    operations: int | None


# Who gave a sign within :stale seconds: by ix_workers_heartbeat_at.
LIST_LIVE_WORKERS = text(
    """
    SELECT id, hostname, pid, queue, slots, busy, started_at, took_at, starving_since,
           CAST(extract(epoch FROM now() - heartbeat_at) AS float) AS silent,
           cardinality(operations) AS operations
    FROM workers WHERE heartbeat_at > now() - make_interval(secs => :stale)
    ORDER BY queue, hostname, pid LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class ShownWork:
    """A slice that a worker process is at. `operation`: None where its items name theirs."""

    worker_id: UUID
    batch_id: UUID
    client_id: UUID
    name: str | None
    operation: str | None
    claimed_at: datetime


# What workers are at, the longest first; there is at most one slice for each slot. By
# ix_slices_state, and the batches by their id.
LIST_WORK_UNDER_WAY = text(
    """
    SELECT s.worker_id, s.batch_id, b.client_id, b.name,
           coalesce(s.operation, b.operation) AS operation, s.claimed_at
    FROM slices s JOIN batches b ON b.id = s.batch_id
    WHERE s.state = 'CLAIMED' AND s.worker_id IS NOT NULL
    ORDER BY s.claimed_at LIMIT :limit
    """
)

"""What concerns no table: locks that are no rows, timeouts, and others' sessions."""

from __future__ import annotations

from sqlalchemy import text

# Who adds slices to a wave of the batch does so alone: two takeovers would give out the same
# numbers, and the batch's row may not be locked after a slice's. Until the transaction ends.
LOCK_WAVE_NUMBERS = text("SELECT pg_advisory_xact_lock(hashtextextended(:batch_id, 7203))")

# What holds for each of our sessions, in one round trip. Those whose client died, or that stay idle
# in a transaction, must not hold locks for ever. Nested-loop plans over short arrays are all there
# is here; compiling them costs more than running them. A role's own limits are for people at a
# prompt: a submission's COPY, or a long step, would break at them each time that it is tried.
SET_SESSION_DEFAULTS = """
    SET timezone = 'UTC';
    SET idle_in_transaction_session_timeout = '60s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SET jit = off;
    SET statement_timeout = 0;
    SET lock_timeout = 0
"""

# What a role may have been given, and our sessions do without: limits on how long a transaction
# lasts (Postgres 17), and a session between two of them (14). For psycopg2, once it has connected.
SET_NO_TRANSACTION_TIMEOUT = "SET transaction_timeout = 0"
SET_NO_IDLE_SESSION_TIMEOUT = "SET idle_session_timeout = 0"

# For a claim, which need not survive a crash of Postgres: if it is lost, the slice is READY. And
# for a sweep's note.
COMMIT_UNHURRIED = text("SET LOCAL synchronous_commit = off")

# For a process that must end, and for the sweep: a session that lingers does not keep it.
LIMIT_WAIT_FOR_LOCKS = text("SET LOCAL lock_timeout = '3s'")

# While handlers use the transaction: no statement outlasts the longest of their limits (a handler
# that waits for Postgres cannot be interrupted otherwise), and none is cut short for its silence.
# And the slice's claim, by which the transaction is known again.
SET_TIMEOUTS = text(
    """
    SELECT set_config('statement_timeout', :statement, true),
           set_config('idle_in_transaction_session_timeout', :idle, true),
           set_config('batchline.claim', :claim, true)
    """
)

# Afterwards the transaction is for the outcomes: no limit, and a savepoint, should they be refused.
# Two statements in one round trip. The claim is the one that was set above; in another transaction,
# should a handler have begun one, it is not.
BEGIN_OUTCOMES = text(
    """
    SAVEPOINT outcomes;
    SELECT current_setting('batchline.claim', true), set_config('statement_timeout', '0', true)
    """
)

# They were refused. (What was set since the savepoint is undone too.)
UNDO_OUTCOMES = text("ROLLBACK TO SAVEPOINT outcomes; SET LOCAL statement_timeout = 0")

# Ends the sessions of those names, but this one and those that do nothing just then. The call
# waits, up to a second, until each has ended.
END_SESSIONS = text(
    """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE application_name = ANY(:names) AND datname = current_database()
      AND pid <> pg_backend_pid() AND state <> 'idle'
    """
)

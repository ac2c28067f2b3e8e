"""The sweep: one at a time, and when the last one was."""

from __future__ import annotations

from sqlalchemy import text

# One sweep at a time: false where another is at it. Until the transaction ends, which does next to
# nothing else, so that no row waits for it and nothing dead is kept.
TRY_SWEEP_LOCK = text("SELECT pg_try_advisory_xact_lock(72031118)")

# A sweep whose process is frozen gives its lock up. Each of its parts takes a third of that.
LIMIT_SILENCE_OF_SWEEP = text("SET LOCAL idle_in_transaction_session_timeout = '15s'")

# Between two parts: the lock is kept, and is still there.
KEEP_SWEEP_LOCK = text("SELECT")

# It is through. The one row, by its primary key, under that lock.
NOTE_SWEEP = text(
    """
    INSERT INTO sweeps (swept_at) VALUES (clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET swept_at = excluded.swept_at
    """
)

# Whether the last one was more than `seconds` ago, or there has been none.
IS_SWEEP_OVERDUE = text(
    """
    SELECT NOT EXISTS (
        SELECT FROM sweeps WHERE swept_at >= clock_timestamp() - make_interval(secs => :seconds))
    """
)

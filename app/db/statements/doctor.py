"""What `batchline doctor` asks of Postgres. Nothing here locks or writes anything."""

from __future__ import annotations

from sqlalchemy import text

# The server, as it is to this session: its release, connections, clock, and the schema, which is
# none where the role may use none.
DESCRIBE_SERVER = text(
    """
    SELECT current_setting('server_version') AS release,
           CAST(current_setting('server_version_num') AS int) AS number,
           current_setting('server_encoding') AS encoding,
           CAST(current_setting('max_connections') AS int)
             - CAST(current_setting('superuser_reserved_connections') AS int) AS most_connections,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
             AS connections,
           CAST(extract(epoch FROM clock_timestamp()) AS float) AS clock,
           current_user AS role,
           CAST(current_schema() AS text) AS schema
    """
)

# The tables that this role may not read, or not write to. Only the schema's revision is for its
# owner alone.
LIST_FORBIDDEN_TABLES = text(
    """
    SELECT c.relname FROM pg_class c
    WHERE c.relnamespace = CAST(current_schema() AS regnamespace) AND c.relkind IN ('r', 'p')
      AND NOT (
          has_table_privilege(c.oid, 'SELECT')
          AND (c.relname = 'alembic_version'
               OR (has_table_privilege(c.oid, 'INSERT') AND has_table_privilege(c.oid, 'UPDATE')
                   AND has_table_privilege(c.oid, 'DELETE'))))
    ORDER BY 1
    """
)

# Seconds since the last sweep; no row where there was none.
FIND_LAST_SWEEP = text(
    "SELECT CAST(extract(epoch FROM clock_timestamp() - swept_at) AS float) FROM sweeps"
)

# The machines and processes that are alive, with what they take from. By ix_workers_heartbeat_at.
COUNT_LIVE_WORKERS = text(
    """
    SELECT count(*) AS processes, count(DISTINCT machine) AS machines FROM workers
    WHERE heartbeat_at > now() - make_interval(secs => :stale)
    """
)

"""What `batchline doctor` asks of Postgres. Nothing here locks or writes anything."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

# Sessions of clients. What a session of another role is for Postgres does not tell everybody.
_SESSIONS = """
    SELECT usesysid, datid, application_name, client_addr FROM pg_stat_activity
    WHERE coalesce(backend_type, 'client backend') = 'client backend'
      AND usesysid IS NOT NULL AND datid IS NOT NULL
"""

# The server, as it is to this session: its release, connections, clock, and the schema, which is
# none where the role may use none.
DESCRIBE_SERVER = text(
    f"""
    SELECT current_setting('server_version') AS release,
           CAST(current_setting('server_version_num') AS int) AS number,
           current_setting('server_encoding') AS encoding,
           CAST(current_setting('max_connections') AS int)
             - CAST(current_setting('superuser_reserved_connections') AS int) AS most_connections,
           (SELECT count(*) FROM ({_SESSIONS}) s) AS connections,
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

# The machines and processes that are alive, the slices that they run at once, and how many of them
# send webhooks. By ix_workers_heartbeat_at.
COUNT_LIVE_WORKERS = text(
    """
    SELECT count(*) AS processes, count(DISTINCT machine) AS machines,
           coalesce(sum(slots), 0) AS slots,
           count(*) FILTER (WHERE 'slow' = ANY(coalesce(queues, ARRAY[queue]))) AS senders
    FROM workers WHERE heartbeat_at > now() - make_interval(secs => :stale)
    """
)


@dataclass(frozen=True, slots=True)
class ConnectionLimit:
    """How many connections there may be, by what, and how many of them are not Batchline's."""

    by: str
    most: int
    others: int


# What bounds the connections of this session's role to this database. Of another role's database
# what is called like ours is not.
LIST_CONNECTION_LIMITS = text(
    f"""
    WITH sessions AS ({_SESSIONS}), others AS (
        SELECT s.* FROM sessions s JOIN pg_database d ON d.oid = s.datid
        WHERE NOT (d.datname = current_database() AND s.application_name LIKE 'batchline-%')
    )
    SELECT 'max_connections' AS by,
           CAST(current_setting('max_connections') AS int)
             - CAST(current_setting('superuser_reserved_connections') AS int)
             - coalesce(CAST(current_setting('reserved_connections', true) AS int), 0) AS most,
           (SELECT count(*) FROM others) AS others
    UNION ALL
    SELECT 'the role''s CONNECTION LIMIT', r.rolconnlimit,
           (SELECT count(*) FROM others o WHERE o.usesysid = r.oid)
    FROM pg_roles r WHERE r.rolname = current_user AND r.rolconnlimit >= 0
    UNION ALL
    SELECT 'the database''s CONNECTION LIMIT', d.datconnlimit,
           (SELECT count(*) FROM others o WHERE o.datid = d.oid)
    FROM pg_database d WHERE d.datname = current_database() AND d.datconnlimit >= 0
    """
)

# Machines from which web processes of this role and database are connected.
COUNT_WEB_MACHINES = text(
    f"""
    SELECT count(DISTINCT coalesce(host(s.client_addr), ''))
    FROM ({_SESSIONS}) s JOIN pg_database d ON d.oid = s.datid
    WHERE s.application_name = 'batchline-web' AND d.datname = current_database()
    """
)

# Which of Postgres' processes this session has.
GET_BACKEND = text("SELECT pg_backend_pid()")

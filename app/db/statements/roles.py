"""The role that Batchline's processes use, which owns nothing and may do no more than they must.

Names and passwords cannot be parameters of such statements, so Postgres itself makes their text.
"""

from __future__ import annotations

from sqlalchemy import text

# Whether there is a role of that name.
FIND_ROLE = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :role)")

# The statement that makes the role.
FORMAT_CREATE_ROLE = text(
    """
    SELECT format('CREATE ROLE %I LOGIN PASSWORD %L',
                  CAST(:role AS text), CAST(:password AS text))
    """
)

# The statements that let the role read and write what there is in the schema, and what later
# migrations of this same owner will make; but not the schema itself, nor its revision.
FORMAT_GRANTS = text(
    """
    SELECT format(said, CAST(:role AS text), current_schema(), current_database()) FROM (VALUES
        (1, 'GRANT CONNECT ON DATABASE %3$I TO %1$I'),
        (2, 'GRANT USAGE ON SCHEMA %2$I TO %1$I'),
        (3, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %2$I TO %1$I'),
        (4, 'GRANT USAGE ON ALL SEQUENCES IN SCHEMA %2$I TO %1$I'),
        (5, 'REVOKE INSERT, UPDATE, DELETE ON %2$I.alembic_version FROM %1$I'),
        (6, 'ALTER DEFAULT PRIVILEGES IN SCHEMA %2$I '
            'GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO %1$I'),
        (7, 'ALTER DEFAULT PRIVILEGES IN SCHEMA %2$I GRANT USAGE ON SEQUENCES TO %1$I')
    ) statements (place, said) ORDER BY place
    """
)

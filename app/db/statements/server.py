"""What is asked of the server itself, whatever its tables: its clock, its databases, its locks."""

from __future__ import annotations

from sqlalchemy import text

# Whether a moment is over, by Postgres' clock.
COMPARE_CLOCK = text("SELECT CAST(:moment AS timestamptz) <= clock_timestamp()")

# Keeps two processes from migrating at once, until the commit.
LOCK_MIGRATIONS = text("SELECT pg_advisory_xact_lock(:key)")

# For psycopg2 itself, before there is a database to connect SQLAlchemy to. The name of the one that
# is created is put in by psycopg2.sql, as names cannot be parameters.
FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = %s"
CREATE_DATABASE = "CREATE DATABASE {}"

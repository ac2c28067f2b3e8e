"""What is asked of the server itself, whatever its tables: its clock, its databases, its locks."""

from __future__ import annotations

from sqlalchemy import text

# Whether a moment is over, by Postgres' clock.
COMPARE_CLOCK = text("SELECT CAST(:moment AS timestamptz) <= clock_timestamp()")

# Keeps two processes from migrating at once, until the commit.
LOCK_MIGRATIONS = text("SELECT pg_advisory_xact_lock(:key)")

# Whether there is a database of that name. For psycopg2 itself, as there may be none to connect
# SQLAlchemy to.
FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = %s"

# A new database, whose name psycopg2.sql puts in: names cannot be parameters.
CREATE_DATABASE = "CREATE DATABASE {}"

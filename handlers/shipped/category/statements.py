"""What `catalog.category` asks Postgres for beside its records."""

from __future__ import annotations

from sqlalchemy import text

# So that a client's moves are made one after the other, until the commit. An advisory lock: no row.
LOCK_MOVES = text("SELECT pg_advisory_xact_lock(:space, hashtext(:client))")

# Numbers for new categories, as many as are asked for in one round trip. A sequence: no row.
TAKE_IDS = text("SELECT nextval('category_ids') FROM generate_series(1, :count)")

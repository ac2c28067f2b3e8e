"""A dry run that calls handlers: what they do in a slice's transaction is undone before it ends.

Between the two, the transaction cannot be committed: Postgres refuses it by the trigger
`slices_undoing`, whoever says so, a handler on the driver's connection among them.
"""

from __future__ import annotations

from sqlalchemy import text

# Before handlers are called. HOLD_CLAIM has locked the slice. By its claim: the table is small.
BEGIN_UNDOING = text(
    """
    SAVEPOINT before_effects;
    UPDATE slices SET undoing = true WHERE claim = :claim
    """
)

# They are through, and with them their limit.
LIFT_TIMEOUT = text("SET LOCAL statement_timeout = 0")

# What would only have been refused at the commit is refused now. (The trigger knows the words.)
CHECK_CONSTRAINTS = text("SET CONSTRAINTS ALL IMMEDIATE")

# Back to before they were called, with the locks that are no part of a transaction. Whether that
# was where they began: a handler may have had a savepoint of the same name.
UNDO_EFFECTS = text(
    """
    ROLLBACK TO SAVEPOINT before_effects;
    RELEASE SAVEPOINT before_effects;
    SELECT pg_advisory_unlock_all();
    SELECT NOT undoing FROM slices WHERE claim = :claim
    """
)

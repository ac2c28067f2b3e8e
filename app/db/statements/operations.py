"""Operations: what they cost, and the gates of their limits. A row each, by the primary key."""

from __future__ import annotations

from sqlalchemy import text

# Seconds that an item has lately cost one process.
GET_COST = text("SELECT seconds_per_item FROM operation_costs WHERE operation = :operation")

# A wave's figure, weighed against what was known.
LEARN_COST = text(
    """
    INSERT INTO operation_costs (operation, seconds_per_item)
    VALUES (:operation, :seconds)
    ON CONFLICT (operation) DO UPDATE SET
        seconds_per_item = operation_costs.seconds_per_item * (1 - :weight)
                           + excluded.seconds_per_item * :weight,
        updated_at = now()
    """
)

# The first slice of an operation with a limit.
CREATE_GATE = text(
    "INSERT INTO operation_gates (operation) VALUES (:operation) ON CONFLICT DO NOTHING"
)

# Locked before one of the operation's slices is claimed. Returns seconds until the rate lets the
# next item begin; negative if it already does.
LOCK_GATE = text(
    """
    SELECT extract(epoch FROM free_at - clock_timestamp()) FROM operation_gates
    WHERE operation = :operation FOR UPDATE
    """
)

# Items begin now that take up `seconds` of the rate. LOCK_GATE has locked the row.
TAKE_TURN = text(
    """
    UPDATE operation_gates
    SET free_at = greatest(free_at, clock_timestamp()) + make_interval(secs => :seconds)
    WHERE operation = :operation
    """
)

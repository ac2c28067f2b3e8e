"""Operations: what they cost, and the gates of their limits. A row each, by the primary key."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import text

from app.db.statements.rows import columns


@dataclass(frozen=True, slots=True)
class CostSums:
    """What slices of an operation have lately cost, as sums: see app.db.models.engine."""

    seconds_per_item: float
    weight: float
    items: float
    seconds: float
    items_squared: float
    items_seconds: float


# What it costs.
GET_COST = text(f"SELECT {columns(CostSums)} FROM operation_costs WHERE operation = :operation")

# What an item of each has lately cost, in seconds of a worker. A row an operation.
LIST_COSTS = text("SELECT operation, seconds_per_item FROM operation_costs")

# New slices' sums, beside which what was known counts a part, `keep`. Nobody waits for another who
# does the same: after a tenth of a second it is an error.
LEARN_COST = text(
    """
    SET LOCAL lock_timeout = '100ms';
    INSERT INTO operation_costs AS known
        (operation, seconds_per_item, weight, items, seconds, items_squared, items_seconds)
    VALUES (:operation, :seconds / :items, :weight, :items, :seconds, :items_squared,
            :items_seconds)
    ON CONFLICT (operation) DO UPDATE SET
        seconds_per_item = (known.seconds * :keep + excluded.seconds)
                           / (known.items * :keep + excluded.items),
        weight = known.weight * :keep + excluded.weight,
        items = known.items * :keep + excluded.items,
        seconds = known.seconds * :keep + excluded.seconds,
        items_squared = known.items_squared * :keep + excluded.items_squared,
        items_seconds = known.items_seconds * :keep + excluded.items_seconds,
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

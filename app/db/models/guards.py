"""Triggers that refuse a move which the state machine does not have."""

from __future__ import annotations

from collections.abc import Mapping

from app.core.lifecycle import BATCH_MOVES, BREAKER_MOVES, ITEM_MOVES

GUARD_FUNCTION = """
CREATE FUNCTION refuse_transition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may not go from % to %', TG_TABLE_NAME, OLD.status, NEW.status
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME;
END $$
"""


def guard(table: str, moves: Mapping[str, tuple[str, ...]]) -> str:
    """The CREATE TRIGGER for `table`.

    The WHEN clause decides, so that a move that is allowed costs no function call.
    """
    allowed = " OR ".join(
        f"(OLD.status = '{start}' AND NEW.status IN ({_listed(ends)}))"
        for start, ends in moves.items()
        if ends
    )
    return (
        f"CREATE TRIGGER {table}_transition BEFORE UPDATE OF status ON {table} FOR EACH ROW "
        f"WHEN (OLD.status <> NEW.status AND NOT ({allowed})) "
        "EXECUTE FUNCTION refuse_transition()"
    )


def _listed(values: tuple[str, ...]) -> str:
    return ", ".join(f"'{value}'" for value in values)


GUARDS = (
    guard("batches", BATCH_MOVES),
    guard("items", ITEM_MOVES),
    guard("breakers", BREAKER_MOVES),
)

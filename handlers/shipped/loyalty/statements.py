"""The statements on `wallets` and `ledger_entries`. Rows go in as arrays, one statement a slice."""

from __future__ import annotations

from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import Integer, Numeric, Text, TypeEngine

_TYPES: dict[str, TypeEngine[Any]] = {
    "players": Text(),
    "transactions": Text(),
    "numbers": Integer(),
    "changes": Numeric(),
    "balances": Numeric(),
}


def _on_arrays(sql: str, *names: str) -> TextClause:
    """`sql`, whose parameters of these names are arrays."""
    return text(sql).bindparams(*(bindparam(name, type_=ARRAY(_TYPES[name])) for name in names))


def _select_wallets(lock: str = "") -> TextClause:
    return _on_arrays(
        f"""
        SELECT player, balance, entries FROM wallets
        WHERE client_id = :client AND player = ANY(:players) ORDER BY player {lock}
        """,
        "players",
    )


# Empty wallets for players without one, in the order in which wallets are locked: pk_wallets.
OPEN_WALLETS = _on_arrays(
    """
    INSERT INTO wallets (client_id, player)
    SELECT :client, u.player FROM unnest(:players) AS u (player) ORDER BY u.player COLLATE "C"
    ON CONFLICT DO NOTHING
    """,
    "players",
)

# The wallets of some players as they stand, by pk_wallets.
READ_WALLETS = _select_wallets()

# The same, held until the commit. Always in the order of the players, so that nobody waits for each
# other in a circle.
LOCK_WALLETS = _select_wallets("FOR NO KEY UPDATE")

# What some transactions' ids have been used for, by pk_ledger_entries.
FIND_ENTRIES = _on_arrays(
    """
    SELECT transaction_id, operation, player, abs(change) AS amount FROM ledger_entries
    WHERE client_id = :client AND transaction_id = ANY(:transactions)
    """,
    "transactions",
)

# Entries, but for those whose id another transaction has used first (pk_ledger_entries tells).
WRITE_ENTRIES = _on_arrays(
    """
    INSERT INTO ledger_entries
        (client_id, transaction_id, player, number, operation, change, balance, batch_id)
    SELECT :client, u.transaction_id, u.player, u.number, :operation, u.change, u.balance, :batch
    FROM unnest(:transactions, :players, :numbers, :changes, :balances)
         AS u (transaction_id, player, number, change, balance)
    ORDER BY u.transaction_id COLLATE "C"
    ON CONFLICT (client_id, transaction_id) DO NOTHING RETURNING transaction_id
    """,
    "transactions",
    "players",
    "numbers",
    "changes",
    "balances",
)

# The wallets after their entries, by pk_wallets.
UPDATE_WALLETS = _on_arrays(
    """
    UPDATE wallets SET balance = u.balance, entries = u.number
    FROM unnest(:players, :numbers, :balances) AS u (player, number, balance)
    WHERE wallets.client_id = :client AND wallets.player = u.player
    """,
    "players",
    "numbers",
    "balances",
)

"""What must hold once everything has ended."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import Engine, text

from tests.chaos.load import Sent
from tests.chaos.misbehaving import IN_DATABASE

_COUNTS = text(
    """
    SELECT b.id, b.status, b.total, b.completed, b.failed, b.invalid, b.canceled,
           count(i.index) AS items,
           count(*) FILTER (WHERE i.status = 'SUCCESS') AS succeeded,
           count(*) FILTER (WHERE i.status = 'FAILED') AS items_failed,
           count(*) FILTER (WHERE i.status = 'PENDING') AS items_pending
    FROM batches b LEFT JOIN items i ON i.batch_id = b.id
    WHERE b.client_id = :client GROUP BY b.id
    """
)

# How the items of a batch ended, and how often each took effect: the versions of its record.
_CASE = text(
    """
    SELECT i.index AS place, i.status, i.attempts, i.crashes, i.input->>'kind' AS kind, i.message,
           coalesce((SELECT r.version FROM records r
                     WHERE r.client_id = :client AND r.collection = 'chaos'
                       AND r.key = i.input->>'id'), 0) AS effects
    FROM items i WHERE i.batch_id = :batch ORDER BY i.index
    """
)

# Whatever the clocks of those that wrote them said.
_WRONG_TIMES = text(
    """
    SELECT 'batch ' || id AS what, created_at, started_at, finished_at, now() AS now
    FROM batches
    WHERE started_at < created_at OR finished_at < started_at
       OR greatest(created_at, started_at, finished_at) > clock_timestamp()
    UNION ALL
    SELECT 'item ' || i.batch_id || ':' || i.index, i.created_at, i.started_at, i.finished_at, now()
    FROM items i JOIN batches b ON b.id = i.batch_id
    WHERE i.started_at < i.created_at OR i.finished_at < i.started_at
       OR i.started_at < b.started_at OR i.finished_at > b.finished_at
       OR greatest(i.created_at, i.started_at, i.finished_at) > clock_timestamp()
    UNION ALL
    SELECT 'worker ' || id, started_at, heartbeat_at, NULL, now() FROM workers
    WHERE greatest(started_at, heartbeat_at) > clock_timestamp()
    UNION ALL
    SELECT 'record ' || collection || ' ' || key, updated_at, NULL, NULL, now() FROM records
    WHERE updated_at > clock_timestamp()
    LIMIT 10
    """
)


def wrong_times(engine: Engine) -> list[str]:
    """Every time in the rows that is in the future, or before what it must come after."""
    with engine.connect() as connection:
        rows = connection.execute(_WRONG_TIMES).all()
    return [f"times that cannot be: {row}" for row in rows]


def problems(
    engine: Engine, client_id: UUID, sent: list[Sent], received: dict[str, list[str]]
) -> list[str]:
    """Every way in which the rows, the ledger or the receiver are not as they must be."""
    found = wrong_times(engine)
    with engine.connect() as connection:
        rows = {
            str(row.id): row for row in connection.execute(_COUNTS, {"client": client_id}).all()
        }
        wallets = {
            row.key: Decimal(json.loads(row.data)["balance"])
            for row in connection.execute(
                text(
                    """
                    SELECT key, data::text FROM records
                    WHERE client_id = :client AND collection = 'wallet'
                    """
                ),
                {"client": client_id},
            )
        }
        masterlist = Counter(
            row.key[1:9]
            for row in connection.execute(
                text(
                    """
                    SELECT key, version FROM records WHERE client_id = :client
                      AND collection = 'masterlist' AND version = 1
                    """
                ),
                {"client": client_id},
            )
        )
        left = connection.execute(
            text("SELECT count(*) FROM slices s JOIN batches b ON b.id = s.batch_id")
        ).scalar_one()
    accepted = {one.batch_id: one for one in sent if one.batch_id}
    if left:
        found.append(f"{left} slices are left over")
    for batch_id in rows.keys() - accepted.keys():
        found.append(f"{batch_id} is stored though its caller never got a 202")
    for batch_id, one in accepted.items():
        row = rows.get(batch_id or "")
        if row is None:
            found.append(f"{batch_id} was accepted and is gone")
            continue
        if row.items != one.count or row.total != one.count:
            found.append(f"{batch_id}: {row.items} items of {one.count}, total {row.total}")
        if row.items_pending or (row.completed, row.failed) != (row.succeeded, row.items_failed):
            found.append(f"{batch_id}: summary and items differ: {row}")
        if one.guilty is not None:
            found += _case_problems(engine, client_id, one, row)
        elif row.status != "SUCCESS":
            found.append(f"{batch_id} ({one.operation}) ended {row.status}: {row}")
        if one.operation == "catalog.masterlist" and masterlist[one.key] != one.count:
            found.append(f"{batch_id}: {masterlist[one.key]} records written once of {one.count}")
        if one.operation == "http.request":
            found += _http_problems(one, received)
    expected: dict[str, Decimal] = {}
    for one in accepted.values():
        for player, amount in one.expected.items():
            expected[player] = expected.get(player, Decimal(0)) + amount
    for player in expected.keys() | wallets.keys():
        if expected.get(player) != wallets.get(player):
            found.append(
                f"wallet {player}: {wallets.get(player)} instead of {expected.get(player)}"
            )
    return found


def _case_problems(engine: Engine, client_id: UUID, one: Sent, row: Any) -> list[str]:
    """Of a batch of which one item's handler misbehaves: only it may fail."""
    with engine.connect() as connection:
        items = connection.execute(_CASE, {"batch": one.batch_id, "client": client_id}).all()
    found = []
    if row.status != "PARTIAL":
        found.append(f"{one.batch_id} ({one.operation}) ended {row.status}: {row}")
    for item in items:
        guilty = item.place == one.guilty
        effects = int(one.operation in IN_DATABASE and not guilty)
        if (item.status, item.effects) != ("FAILED" if guilty else "SUCCESS", effects):
            kind = items[one.guilty or 0].kind
            found.append(f"{one.batch_id} ({one.operation}, {kind}, {one.guilty}): {item}")
    return found


def _http_problems(one: Sent, received: dict[str, list[str]]) -> list[str]:
    found = []
    for number in range(one.count):
        bodies = set(received.get(f"{one.batch_id}:{number}", []))
        wanted = {json.dumps({"run": one.key, "number": number}, sort_keys=True)}
        if bodies != wanted:
            found.append(f"{one.batch_id}:{number} brought {bodies or 'nothing'}")
    return found

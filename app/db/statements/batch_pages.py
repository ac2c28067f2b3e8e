"""A batch as the console's page shows it: with what went wrong, what was done, and who was told.

All of that in one statement, since a page that is left open asks each second. What stands beside
the batch comes as JSON text, which tells one state of it from another without being read, and is
read (`failures_of`, `actions_of`, `deliveries_of`) where something is made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from uuid import UUID

import msgspec
from sqlalchemy import TextClause, text

from app.db.statements.batch_views import PLAIN, batch_views
from app.db.statements.failure_lists import OTHER_MESSAGE

FAILURES, ACTIONS, DELIVERIES = "failure_list", "action_list", "delivery_list"
"""The columns that stand beside the batch's own; null where there is nothing."""
CLIENT_NAME = "client_name"
"""What its client is called; only where it may be any client's."""
# Milliseconds between the clocks of two of Batchline's processes, and of Postgres, at the most.
_APART = 600_000
_CLIENT_NAME = f", (SELECT c.name FROM clients c WHERE c.id = shown.client_id) AS {CLIENT_NAME}"
_LAST_ID = "ffffffff-ffff-ffff-ffff-ffffffffffff"


@dataclass(frozen=True, slots=True)
class FailureCount:
    """A failure of the batch, and how many of its items have it.

    `operation`, `status`, `code`: none of those beyond a batch's thousandth.
    """

    failure: str
    operation: str | None
    status: str | None
    code: int | None
    message: str
    count: int


@dataclass(frozen=True, slots=True)
class Action:
    """Something that was done with the batch. `key_id`: None for the command line."""

    at: datetime
    action: str
    key_id: UUID | None
    key_name: str | None
    address: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook that was told of the batch, or is to be. `answer_status`: of the last try."""

    id: UUID
    webhook_id: UUID
    url: str
    event: str
    status: str
    attempts: int
    created_at: datetime
    tried_at: datetime | None
    answer_status: int | None


_FAILURES = msgspec.json.Decoder(list[FailureCount])
_ACTIONS = msgspec.json.Decoder(list[Action])
_DELIVERIES = msgspec.json.Decoder(list[Delivery])


def failures_of(found: str | None) -> list[FailureCount]:
    """What the column `FAILURES` holds, the most frequent first."""
    return [] if found is None else _FAILURES.decode(found)


def actions_of(found: str | None) -> list[Action]:
    """What the column `ACTIONS` holds, the newest first."""
    return [] if found is None else _ACTIONS.decode(found)


def deliveries_of(found: str | None) -> list[Delivery]:
    """What the column `DELIVERIES` holds, the newest first."""
    return [] if found is None else _DELIVERIES.decode(found)


def select_batch_beside(columns: Mapping[str, str], *, of_client: bool, plain: bool) -> TextClause:
    """The batch :batch_id with its :failures, :actions and :deliveries, at most so many of each.

    `of_client`: only if it is the client :client_id's, with what that did with it; else whosever
    it is, with what anybody did. `plain`: only one that has ended or repeats no key, as
    `select_plain_batch`. Of what no index finds at most :look_at_actions are read and, for each
    webhook, :look_at_deliveries. By the primary keys of batches, slices, failures and their counts;
    ix_audit_batch_id_id; ix_webhooks_client_id_id and ix_webhook_deliveries_webhook_id_id.
    """
    return _select(tuple(columns.items()), of_client, plain)


@cache
def _select(columns: tuple[tuple[str, str], ...], of_client: bool, plain: bool) -> TextClause:
    where = "b.id = :batch_id"
    if of_client:
        where += " AND b.client_id = :client_id"
    if plain:
        where += f" AND {PLAIN}"
    return text(
        f"""
        SELECT shown.*,
               CASE WHEN shown.failed + shown.invalid > 0 THEN ({_failures()}) END AS {FAILURES},
               ({_actions(of_client=of_client)}) AS {ACTIONS},
               ({_deliveries()}) AS {DELIVERIES}
               {"" if of_client else _CLIENT_NAME}
        FROM ({batch_views(dict(columns), where=where, plain=plain)}) shown
        """
    )


def _failures() -> str:
    return f"""
        SELECT json_agg(f ORDER BY f.count DESC, f.failure DESC)::text FROM (
            SELECT t.failure, f.operation, f.status, f.code,
                   coalesce(f.message, {OTHER_MESSAGE}) AS message, t.count
            FROM (
                SELECT failure, sum(count)::bigint AS count FROM failure_counts
                WHERE batch_id = :batch_id GROUP BY failure HAVING sum(count) > 0
                ORDER BY 2 DESC, 1 DESC LIMIT :failures
            ) t LEFT JOIN failures f ON f.batch_id = :batch_id AND f.failure = t.failure
        ) f
    """


def _actions(*, of_client: bool) -> str:
    whose = "AND a.client_id = :client_id" if of_client else ""
    return f"""
        SELECT json_agg(a ORDER BY a.id DESC)::text FROM (
            SELECT a.id, a.at, a.action, a.key_id, a.key_name, a.address FROM (
                SELECT * FROM audit a WHERE a.batch_id = :batch_id
                ORDER BY a.id DESC LIMIT :look_at_actions
            ) a WHERE true {whose} ORDER BY a.id DESC LIMIT :actions
        ) a
    """


def _deliveries() -> str:
    # A delivery's id is of the moment of its event, and no event of a batch is older than its id,
    # or newer than its end: so they are looked for among the latest :look_at_deliveries of then.
    return f"""
        SELECT json_agg(d ORDER BY d.id DESC)::text FROM (
            SELECT d.* FROM webhooks w CROSS JOIN LATERAL (
                SELECT l.id, l.webhook_id, w.url, l.event, l.status, l.attempts, l.created_at,
                       l.tried_at, l.answer_status, l.batch_id
                FROM webhook_deliveries l
                WHERE l.webhook_id = w.id AND l.id >= :earliest_delivery
                  AND l.id < {_latest("shown.finished_at")}
                ORDER BY l.id DESC LIMIT :look_at_deliveries
            ) d
            WHERE w.client_id = shown.client_id AND d.batch_id = :batch_id
            ORDER BY d.id DESC LIMIT :deliveries
        ) d
    """


def _latest(moment: str) -> str:
    """What no UUIDv7 is above that was made until then, by whichever clock."""
    made = f"to_hex(CAST(extract(epoch FROM {moment}) * 1000 AS bigint) + {_APART})"
    return f"coalesce(CAST(rpad(lpad({made}, 12, '0'), 32, '0') AS uuid), '{_LAST_ID}'::uuid)"


def earliest_delivery(batch_id: UUID) -> UUID:
    """What no delivery that tells of the batch is below: its parameter `:earliest_delivery`."""
    return UUID(int=max(0, batch_id.int - (_APART << 80)))

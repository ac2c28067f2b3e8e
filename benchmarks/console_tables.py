"""What an installation looks like after two weeks of work, for the console's pages to be read from.

20,000 batches of all ends, some of them in trouble, with their failures, audit, webhook deliveries
and minutes; and one large batch beside them, which is started when it is measured.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import psycopg2

from app.core.ids import earliest_id, new_id
from benchmarks.feed import ASIN_SQL, OPERATION, RESULT

DAYS = 14
WEBHOOKS = 5
_DELIVERIES_EACH = 20_000
_AT_ONCE = 100_000
_FAILURES = 12
# The batches' columns that are written: the others have their defaults.
_BATCH_COLUMNS = (
    "id, client_id, name, operation, status, reference, metadata, created_at, started_at, "
    "finished_at, total, completed, failed, wave, next_index"
)
# Every twentieth item of a batch in trouble failed, by one of a dozen causes.
_ITEMS = f"""
    INSERT INTO items (batch_id, index, key, input, status, attempts, code, message, failure,
                       result, created_at, started_at, finished_at)
    SELECT id, index, asin || ':US', ('{{"asin":"' || asin || '","countryCode":"US"}}')::json,
           CASE WHEN bad THEN 'FAILED' ELSE 'SUCCESS' END, 1,
           CASE WHEN bad THEN 503 END,
           CASE WHEN bad THEN 'The shop did not answer (' || index %% {_FAILURES} || ')' END,
           CASE WHEN bad THEN lpad(to_hex(index %% {_FAILURES}), 16, 'f') END,
           CASE WHEN NOT bad THEN '{RESULT}'::json END, created_at, created_at, created_at
    FROM (SELECT b.id, b.created_at, n AS index, b.failed > 0 AND n %% 20 = 0 AS bad,
                 {ASIN_SQL} AS asin
          FROM batches b CROSS JOIN generate_series(0::bigint, b.total - 1) AS n
          WHERE b.id >= %(first)s AND b.id < %(end)s) AS made
"""
_COUNTS = """
    INSERT INTO failure_counts (batch_id, failure, status, spread, count)
    SELECT batch_id, failure, status, 0, count(*) FROM items
    WHERE failure IS NOT NULL GROUP BY 1, 2, 3
"""
_CAUSES = """
    INSERT INTO failures (batch_id, failure, number, operation, status, code, message)
    SELECT batch_id, failure, row_number() OVER (PARTITION BY batch_id) - 1, %(operation)s, status,
           503, 'The shop did not answer in time (…)'
    FROM failure_counts
"""
_AUDIT = """
    INSERT INTO audit (id, at, action, client_id, key_id, key_name, address, request_id, batch_id)
    SELECT CAST(overlay(CAST(b.id AS text) PLACING to_char(n, 'FM000') FROM 16 FOR 3) AS uuid),
           b.created_at, 'batch.' || CASE n WHEN 1 THEN 'submit' ELSE 'retry' END, b.client_id,
           %(key)s, 'default', '192.0.2.7', 'bench', b.id
    FROM batches b CROSS JOIN generate_series(1, 3) AS n
"""
_WEBHOOK = """
    INSERT INTO webhooks (id, client_id, url, events, secret)
    VALUES (%s, %s, %s, ARRAY['batch.finished'], 'whsec_bench')
"""
_DELIVERIES = """
    INSERT INTO webhook_deliveries (id, webhook_id, batch_id, event, body, status, attempts,
                                    next_at, created_at, tried_at, finished_at, answer_status)
    SELECT CAST(overlay(CAST(b.id AS text) PLACING to_char(w.n, 'FM000') FROM 16 FOR 3) AS uuid),
           w.id, b.id, 'batch.finished', %(body)s, 'DELIVERED', 1, NULL,
           b.created_at, b.created_at, b.created_at, 200
    FROM (SELECT id, row_number() OVER () AS n FROM webhooks) w
         CROSS JOIN (SELECT * FROM batches ORDER BY id DESC LIMIT %(each)s) b
"""
_HISTORY = """
    INSERT INTO item_history (minute, client_id, operation, completed, failed, invalid, whole)
    SELECT date_trunc('minute', now()) - make_interval(mins => n), %(client)s, 'bench.' || o,
           n %% 700, n %% 7, n %% 3, true
    FROM generate_series(1, %(days)s * 1440) AS n CROSS JOIN generate_series(1, 4) AS o
"""
_LARGE_ITEMS = f"""
    INSERT INTO items (batch_id, index, key, input)
    SELECT %(batch)s, n - %(base)s, asin || ':DE',
           ('{{"asin":"' || asin || '","countryCode":"DE","percACoS":2.7}}')::json
    FROM (SELECT n, {ASIN_SQL} AS asin FROM generate_series(%(first)s::bigint, %(last)s) AS n) AS p
"""
_TABLES = (
    "batches, items, failures, failure_counts, audit, webhooks, webhook_deliveries, item_history"
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was written. `failed`: a batch in trouble. `large`: the one that is still OPEN."""

    failed: UUID
    large: UUID
    webhook: UUID


def load(
    dsn: str, client_id: UUID, key_id: UUID, *, batches: int, items: int, large: int
) -> Loaded:
    """Fill the tables: `items` over `batches`, and one batch of `large` more. Analyzed."""
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    dice = random.Random(14)  # noqa: S311 (nothing is secret)
    rows = list(_batches(dice, client_id, batches, max(1, items // batches)))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET synchronous_commit = off")
            text = StringIO("".join("\t".join(map(str, row)) + "\n" for row in rows))
            cursor.copy_expert(f"COPY batches ({_BATCH_COLUMNS}) FROM STDIN", text)
            step = max(1, _AT_ONCE // max(1, items // batches))
            ids = [row[0] for row in rows] + [UUID(int=2**128 - 1)]
            for first in range(0, len(rows), step):
                end = ids[min(first + step, len(rows))]
                cursor.execute(_ITEMS, {"first": str(ids[first]), "end": str(end)})
            cursor.execute(_COUNTS)
            cursor.execute(_CAUSES, {"operation": OPERATION})
            cursor.execute(_AUDIT, {"key": str(key_id)})
            webhook = _webhooks(cursor, client_id)
            cursor.execute(_HISTORY, {"client": str(client_id), "days": DAYS})
            large_id = _large(cursor, client_id, large)
            cursor.execute(f"VACUUM ANALYZE {_TABLES}")
            cursor.execute("CHECKPOINT")
    finally:
        connection.close()
    return Loaded(max(row[0] for row in rows if row[4] == "PARTIAL"), large_id, webhook)


def _batches(
    dice: random.Random, client_id: UUID, number: int, size: int
) -> Iterator[tuple[Any, ...]]:
    began = datetime.now(UTC) - timedelta(days=DAYS)
    for n in range(number):
        moment = began + timedelta(days=DAYS) * (n / (number + 1))
        bad = n % 10 == 0
        failed = -(-size // 20) if bad else 0
        yield (
            UUID(int=earliest_id(moment).int | 7 << 76 | 2 << 62 | dice.getrandbits(61)),
            client_id,
            f"feed {n:05} of {dice.choice(('north', 'south', 'east', 'west'))}",
            OPERATION,
            "PARTIAL" if bad else "SUCCESS",
            f"order-{n}",
            f'{{"region": "{dice.choice(("eu", "us"))}", "run": {n}}}',
            moment,
            moment,
            moment,
            size,
            size - failed,
            failed,
            1,
            size,
        )


def _webhooks(cursor: Any, client_id: UUID) -> UUID:
    first = uuid4()
    for n in range(WEBHOOKS):
        made = first if n == 0 else uuid4()
        cursor.execute(_WEBHOOK, (str(made), str(client_id), f"https://example.org/hooks/{n}"))
    cursor.execute(_DELIVERIES, {"each": _DELIVERIES_EACH, "body": '{"type":"batch.finished"}'})
    return first


def _large(cursor: Any, client_id: UUID, items: int) -> UUID:
    made = new_id()
    cursor.execute(
        "INSERT INTO batches (id, client_id, name, operation, status, total) "
        "VALUES (%s, %s, 'the large one', %s, 'OPEN', %s)",
        (str(made), str(client_id), OPERATION, items),
    )
    base = 1 << 26
    for first in range(base, base + items, _AT_ONCE):
        last = min(base + items, first + _AT_ONCE) - 1
        cursor.execute(
            _LARGE_ITEMS, {"batch": str(made), "base": base, "first": first, "last": last}
        )
    return made

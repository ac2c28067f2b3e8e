"""A million rows of earlier batches, so that nothing is measured on empty tables."""

from __future__ import annotations

from uuid import UUID

import psycopg2

from app.core.ids import new_id
from benchmarks.feed import ASIN_SQL, COLLECTION, OPERATION, RESULT

ITEMS_A_BATCH = 20_000

_BATCH = """
    INSERT INTO batches (id, client_id, operation, status, created_at, started_at, finished_at,
                         total, completed, wave, next_index)
    VALUES (%(batch)s, %(client)s, %(operation)s, 'SUCCESS', now() - interval '1 day',
            now() - interval '1 day', now() - interval '1 day', %(count)s, %(count)s, 1, %(count)s)
"""
_ITEMS = f"""
    INSERT INTO items (batch_id, index, key, input, status, attempts, result, created_at,
                       started_at, finished_at)
    SELECT %(batch)s, n - %(first)s, asin || ':US',
           ('{{"asin":"' || asin || '","countryCode":"US","percACoS":2.7}}')::json, 'SUCCESS', 1,
           '{RESULT}'::json, now() - interval '1 day', now() - interval '1 day',
           now() - interval '1 day'
    FROM (SELECT n, {ASIN_SQL} AS asin
          FROM generate_series(%(first)s::bigint, %(first)s + %(count)s - 1) AS n) AS products
"""
_RECORDS = """
    INSERT INTO records (client_id, collection, key, data)
    SELECT %(client)s, %(collection)s, key, input FROM items WHERE batch_id = %(batch)s ORDER BY key
"""


def load(dsn: str, client_id: UUID, rows: int) -> None:
    """Fill the tables with ended batches of `rows` items and their records, vacuumed, analyzed.

    Their products are those from number 0 on.
    """
    connection = psycopg2.connect(dsn)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for first in range(0, rows, ITEMS_A_BATCH):
                values = {
                    "batch": str(new_id()),
                    "client": str(client_id),
                    "operation": OPERATION,
                    "collection": COLLECTION,
                    "first": first,
                    "count": min(ITEMS_A_BATCH, rows - first),
                }
                for statement in (_BATCH, _ITEMS, _RECORDS):
                    cursor.execute(statement, values)
            cursor.execute("VACUUM ANALYZE batches, items, records")
            cursor.execute("CHECKPOINT")
    finally:
        connection.close()

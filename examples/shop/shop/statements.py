"""The statements on `shop.stock`. Rows go in as arrays: one statement, whatever their number."""

from __future__ import annotations

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.types import BigInteger, Text

_PLACES = (bindparam("skus", type_=ARRAY(Text)), bindparam("warehouses", type_=ARRAY(Text)))

# Places without a row get one. What is locked must be there: two batches that both found nothing
# would each begin from 0, and one of them be forgotten.
OPEN_PLACES = text(
    """
    INSERT INTO shop.stock (client_id, sku, warehouse, pieces)
    SELECT :client, u.sku, u.warehouse, 0 FROM unnest(:skus, :warehouses) AS u (sku, warehouse)
    ORDER BY u.sku COLLATE "C", u.warehouse COLLATE "C"
    ON CONFLICT DO NOTHING
    """
).bindparams(*_PLACES)

# Held until the commit. Always in the order of the primary key, so that nobody waits in a circle.
LOCK_PLACES = text(
    """
    SELECT s.sku, s.warehouse, s.pieces FROM shop.stock s
    JOIN unnest(:skus, :warehouses) AS u (sku, warehouse)
        ON s.client_id = :client AND s.sku = u.sku AND s.warehouse = u.warehouse
    ORDER BY s.sku, s.warehouse FOR UPDATE OF s
    """
).bindparams(*_PLACES)

# What there is now, of places that are locked.
WRITE_STOCK = text(
    """
    UPDATE shop.stock s SET pieces = u.pieces
    FROM unnest(:skus, :warehouses, :pieces) AS u (sku, warehouse, pieces)
    WHERE s.client_id = :client AND s.sku = u.sku AND s.warehouse = u.warehouse
    """
).bindparams(*_PLACES, bindparam("pieces", type_=ARRAY(BigInteger)))

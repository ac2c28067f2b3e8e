"""Operations that fail with what the item holds in the words of the failure."""

from __future__ import annotations

import warnings

from marshmallow import Schema
from sqlalchemy import text

from handlers import Context, Item, Outcome, operation
from handlers.fields import Text


class CanarySchema(Schema):
    """`do` says how it fails; `canary` is what no log may show."""

    do = Text(required=True)
    canary = Text(required=True)


@operation("canary.fail", schema=CanarySchema, max_attempts=2, backoff_seconds=0.1)
def fail(item: Item, context: Context) -> Outcome:
    """Fail as the item asks, quoting it."""
    do, canary = item.data["do"], item.data["canary"]
    if do == "raise":
        raise ValueError(f"cannot work on {canary}")
    if do == "chain":
        try:
            {}[canary]
        except KeyError as error:
            raise RuntimeError(f"no {canary}") from error
    if do == "syntax":
        context.connection.execute(text("SELECT CAST(:value AS integer)"), {"value": canary})
    if do == "duplicate":
        # Its DETAIL quotes the row.
        insert = text(
            """
            INSERT INTO clients (id, name, api_key, secret_hash, scopes)
            SELECT gen_random_uuid(), :value || n, :value, :value, '{}' FROM generate_series(1, 2) n
            """
        )
        context.connection.execute(insert, {"value": canary})
    if do == "print":
        print("a handler\nprints two lines")  # noqa: T201
        warnings.warn("a handler warns\nof something", stacklevel=1)
    return Outcome()

"""Prices told to a web shop: `shop.publish_price` sends each by HTTP.

What is sent cannot be taken back, so an item may be sent twice (its worker dies before it could
write down that it was done): the idempotency key lets the other side notice.
"""

from __future__ import annotations

import os
from functools import cache

import httpx
from marshmallow import Schema, validate

from batchline import Context, Item, Outcome, Reject, Retry, operation
from batchline.fields import Number, Reference


class PriceSchema(Schema):
    """A price, in the shop's own currency."""

    sku = Reference(required=True)
    price = Number(required=True, places=2, validate=validate.Range(min=0))


@cache
def client() -> httpx.Client:
    """The one client of this process, for all of its threads; made when it is first needed.

    Its limits are below the operation's `timeout_seconds`: a thread cannot be interrupted.
    """
    return httpx.Client(
        base_url=os.environ["SHOP_URL"],
        timeout=httpx.Timeout(10, connect=3, pool=5),
        limits=httpx.Limits(max_connections=32, max_keepalive_connections=32),
    )


@operation(
    "shop.publish_price",
    schema=PriceSchema,
    key=("sku",),
    in_database=False,
    queue="slow",
    timeout_seconds=20,
    max_attempts=5,
    rate_limit=100,
)
def publish(item: Item, context: Context) -> Outcome:
    """Tell the web shop a price."""
    try:
        response = client().put(
            f"/prices/{item.data['sku']}",
            json={"price": str(item.data["price"])},
            headers={"Idempotency-Key": context.idempotency_key(item)},
        )
    except httpx.TransportError as error:
        raise Retry(f"The shop cannot be reached: {type(error).__name__}") from error
    if response.status_code in (429, 503):
        after = response.headers.get("Retry-After", "")
        raise Retry(
            "The shop is busy",
            after=float(after) if after.isdigit() else None,
            code=response.status_code,
        )
    if response.is_server_error:
        raise Retry(f"The shop answered {response.status_code}", code=response.status_code)
    if not response.is_success:
        raise Reject(f"The shop answered {response.status_code}", code=response.status_code)
    return Outcome({"status": response.status_code})

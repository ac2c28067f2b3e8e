"""Quartile's dialect and its words."""

from __future__ import annotations

from app.dialects.common.credentials import authorization, header, key_and_secret
from app.dialects.common.dialect import Dialect, in_header
from app.dialects.common.status_map import batch_words
from app.dialects.quartile.examples import EXAMPLES
from app.web.blueprint import DescribedBlueprint

NAME = "quartile"
MOST_ITEMS = 100

BATCH = batch_words(
    PENDING="OPEN SCHEDULED AWAITING PENDING",
    RUNNING="RUNNING PAUSED",
    SUCCESS="SUCCESS",
    PARTIAL="PARTIAL",
    FAILED="FAILED CANCELED",
)

blueprint = DescribedBlueprint(NAME, __name__, description="Quartile's batch processing.")
dialect = Dialect(
    NAME,
    blueprint,
    words=BATCH,
    examples=EXAMPLES,
    prefixes=("/amazon",),
    most_items=lambda _: MOST_ITEMS,
    extract=key_and_secret(api_key=header("Subscription-Key"), secret=authorization()),
    security={
        "quartileSubscriptionKey": in_header("Subscription-Key"),
        "quartileAccessToken": {"type": "http", "scheme": "bearer"},
    },
)

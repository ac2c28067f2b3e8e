"""Gameball's dialect and its words."""

from __future__ import annotations

from app.dialects.common.credentials import header, key_and_secret
from app.dialects.common.dialect import Dialect, in_header
from app.dialects.common.status_map import batch_words
from app.dialects.gameball.examples import EXAMPLES
from app.web.blueprint import DescribedBlueprint

NAME = "gameball"
MOST_ENTRIES = 1000

BATCH = batch_words(
    Queued="OPEN SCHEDULED AWAITING PENDING",
    Running="RUNNING PAUSED",
    Completed="SUCCESS PARTIAL FAILED",
    Stopped="CANCELED",
)

blueprint = DescribedBlueprint(NAME, __name__, description="Gameball's batches.")
dialect = Dialect(
    NAME,
    blueprint,
    words=BATCH,
    examples=EXAMPLES,
    prefixes=("/integrations",),
    most_items=lambda _: MOST_ENTRIES,
    extract=key_and_secret(api_key=header("APIKey"), secret=header("SecretKey")),
    security={
        "gameballApiKey": in_header("APIKey"),
        "gameballSecretKey": in_header("SecretKey"),
    },
)

"""Nilo's dialect and its words."""

from __future__ import annotations

from app.dialects.common.credentials import authorization, header, key_and_secret
from app.dialects.common.dialect import Dialect, in_header
from app.dialects.common.status_map import batch_words, item_words
from app.dialects.nilo.examples import EXAMPLES
from app.web.blueprint import DescribedBlueprint

NAME = "nilo"

BATCH = batch_words(
    processing="OPEN SCHEDULED AWAITING PENDING RUNNING PAUSED",
    completed="SUCCESS",
    partial="PARTIAL",
    failed="FAILED CANCELED",
)
ITEM = item_words(
    processing="PENDING RUNNING", completed="SUCCESS", failed="FAILED INVALID CANCELED"
)

blueprint = DescribedBlueprint(NAME, __name__, description="Nilo's Batch Operations API.")
dialect = Dialect(
    NAME,
    blueprint,
    words=BATCH,
    item_words=ITEM,
    examples=EXAMPLES,
    prefixes=("/batch",),
    extract=key_and_secret(api_key=header("x-api-key"), secret=authorization(bare=True)),
    security={
        "niloApiKey": in_header("x-api-key"),
        "niloAuthorization": in_header("Authorization"),
    },
)

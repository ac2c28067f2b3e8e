"""Kibo's dialect and its words."""

from __future__ import annotations

from app.batches.batch_view import BatchView
from app.dialects.common import batches
from app.dialects.common.dialect import Dialect
from app.dialects.common.status_map import batch_words, item_words
from app.dialects.kibo.examples import EXAMPLES
from app.web.blueprint import DescribedBlueprint

NAME = "kibo"

JOB = batch_words(
    Ready="OPEN PENDING RUNNING PAUSED",
    Pending="SCHEDULED AWAITING",
    Completed="SUCCESS PARTIAL FAILED",
    Canceled="CANCELED",
)
# An item whose target does not exist ends FAILED with code 404: that, too, is ValidationFailed.
ITEM = item_words(
    Waiting="PENDING",
    Running="RUNNING",
    Completed="SUCCESS",
    ValidationFailed="INVALID",
    Failed="FAILED",
    Canceled="CANCELED",
)
RESOURCES = {
    "Products": ("catalog.product.add", "catalog.product.update", "catalog.product.delete"),
    "ProductProperty": (
        "catalog.property.add",
        "catalog.property.update",
        "catalog.property.delete",
    ),
    "Pricelistentries": (
        "catalog.pricelist_entry.add",
        "catalog.pricelist_entry.update",
        "catalog.pricelist_entry.delete",
    ),
}

blueprint = DescribedBlueprint(NAME, __name__, description="Kibo's batch import.")
dialect = Dialect(
    NAME,
    blueprint,
    words=JOB,
    item_words=ITEM,
    examples=EXAMPLES,
    prefixes=("/platform", "/commerce"),
    most_items=lambda settings: settings.max_items_stream,
)


def find_job(code: str) -> BatchView:
    """The caller's job of that code. Raises NotFound."""
    return batches.find(NAME, code)

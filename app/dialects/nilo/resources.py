"""What can be updated by Nilo's API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma

from app.dialects.nilo.examples import EXAMPLES
from handlers.shipped.catalog.handler import AvailabilitySchema, PriceSchema, PromotionSchema


@dataclass(frozen=True, slots=True)
class Resource:
    """Something that can be updated. `code`: the field that names it in a detail's `endpoint`."""

    name: str
    action: str
    operation: str
    schema: type[ma.Schema]
    code: str
    example: Mapping[str, Any]


RESOURCES = (
    Resource(
        "product",
        "availability",
        "catalog.availability",
        AvailabilitySchema,
        "product",
        EXAMPLES["item"],
    ),
    Resource("price", "update", "catalog.price", PriceSchema, "product", EXAMPLES["price"]),
    Resource(
        "promotion",
        "update",
        "catalog.promotion",
        PromotionSchema,
        "promotion",
        EXAMPLES["promotion"],
    ),
)

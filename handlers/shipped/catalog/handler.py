"""Upserts of a shop's catalog: availability, prices, promotions and the advertising masterlist.

The items follow the examples of the Nilo and Quartile documents.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, validate, validates_schema

from handlers.contract import Context, Item, Outcome
from handlers.fields import Flag, Number, Reference, Text, Timestamp, WholeNumber
from handlers.registry import operation

CURRENCY = validate.Regexp(r"^[A-Z]{3}$", error="Must be three capital letters.")
COUNTRY = validate.Regexp(r"^[A-Z]{2}$", error="Must be two capital letters.")
NOT_NEGATIVE = validate.Range(min=0)


class AvailabilitySchema(Schema):
    """Availability of a product in a store."""

    product = Reference(required=True)
    store = WholeNumber(required=True)
    available = Flag(required=True)
    units = WholeNumber(required=True, validate=NOT_NEGATIVE)


class PriceSchema(Schema):
    """Price of a product in a store."""

    product = Reference(required=True)
    store = WholeNumber(required=True)
    price = Number(required=True, validate=NOT_NEGATIVE)
    currency = Text(required=True, validate=CURRENCY)


class PromotionSchema(Schema):
    """A promotion of a product for some time."""

    promotion = Reference(required=True)
    product = Reference(required=True)
    discount = Number(required=True, validate=NOT_NEGATIVE)
    startsAt = Timestamp(required=True)
    endsAt = Timestamp(required=True)

    @validates_schema
    def check_order(self, data: dict[str, Any], **_: Any) -> None:
        """A promotion ends after it starts."""
        if data["endsAt"] <= data["startsAt"]:
            raise ValidationError("Must be after startsAt.", "endsAt")


class MasterlistSchema(Schema):
    """An advertised product's target, by country."""

    asin = Reference(required=True)
    countryCode = Text(required=True, validate=COUNTRY)
    percACoS = Number(required=True, validate=NOT_NEGATIVE)


def _offer(collection: str, description: str, schema: type[Schema], key: tuple[str, ...]) -> None:
    """Register `catalog.<collection>`, which writes each item's data as a record."""

    @operation(
        f"catalog.{collection}",
        description=description,
        schema=schema,
        key=key,
        collection=collection,
        bulk=True,
    )
    def upsert(items: list[Item], context: Context) -> list[Outcome]:
        rows = [(str(item.key), item.data) for item in items]
        return [
            Outcome({"process": "INSERT" if new else "UPDATE"})
            for new in context.records.upsert(collection, rows)
        ]


_offer(
    "availability",
    "Set the availability of a product in a store.",
    AvailabilitySchema,
    ("product", "store"),
)
_offer("price", "Set the price of a product in a store.", PriceSchema, ("product", "store"))
_offer("promotion", "Set a promotion.", PromotionSchema, ("promotion",))
_offer(
    "masterlist",
    "Insert or update a product's advertising target in a country.",
    MasterlistSchema,
    ("asin", "countryCode"),
)

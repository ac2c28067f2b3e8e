"""Products, their properties and their price list entries: added, updated and deleted.

The items follow Kibo's documents, which are open-ended: the schema asks for the codes that name
the document, and takes every further field and keeps it exactly as it was sent. A document is
added only where there is none (else code 409), updated and deleted only where there is one (else
code 404). An update replaces the whole document, as Kibo's PUT does. Each kind stands for itself:
a property does not ask for its product, and goes only when it is deleted itself.
"""

from __future__ import annotations

from typing import Any

from marshmallow import INCLUDE, Schema, post_load

from handlers.contract import Answer, Context, Item, Outcome, Reject
from handlers.fields import Reference, Text
from handlers.registry import operation
from handlers.shipped.catalog.handler import CURRENCY


class DocumentSchema(Schema):
    """The codes are checked; all other fields are kept as they are."""

    class Meta:
        unknown = INCLUDE

    @post_load(pass_original=True)
    def in_order(self, data: dict[str, Any], original: dict[str, Any], **_: Any) -> dict[str, Any]:
        """The fields in the order that they were sent in; marshmallow shuffles the unknown ones."""
        return {name: data[name] for name in original}


class ProductSchema(DocumentSchema):
    """A product; further fields are kept."""

    productCode = Reference(required=True)


class PropertySchema(DocumentSchema):
    """A property of a product; further fields are kept."""

    productCode = Reference(required=True)
    attributeFQN = Reference(required=True)


class PriceListEntrySchema(DocumentSchema):
    """The entry of a product in a price list, in one currency; further fields are kept."""

    priceListCode = Reference(required=True)
    productCode = Reference(required=True)
    currencyCode = Text(required=True, validate=CURRENCY)


def _rows(items: list[Item]) -> list[tuple[str, Any]]:
    return [(str(item.key), item.data) for item in items]


def _offer(collection: str, title: str, schema: type[Schema], key: tuple[str, ...]) -> None:
    """Register `catalog.<collection>.add`, `.update` and `.delete`, which share one key."""
    common: dict[str, Any] = {
        "schema": schema,
        "key": key,
        "collection": collection,
        "bulk": True,
    }

    @operation(
        f"catalog.{collection}.add", description=f"Add a {title}, if there is none.", **common
    )
    def add(items: list[Item], context: Context) -> list[Answer]:
        done = context.records.insert(collection, _rows(items))
        return _answers(items, done, "INSERT", 409, "already exists")

    @operation(
        f"catalog.{collection}.update", description=f"Replace a {title}, if there is one.", **common
    )
    def update(items: list[Item], context: Context) -> list[Answer]:
        done = context.records.update(collection, _rows(items))
        return _answers(items, done, "UPDATE", 404, "does not exist")

    @operation(
        f"catalog.{collection}.delete", description=f"Delete a {title}, if there is one.", **common
    )
    def delete(items: list[Item], context: Context) -> list[Answer]:
        done = context.records.delete(collection, [str(item.key) for item in items])
        return _answers(items, done, "DELETE", 404, "does not exist")

    def _answers(
        items: list[Item], done: list[bool], process: str, code: int, problem: str
    ) -> list[Answer]:
        return [
            Outcome({"process": process})
            if well
            else Reject(f'{title.capitalize()} "{item.key}" {problem}', code=code)
            for item, well in zip(items, done, strict=True)
        ]


_offer("product", "product", ProductSchema, ("productCode",))
_offer("property", "product property", PropertySchema, ("productCode", "attributeFQN"))
_offer(
    "pricelist_entry",
    "price list entry",
    PriceListEntrySchema,
    ("priceListCode", "productCode", "currencyCode"),
)

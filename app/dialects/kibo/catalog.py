"""The catalog's paths, by which items are added to a job: one an item, or many in bulk.

Each says by its method what is to be done: POST adds, PUT updates, DELETE deletes. The codes of
the path belong to the item; where its body has them too, they have to be the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import marshmallow as ma
import msgspec
from flask import Response

from app.core.errors import FieldError, Malformed
from app.core.jsontext import loads
from app.dialects.common.bodies import Items, Sent, read_items, read_object
from app.dialects.common.documents import array_of, takes
from app.dialects.kibo.adding import add_items
from app.dialects.kibo.dialect import blueprint, dialect
from app.dialects.kibo.examples import EXAMPLES
from app.dialects.kibo.schemas import KiboAdded, KiboJobQuery
from app.formats.raw_item import RawItem
from app.web.idempotency import IDEMPOTENCY_KEY
from app.web.responses import encode
from handlers.shipped.products.handler import PriceListEntrySchema, ProductSchema, PropertySchema

_CATALOG = "/commerce/catalog/admin"
_PRODUCT = f"{_CATALOG}/products/<productCode>"
_PROPERTY = f"{_PRODUCT}/Properties/<attributeFQN>"
_ENTRIES = f"{_CATALOG}/pricelists/<priceListCode>/entries"
_ENTRY = f"{_ENTRIES}/<productCode>/<currencyCode>"


@dataclass(frozen=True, slots=True)
class Call:
    """One of the catalog's calls. `schema`: of its body, None where there is none."""

    title: str
    method: str
    path: str
    operation: str
    schema: type[ma.Schema] | None
    bulk: bool = False


def _bulk(title: str, path: str, operation: str) -> Call:
    return Call(
        title, "POST", f"{_CATALOG}/pricelists/{path}", operation, PriceListEntrySchema, True
    )


CALLS = (
    Call("Add Product", "POST", f"{_CATALOG}/products", "catalog.product.add", ProductSchema),
    Call("Update Product", "PUT", _PRODUCT, "catalog.product.update", ProductSchema),
    Call("Delete Product", "DELETE", _PRODUCT, "catalog.product.delete", None),
    Call(
        "Add Product Property",
        "POST",
        f"{_PRODUCT}/Properties",
        "catalog.property.add",
        PropertySchema,
    ),
    Call("Update Product Property", "PUT", _PROPERTY, "catalog.property.update", PropertySchema),
    Call("Delete Product Property", "DELETE", _PROPERTY, "catalog.property.delete", None),
    Call(
        "Add Price List Entry",
        "POST",
        _ENTRIES,
        "catalog.pricelist_entry.add",
        PriceListEntrySchema,
    ),
    Call(
        "Update Price List Entry",
        "PUT",
        _ENTRY,
        "catalog.pricelist_entry.update",
        PriceListEntrySchema,
    ),
    Call("Delete Price List Entry", "DELETE", _ENTRY, "catalog.pricelist_entry.delete", None),
    _bulk("Bulk Add Price List Entries", "bulkaddentries", "catalog.pricelist_entry.add"),
    _bulk("Bulk Update Price List Entries", "bulkupdateentries", "catalog.pricelist_entry.update"),
    _bulk("Bulk Delete Price List Entries", "bulkdeleteentries", "catalog.pricelist_entry.delete"),
)


def _offer(call: Call) -> None:
    """Serve one of the calls."""

    @blueprint.route(
        call.path,
        methods=[call.method],
        strict_slashes=False,
        endpoint=call.title.lower().replace(" ", "_"),
    )
    @dialect.require("batches.write")
    @blueprint.arguments(KiboJobQuery, location="query")
    @blueprint.doc(
        operationId="kibo" + call.title.replace(" ", ""),
        summary=f"{call.title}, by a batch job",
        **_described(call),
    )
    @blueprint.response(202, KiboAdded)
    @blueprint.alt_response(404, "NOT_FOUND")
    def add(query: dict[str, str], **codes: str) -> Response:
        return add_items(
            query["batchJobCode"], call.operation, lambda body: _read(call, body, codes)
        )


_EXAMPLE_OF: dict[type[ma.Schema], str] = {
    ProductSchema: "product",
    PropertySchema: "property",
    PriceListEntrySchema: "entry",
}


def _described(call: Call) -> dict[str, Any]:
    if call.schema is None:
        return {"parameters": [IDEMPOTENCY_KEY]}
    example = EXAMPLES[_EXAMPLE_OF[call.schema]]
    if call.bulk:
        return takes(array_of(call.schema), [example])
    return takes(call.schema, example)


for _call in CALLS:
    _offer(_call)


def _read(call: Call, body: Sent, codes: Mapping[str, str]) -> Items:
    """The items that a call brings. Raises Malformed."""
    if call.bulk:
        return read_items(body)
    item = RawItem("{}") if call.schema is None else read_object(body)
    return Items([RawItem(with_codes(item.text, codes))])


def with_codes(text: str, codes: Mapping[str, str]) -> str:
    """The object `text` with the path's codes in front, but for those that it says itself.

    Raises Malformed where it says another one.
    """
    try:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    except RecursionError:
        return text  # it is beyond the bounds, and will be INVALID whatever its codes are
    missing = []
    for name, code in codes.items():
        if name not in members:
            missing.append(f"{encode(name).decode()}:{encode(code).decode()}")
        elif str(loads(bytes(members[name]))) != code:
            raise Malformed(
                f"{name}: The path says {code!r}.",
                errors=[FieldError(f"/{name}", f"Must be {code!r}, as in the path.")],
            )
    rest = [text[1:-1]] if members else []
    return "{" + ",".join(missing + rest) + "}"

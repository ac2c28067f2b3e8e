"""Kibo's documents: added where there is none, replaced and deleted where there is one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from marshmallow import ValidationError

from app.core.jsontext import loads
from handlers import Reject
from tests.handlers.calling import HandlerContext, call, operation, summed

PRODUCT = {"productCode": "P:1/x"}
PROPERTY = {"productCode": "P1", "attributeFQN": "tenant~color"}
ENTRY = {"priceListCode": "summer", "productCode": "P1", "currencyCode": "USD"}
KINDS = [
    ("product", PRODUCT, "P%3A1%2Fx", "Product"),
    ("property", PROPERTY, "P1:tenant~color", "Product property"),
    ("pricelist_entry", ENTRY, "summer:P1:USD", "Price list entry"),
]


@pytest.mark.parametrize(("collection", "codes", "key", "title"), KINDS)
def test_a_documents_life(
    context: HandlerContext, collection: str, codes: dict[str, Any], key: str, title: str
) -> None:
    name = f"catalog.{collection}"
    absent = (404, f'{title} "{key}" does not exist')
    assert summed(call(context, f"{name}.update", codes)) == [absent]
    assert summed(call(context, f"{name}.delete", codes)) == [absent]
    assert summed(call(context, f"{name}.add", {**codes, "a": 1})) == [{"process": "INSERT"}]
    assert summed(call(context, f"{name}.add", {**codes, "a": 2})) == [
        (409, f'{title} "{key}" already exists')
    ]
    assert context.records.get(collection, [key]) == {key: {**codes, "a": 1}}
    # The whole document is replaced: what is not named is gone.
    assert summed(call(context, f"{name}.update", {**codes, "b": 3})) == [{"process": "UPDATE"}]
    record = context.records.one(collection, key)
    assert record is not None
    assert (record.data, record.version) == ({**codes, "b": 3}, 2)
    assert summed(call(context, f"{name}.delete", codes)) == [{"process": "DELETE"}]
    assert summed(call(context, f"{name}.delete", codes)) == [absent]
    assert context.records.one(collection, key) is None
    assert summed(call(context, f"{name}.add", codes)) == [{"process": "INSERT"}]


def test_one_call_tells_its_items_apart(context: HandlerContext) -> None:
    codes = [{"productCode": f"P{number}"} for number in range(6)]
    call(context, "catalog.product.add", *codes[::2])
    added = call(context, "catalog.product.add", *codes)
    assert [isinstance(answer, Reject) for answer in added] == [True, False] * 3
    deleted = call(context, "catalog.product.delete", codes[5], {"productCode": "none"}, codes[0])
    assert [isinstance(answer, Reject) for answer in deleted] == [False, True, False]
    left = [record.key for record in context.records.page("product", limit=10)]
    assert left == ["P1", "P2", "P3", "P4"]


def test_all_other_fields_are_kept_exactly(context: HandlerContext) -> None:
    text = (
        '{"zeta":1,"productCode":"P1","price":{"price":2.70,"big":123456789012345678901234567890},'
        '"isTaxable":true,"content":{"productName":"Ümlaut \\u0000 \\"x\\""},"none":null,'
        '"alpha":[1,{"b":[],"a":{}}]}'
    )
    update = operation("catalog.product.add")
    assert list(update.load(loads(text))) == list(loads(text))
    call(context, "catalog.product.add", loads(text))
    assert context.records.get("product", ["P1"])["P1"] == loads(text)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("catalog.product.add", {"productName": "no code"}),
        ("catalog.product.delete", {"productCode": ""}),
        ("catalog.product.update", {"productCode": True}),
        ("catalog.property.add", {"productCode": "P1"}),
        ("catalog.pricelist_entry.update", {**ENTRY, "currencyCode": "dollars"}),
        ("catalog.pricelist_entry.delete", {**ENTRY, "priceListCode": None}),
    ],
)
def test_a_document_without_its_codes_is_invalid(name: str, data: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        operation(name).load(data)


def test_the_three_operations_of_a_kind_share_one_key() -> None:
    keys = {operation(f"catalog.property.{verb}").key for verb in ("add", "update", "delete")}
    assert keys == {("productCode", "attributeFQN")}


def test_clients_do_not_meet(context: HandlerContext) -> None:
    other = HandlerContext(context.connection, client_id=uuid4())
    call(context, "catalog.product.add", {"productCode": "P1"})
    assert isinstance(call(other, "catalog.product.update", {"productCode": "P1"})[0], Reject)
    assert isinstance(call(other, "catalog.product.delete", {"productCode": "P1"})[0], Reject)
    assert summed(call(other, "catalog.product.add", {"productCode": "P1"})) == [
        {"process": "INSERT"}
    ]

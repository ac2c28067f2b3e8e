"""What a handler may rely on of `context.records`, beyond what the shipped handlers show."""

from __future__ import annotations

from uuid import uuid4

from app.db.records import RecordStore
from tests.handlers.calling import HandlerContext


def test_ancestry(context: HandlerContext) -> None:
    records = context.records
    tree = {"top": None, "middle": "top", "leaf": "middle", "other": "top", "orphan": "gone"}
    records.upsert("tree", [(key, {"under": above}) for key, above in tree.items()])
    records.upsert("forest", [("leaf", {"under": "other"})])
    RecordStore(context.connection, uuid4()).upsert("tree", [("gone", {"under": "top"})])
    above = records.ancestry("tree", ["leaf", "orphan", "unknown"], parent="under")
    assert above == {"leaf": "middle", "middle": "top", "top": None, "orphan": "gone"}
    assert records.ancestry("tree", [], parent="under") == {}


def test_the_ancestry_of_keys_that_are_quoted(context: HandlerContext) -> None:
    context.records.upsert("tree", [("a%3Ab%2F%25", {"under": None}), ("c", {"under": "a:b/%"})])
    above = context.records.ancestry("tree", ["c"], parent="under")
    assert above == {"c": "a%3Ab%2F%25", "a%3Ab%2F%25": None}


def test_the_ancestry_of_a_circle(context: HandlerContext) -> None:
    context.records.upsert("tree", [("a", {"under": "b"}), ("b", {"under": "a"})])
    assert context.records.ancestry("tree", ["a"], parent="under") == {"a": "b", "b": "a"}

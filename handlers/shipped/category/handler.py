"""Categories, which stand under other categories.

A parent must exist, or come anywhere in the same batch. Within one call parents are stored before
their children, however the items are ordered; a child whose parent is in another call is deferred
and comes again, together with all others that wait. What waits for a parent that never comes, or
for itself in a circle, is ended by the engine with the message and code of its deferral: 404. So
the stored categories are a forest at all times: every parent exists, and none stands under itself.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from marshmallow import Schema

from handlers.contract import Answer, Context, Defer, Item, Outcome
from handlers.fields import Reference, Text
from handlers.keys import quote_part
from handlers.registry import operation
from handlers.shipped.category.statements import LOCK_MOVES, TAKE_IDS

COLLECTION = "category"
_LOCK_SPACE = 7203_1119  # any number: advisory locks (this, client) are for moving categories


class CategorySchema(Schema):
    """A category. Without `parentCategoryRef` it stands at the top."""

    categoryRef = Reference(required=True)
    name = Text(required=True, longest=1000)
    parentCategoryRef = Reference(load_default=None, allow_none=True)


@operation(
    "catalog.category",
    schema=CategorySchema,
    key=("categoryRef",),
    collection=COLLECTION,
    bulk=True,
    gathers=True,
)
def category(items: list[Item], context: Context) -> list[Answer]:
    """Insert or update a category. Its parent must exist, or come anywhere in the same batch."""
    answers: dict[int, Answer] = {}
    waiting = items
    while waiting:
        answers |= _store(waiting, context)
        # Left are those that another transaction has just inserted: now there to be updated.
        waiting = [item for item in waiting if item.index not in answers]
    return [answers[item.index] for item in items]


def _store(items: list[Item], context: Context) -> dict[int, Answer]:
    """Store what can be stored; the answers by index, but for inserts that came too late."""
    stored = context.records.get(COLLECTION, [str(item.key) for item in items], lock=True)
    parents = {parent for item in items if (parent := _parent_key(item))} - stored.keys()
    exists = stored.keys() | context.records.get(COLLECTION, sorted(parents)).keys()
    placed, answers = _place(items, stored, exists, _ancestry(items, stored, context))

    new = [item for item in placed if item.key not in stored]
    if new:
        ids = context.connection.execute(TAKE_IDS, {"count": len(new)}).scalars()
        rows = [_row(item, str(number)) for item, number in zip(new, ids, strict=True)]
        inserted = context.records.insert(COLLECTION, rows)
        for item, row, well in zip(new, rows, inserted, strict=True):
            if well:
                answers[item.index] = _outcome("INSERT", row)
    known = [item for item in placed if item.key in stored]
    if known:
        rows = [_row(item, stored[str(item.key)]["id"]) for item in known]
        context.records.upsert(COLLECTION, rows)
        for item, row in zip(known, rows, strict=True):
            answers[item.index] = _outcome("UPDATE", row)
    return answers


def _place(
    items: list[Item],
    stored: dict[str, Any],
    exists: set[str],
    parents: dict[str, str | None],
) -> tuple[list[Item], dict[int, Answer]]:
    """Which items can be stored now, parents before children; the deferrals of the others.

    `exists`: keys that are stored. `parents`: parent keys by key, for what stands above the items'
    parents where some item is moved. Both grow by what is placed.
    """
    placed: list[Item] = []
    children: dict[str, list[Item]] = {}
    ready: deque[Item] = deque()
    for item in items:
        parent = _parent_key(item)
        if parent is None or parent in exists:
            ready.append(item)
        else:
            children.setdefault(parent, []).append(item)
    circling: list[Item] = []
    while ready:
        before = len(placed)
        circling = []
        while ready:
            item = ready.popleft()
            key, parent = str(item.key), _parent_key(item)
            if _moves(item, stored) and _stands_under(parent, key, parents):
                circling.append(item)
                continue
            placed.append(item)
            parents[key] = parent
            exists.add(key)
            ready.extend(children.pop(key, ()))
        if len(placed) > before:
            # What has moved away in the meantime may have opened the circle.
            ready.extend(circling)
    answers: dict[int, Answer] = {
        item.index: Defer(
            f'Category "{item.data["categoryRef"]}" cannot stand under itself', code=404
        )
        for item in circling
    }
    for orphans in children.values():
        for item in orphans:
            missing = item.data["parentCategoryRef"]
            answers[item.index] = Defer(f'Parent category "{missing}" does not exist', code=404)
    return placed, answers


def _ancestry(items: list[Item], stored: dict[str, Any], context: Context) -> dict[str, str | None]:
    """Parent keys by key, for all that stands above the items' parents; nothing if none moves.

    Moving a category under another could close a circle together with a move that another
    transaction is making. So a client's moves are made one after the other; new categories, and
    those that stay where they are, need not wait.
    """
    if not any(_moves(item, stored) for item in items):
        return {}
    parents = {parent for item in items if (parent := _parent_key(item))}
    context.connection.execute(LOCK_MOVES, {"space": _LOCK_SPACE, "client": str(context.client_id)})
    return context.records.ancestry(COLLECTION, sorted(parents), parent="parentCategoryRef")


def _moves(item: Item, stored: dict[str, Any]) -> bool:
    """Whether the item puts a category that is there under another one than before."""
    before = stored.get(str(item.key))
    parent = item.data["parentCategoryRef"]
    return before is not None and parent not in (None, before["parentCategoryRef"])


def _stands_under(key: str | None, top: str, parents: dict[str, str | None]) -> bool:
    """Whether `key` is `top` or stands somewhere under it."""
    while key is not None and key != top:
        key = parents.get(key)
    return key is not None


def _parent_key(item: Item) -> str | None:
    parent = item.data["parentCategoryRef"]
    return None if parent is None else quote_part(parent)


def _row(item: Item, category_id: str) -> tuple[str, dict[str, Any]]:
    return str(item.key), {"id": category_id, **item.data}


def _outcome(process: str, row: tuple[str, dict[str, Any]]) -> Outcome:
    return Outcome({"process": process, "entityId": row[1]["id"]})

"""In which order the items of a slice are run: rounds in which no key stands twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from handlers import Operation
from workers.engine.claim.load_items import Loaded


def rounds(items: Iterable[Loaded]) -> Iterator[list[Loaded]]:
    """Items in order of index, cut into rounds: the n-th item of a key is in the n-th round.

    So items with the same key keep their order, and no round touches a record twice. Where no key
    is repeated there is one round.
    """
    seen: dict[str, int] = {}
    found: list[list[Loaded]] = []
    for loaded in items:
        number = 0
        if loaded.item.key is not None:
            number = seen.get(loaded.item.key, 0)
            seen[loaded.item.key] = number + 1
        if number == len(found):
            found.append([])
        found[number].append(loaded)
    yield from found


def by_operation(items: Iterable[Loaded]) -> Iterator[tuple[Operation, list[Loaded]]]:
    """The items of one round, grouped by operation."""
    groups: dict[str, list[Loaded]] = {}
    for loaded in items:
        groups.setdefault(loaded.operation.name, []).append(loaded)
    for group in groups.values():
        yield group[0].operation, group

"""Failures of a batch, grouped here: for a server that does not group them itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from batchline.client.models import Failure, Item

_MOST_GROUPS = 1000
_Group = tuple[str | None, str, int | None, str | None]


def grouped(items: Iterable[Item]) -> Iterator[Failure]:
    """`items`, which did not succeed, by operation, status, code and message; the most first.

    At most a thousand groups are told apart, and the rest is one.
    """
    found: dict[_Group, list[int]] = {}
    examples: dict[_Group, str | None] = {}
    for item in items:
        group: _Group = (item.operation, item.status, item.code, item.message)
        if group not in found and len(found) >= _MOST_GROUPS:
            group = (None, item.status, None, "Other failures")
        counted = found.setdefault(group, [0, item.index, item.index])
        examples.setdefault(group, item.message)
        counted[0] += 1
        counted[1] = min(counted[1], item.index)
        counted[2] = max(counted[2], item.index)
    for group, (count, first, last) in sorted(found.items(), key=lambda each: -each[1][0]):
        operation, status, code, message = group
        yield Failure(
            failure=None,
            operation=operation,
            status=status,
            code=code,
            message=message,
            count=count,
            first_index=first,
            last_index=last,
            example=examples[group],
        )

"""Requests by which all of the client is made: sent again where that is safe, read with types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from batchline.client.api import Api
from batchline.client.errors import ApiError
from batchline.client.items_to_send import plain
from batchline.client.resending import until_answered

Shown = TypeVar("Shown")
READ_TIMEOUT = 60.0


class Asking:
    """Requests of an API; what only reads is tried up to `tries` times."""

    def __init__(self, api: Api, tries: int) -> None:
        self._api = api
        self._tries = tries

    def _pages(
        self, path: str, kind: type[Shown], limit: int | None, filters: Mapping[str, Any]
    ) -> Iterator[Shown]:
        left, cursor = limit, None
        while left is None or left > 0:
            size = 1000 if left is None else min(1000, left)
            query = {**filters, "limit": size, **({"cursor": cursor} if cursor else {})}
            page = self._get(path, query, _Page)
            yield from (read_as(entry, kind) for entry in page.data)
            left = None if left is None else left - len(page.data)
            cursor = page.next
            if cursor is None:
                return

    def _get(self, path: str, query: Mapping[str, Any], kind: type[Shown]) -> Shown:
        return self._again(
            lambda: read_as(
                self._api.request("GET", path, params=query, timeout=READ_TIMEOUT).content, kind
            )
        )

    def _again(self, send: Callable[[], Shown]) -> Shown:
        return until_answered(send, self._tries)


class _Page(msgspec.Struct):
    data: list[msgspec.Raw]
    next: str | None = None


def read_as(text: bytes | msgspec.Raw, kind: type[Shown]) -> Shown:
    """What an answer shows, as that type. Raises ApiError where it is something else."""
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.DecodeError as error:
        raise ApiError(f"This is no answer of Batchline: {error}", status=200) from error


def fields_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, by the API's names and in JSON's types; None is left out."""
    return {_camel(name): _plain(value) for name, value in given.items() if value is not None}


def query_of(filters: Mapping[str, Any]) -> dict[str, Any]:
    """The same as a query: where there are several of one, they are joined by commas."""
    return {name: _joined(value) for name, value in fields_of(filters).items()}


def _joined(value: Any) -> Any:
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    return ",".join(str(_plain(each)) for each in value)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain(value: Any) -> Any:
    return plain(value) if isinstance(value, (datetime, UUID)) else value

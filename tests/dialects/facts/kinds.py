"""The kinds of facts that there are of a dialect. They are its document's, not its code's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.test import TestResponse

if TYPE_CHECKING:
    from tests.dialects.speaking import Speaker

Headers = dict[str, str]


@dataclass(frozen=True)
class Call:
    """One call. `body`: one that is taken where there is what the path names."""

    method: str
    path: str
    scope: str
    body: Any = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Submitting:
    """A call that takes items. `body(items)` is what it wants.

    `most`: the document's own limit; None for the server's. `begin`: what has to be there first,
    and what is to be filled into the path. `member`: where in the body the items are, if not all.
    """

    path: str
    item: Mapping[str, Any]
    method: str = "POST"
    most: int | None = None
    body: Callable[[list[Any]], Any] = lambda items: items
    member: str | None = None
    begin: Callable[[Speaker], Mapping[str, str]] = lambda _: {}

    def items(self, count: int) -> list[dict[str, Any]]:
        """So many items."""
        return [dict(self.item) for _ in range(count)]


@dataclass(frozen=True)
class Envelope:
    """A call whose body has fields of its own. `wrong`: by field, values that are refused.

    `optional`: fields that may be left out. `begin`: as for `Submitting`.
    """

    path: str
    good: Mapping[str, Any]
    wrong: Mapping[str, list[Any]]
    optional: frozenset[str] = frozenset()
    begin: Callable[[Speaker], Mapping[str, str]] = lambda _: {}


@dataclass(frozen=True)
class Reading:
    """A call that shows a batch of `operation` by its id. `entries`: the items in its answer.

    `entries` is None where they are not in it.
    """

    operation: str
    path: str
    entries: Callable[[Any], list[Any]] | None = None


@dataclass(frozen=True)
class Refused:
    """An error as problem+json, which is what a dialect answers that has no shape of its own."""

    schema: str | None = None
    """The name of the shape in the OpenAPI document, where it is the dialect's own."""

    def said(self, response: TestResponse, status: int) -> str:
        """Assert that the answer is such an error with that status; what it says."""
        assert response.content_type == "application/problem+json"
        assert response.json is not None
        assert response.json["status"] == status
        assert {"type", "title", "status", "detail"} <= set(response.json)
        return str(response.json["detail"])


@dataclass(frozen=True)
class Facts:
    """One dialect.

    `headers(api_key, secret)`: the credentials of a request. `calls`: every call there is.
    `bearer`: it wants `Authorization: Bearer`. `nowhere`: paths below its prefixes that are not
    there. `not_allowed`: method, path, and a method that the path has.
    """

    headers: Callable[[str, str], Headers]
    calls: tuple[Call, ...]
    submitting: Submitting
    envelopes: tuple[Envelope, ...] = ()
    readings: tuple[Reading, ...] = ()
    refused: Refused = field(default_factory=Refused)
    bearer: bool = True
    nowhere: tuple[str, ...] = ()
    not_allowed: tuple[tuple[str, str, str], ...] = ()

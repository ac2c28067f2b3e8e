"""The operations that somebody may submit, with what is known of their items' fields."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from app.clients.limits import fits
from app.core.jsontext import dumps
from app.db import read
from app.operations.listing import Listed, listed
from app.web.auth import caller
from app.web.services import services

_SCALAR = {"string", "number", "integer", "boolean", "null"}
# What narrows a value, by its name in JSON Schema, in words.
_BOUNDS = (
    ("minimum", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("format", "{}"),
)


@dataclass(frozen=True, slots=True)
class FieldHelp:
    """A field of an item, as people are told of it."""

    name: str
    kind: str
    required: bool
    bounds: str


@dataclass(frozen=True)
class Offer:
    """An operation that may be submitted."""

    one: Listed

    @property
    def name(self) -> str:
        """What it is called."""
        return self.one.name

    @property
    def description(self) -> str:
        """In words; empty where it has none."""
        return str(self.one.description.get("description") or "")

    @property
    def schema(self) -> Mapping[str, Any]:
        """The JSON Schema of its items; empty where none was published."""
        found = self.one.description.get("schema")
        return found if isinstance(found, Mapping) else {}

    @property
    def schema_text(self) -> str:
        """The same as JSON."""
        return dumps(self.schema)

    @cached_property
    def properties(self) -> Mapping[str, Mapping[str, Any]]:
        """The schemas of the fields, by their names."""
        found = self.schema.get("properties")
        if not isinstance(found, Mapping):
            return {}
        return {str(name): each for name, each in found.items() if isinstance(each, Mapping)}

    @property
    def required(self) -> frozenset[str]:
        """The names of the fields that there have to be."""
        return frozenset(map(str, self.schema.get("required") or ()))

    @property
    def in_csv(self) -> bool:
        """Whether the fields that there have to be can stand in the cells of a table."""
        return bool(self.properties) and all(
            is_scalar(self.properties[name]) for name in self.required & self.properties.keys()
        )

    @cached_property
    def fields(self) -> list[FieldHelp]:
        """What people are told of the fields; those first that there have to be."""
        found = [
            FieldHelp(name, _kind(each), name in self.required, "; ".join(_bounds(each)))
            for name, each in self.properties.items()
        ]
        return sorted(found, key=lambda each: not each.required)


def offers() -> list[Offer]:
    """Those that the caller's key may submit, and that somebody has, by their names."""
    here, who = services(), caller()
    stale = here.settings.heartbeat_timeout
    found = read(here.engine, lambda connection: listed(connection, here.registry, stale=stale))
    return [
        Offer(one)
        for name, one in found.items()
        if (one.here or one.served) and (not who.operations or fits(who.operations, name))
    ]


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """The JSON types that a value may have; none where that is not said."""
    found = schema.get("type")
    return [found] if isinstance(found, str) else [str(each) for each in found or ()]


def is_scalar(schema: Mapping[str, Any]) -> bool:
    """Whether the value can stand in a cell."""
    types = types_of(schema)
    return bool(types) and set(types) <= _SCALAR


def _kind(schema: Mapping[str, Any]) -> str:
    types = types_of(schema)
    # A number is also taken as text, which needs not be told.
    if {"number", "integer", "boolean"} & set(types):
        types = [each for each in types if each != "string"]
    return " or ".join(types) or "any"


def _bounds(schema: Mapping[str, Any]) -> Iterator[str]:
    choices = schema.get("enum")
    if isinstance(choices, (list, tuple)):
        yield f"one of {', '.join(map(str, choices))}"
    for name, words in _BOUNDS:
        if (value := schema.get(name)) is not None:
            yield words.format(value)
    # That of a number in text says nothing that its type does not.
    if (pattern := schema.get("pattern")) and types_of(schema) == ["string"]:
        yield f"as {pattern}"

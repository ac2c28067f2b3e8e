"""JSON Schema of the items of an operation, from the marshmallow schema that checks them.

What the schema takes is what the worker takes: a number also as a string, as CSV has it. Ranges
hold for numbers and are not looked at in strings.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import marshmallow as ma
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin

from handlers.fields import Flag, Number, Reference, WholeNumber

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_NUMERAL = r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?\s*$"
_BOOLEAN = r"^\s*([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])\s*$"
# By the field's class: the types that it takes, and a pattern for it as a string.
_FIELDS: tuple[tuple[type[ma.fields.Field[Any]], list[str], str | None], ...] = (
    (Number, ["number", "string"], _NUMERAL),
    (WholeNumber, ["integer", "string"], _NUMERAL),
    (Flag, ["boolean", "string"], _BOOLEAN),
    (Reference, ["string", "integer"], None),
)


@lru_cache(maxsize=1024)
def item_schema(schema: type[ma.Schema]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of what `schema` loads. Nested schemas stand in their place."""
    converted: dict[str, Any] = _converter().schema2jsonschema(schema())
    described = " ".join((schema.__doc__ or "").split())
    return {"$schema": DIALECT, "description": described, **converted}


@lru_cache(maxsize=1)
def _converter() -> Any:
    no_references: Any = lambda _: None  # noqa: E731 (apispec's annotation knows no None)
    plugin = MarshmallowPlugin(schema_name_resolver=no_references)
    APISpec("items", "1", "3.1.0", plugins=[plugin])
    converter: Any = plugin.converter
    converter.add_attribute_function(_exact_types)
    return converter


def _exact_types(_: Any, field: ma.fields.Field[Any], **__: Any) -> dict[str, Any]:
    for kind, types, pattern in _FIELDS:
        if isinstance(field, kind):
            nullable = ["null"] if field.allow_none else []
            made: dict[str, Any] = {"type": [*types, *nullable]}
            if pattern is not None:
                made["pattern"] = pattern
            return made
    return {}

"""Schemas of the OpenAPI document in words: what a value is, and tables of an object's fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_FORMATS = {"date-time": "time (RFC 3339)", "uuid": "UUID", "uri": "URL"}
# What bounds a value, and how it is said.
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "pattern": "`{}`",
}


def resolved(document: Schema, one: Schema) -> Schema:
    """What is described, or what that refers to in the document."""
    if "$ref" not in one:
        return one
    found: Any = document
    for part in one["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def anchor_of(name: str) -> str:
    """Where the page describes the schema of that name."""
    return f"schema-{name.lower()}"


def name_of(schema: Schema) -> str | None:
    """The name that a reference has, or None of what is no reference."""
    reference = schema.get("$ref")
    return None if reference is None else str(reference).rsplit("/", 1)[-1]


def kind_of(schema: Schema) -> str:
    """What a value is, in a few words, with links to the schemas that have a name."""
    name = name_of(schema)
    if name is not None:
        return f"[{name}](#{anchor_of(name)})"
    for several, word in {"oneOf": " or ", "anyOf": " or ", "allOf": " and "}.items():
        if several in schema:
            return word.join(dict.fromkeys(kind_of(one) for one in schema[several]))
    words = schema.get("enum", schema.get("x-extensible-enum"))
    if words:
        return " or ".join("null" if word is None else f"`{word}`" for word in words)
    types = schema.get("type", [])
    kinds = [_kind_of_type(schema, one) for one in (types if isinstance(types, list) else [types])]
    return " or ".join(kinds) or "any JSON"


def _kind_of_type(schema: Schema, kind: str) -> str:
    if kind == "array":
        return f"array of {kind_of(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {kind_of(schema['additionalProperties'])}"
    if kind == "string":
        return _FORMATS.get(schema.get("format", ""), "text")
    return {"integer": "whole number", "boolean": "`true` or `false`"}.get(kind, kind)


def bounds_of(schema: Schema) -> str:
    """What bounds a value, as a sentence; empty where nothing does."""
    said = [words.format(schema[name]) for name, words in _BOUNDS.items() if name in schema]
    text = ", ".join(said)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def fields_of(schema: Schema) -> list[str]:
    """A table of an object's fields; what else a schema is in a sentence."""
    rows = list(_rows(schema))
    if not rows:
        return [f"{kind_of(schema)}. {bounds_of(schema)}".strip()]
    more = [kind_of(part) for part in schema.get("allOf", []) if name_of(part)]
    first = [f"The fields of {' and '.join(more)}, and these:", ""] if more else []
    return [*first, "| field | is | |", "| --- | --- | --- |", *rows]


def _rows(schema: Schema, within: str = "") -> Iterator[str]:
    for part in schema.get("allOf", []):
        yield from _rows(part, within)
    required = schema.get("required", [])
    for name, field in schema.get("properties", {}).items():
        said = [about(field)]
        if name in required:
            said.append("*Required.*")
        words = cell(" ".join(filter(None, said)))
        yield f"| `{within}{name}` | {cell(kind_of(field))} | {words} |"
        inner = field.get("items", field)
        yield from _rows(inner, f"{within}{name}{'[]' if inner is not field else ''}.")


def about(schema: Schema) -> str:
    """What a schema says of itself, its bounds and what it is unless given."""
    said = [schema.get("description", ""), bounds_of(schema)]
    if schema.get("default") is not None:
        said.append(f"Unless given `{json.dumps(schema['default'])}`.")
    return " ".join(filter(None, said))


def cell(text: str) -> str:
    """As it can stand in a table."""
    return " ".join(str(text).split()).replace("|", r"\|")

"""An example of a schema, made of it alone: each field, as far as it can be without an end."""

from __future__ import annotations

from typing import Any

from api_schemas import Schema, resolved

_TEXTS = {
    "date-time": "2026-11-21T09:41:00.123Z",
    "uuid": "01935f2e-6c1b-7d3a-9a4f-2b8c6d1e0f57",
    "uri": "https://example.com/",
}


class _Endless(Exception):
    """A schema that is within itself."""


def example_of(document: Schema, schema: Schema, within: tuple[str, ...] = ()) -> Any:
    """A value that the schema takes. `within`: the references that led to it."""
    if "example" in schema:
        return schema["example"]
    reference = schema.get("$ref")
    if reference is not None:
        if reference in within:
            raise _Endless
        return example_of(document, resolved(document, schema), (*within, reference))
    if "allOf" in schema:
        parts = [example_of(document, part, within) for part in schema["allOf"]]
        if all(isinstance(part, dict) for part in parts):
            return {name: value for part in parts for name, value in part.items()}
        return parts[0]
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return example_of(document, _first(schema[several], {"type": "null"}), within)
    words = schema.get("enum", schema.get("x-extensible-enum"))
    if words:
        return _first(words, None)
    types = schema.get("type", {})
    return _of_type(document, schema, _first(types, "null") if types else "", within)


def _first(choices: Any, but: Any) -> Any:
    several = choices if isinstance(choices, list) else [choices]
    return next((one for one in several if one != but), but)


def _of_type(document: Schema, schema: Schema, kind: str, within: tuple[str, ...]) -> Any:
    if kind == "object":
        return _of_object(document, schema, within)
    if kind == "array":
        try:
            return [example_of(document, schema.get("items", {}), within)]
        except _Endless:
            return []
    if kind in ("integer", "number"):
        return min(max(1, schema.get("minimum", 1)), schema.get("maximum", 1))
    if kind == "string":
        text = _TEXTS.get(schema.get("format", ""), "…")
        return text.ljust(schema.get("minLength", 1), "…")
    return {"boolean": False, "null": None}.get(kind, {})


def _of_object(document: Schema, schema: Schema, within: tuple[str, ...]) -> dict[str, Any]:
    made = {}
    for name, field in schema.get("properties", {}).items():
        try:
            made[name] = example_of(document, field, within)
        except _Endless:
            if name in schema.get("required", []):
                raise
    return made

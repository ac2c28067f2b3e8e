"""The OpenAPI document, once all operations are in it: what no blueprint can say of its part."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

Document = dict[str, Any]
_METHODS = ("get", "put", "post", "delete", "patch")


def finished(document: Document) -> Document:
    """`document` with answers that are open to what is new, and with no component that is unused.

    A client that was generated from it must not break when an answer has a field more, or a word
    where there were others: `enum` stands in requests alone, and in answers `x-extensible-enum`,
    which generators pass over and people and tests do not. What a field of a body is unless said
    is told in words: some generators send a default, others want it to be given.
    """
    document = _used(document)
    schemas = document["components"].get("schemas", {})
    bodies: list[Any] = []
    answers = {"responses": document["components"].get("responses", {})}
    for place, operation in operations(document):
        answers[" ".join(place)] = operation["responses"]
        bodies.append(operation.get("requestBody"))
    for name in _reached(document, bodies):
        for field in schemas[name].get("properties", {}).values():
            _default_in_words(field)
    for name in _reached(document, answers):
        _open(schemas[name])
    for answer in answers.values():
        _open(answer)
    return document


def without(document: Document, tags: Collection[str]) -> Document:
    """`document` without the operations of these tags, and what only they refer to."""
    paths: Document = {}
    for path, described in document["paths"].items():
        kept = {
            name: said
            for name, said in described.items()
            if name not in _METHODS or not set(said["tags"]) & set(tags)
        }
        if any(name in _METHODS for name in kept):
            paths[path] = kept
    tagged = [tag for tag in document.get("tags", []) if tag["name"] not in tags]
    return _used({**document, "paths": paths, "tags": tagged})


def operations(document: Document) -> Iterator[tuple[tuple[str, str], Document]]:
    """Every operation, with its method (in small letters) and its path."""
    for path, described in document["paths"].items():
        for method in _METHODS:
            if method in described:
                yield (method, path), described[method]


def _used(document: Document) -> Document:
    """`document` without components that nothing refers to."""
    components = document.get("components", {})
    responses = _named(document["paths"], "responses")
    kept_responses = {
        name: said for name, said in components.get("responses", {}).items() if name in responses
    }
    schemas = _reached(document, {"paths": document["paths"], "responses": kept_responses})
    schemes = {
        name
        for _, operation in operations(document)
        for needed in operation.get("security", [])
        for name in needed
    }
    return {
        **document,
        "components": {
            "schemas": {
                name: said
                for name, said in components.get("schemas", {}).items()
                if name in schemas
            },
            "responses": kept_responses,
            "securitySchemes": {
                name: said
                for name, said in components.get("securitySchemes", {}).items()
                if name in schemes
            },
        },
    }


def _reached(document: Document, part: Any) -> set[str]:
    """The names of the schemas that `part` refers to, by others or itself."""
    schemas = document.get("components", {}).get("schemas", {})
    found: set[str] = set()
    new = _named(part, "schemas")
    while new:
        found |= new
        new = {name for each in new for name in _named(schemas[each], "schemas")} - found
    return found


def _named(part: Any, kind: str) -> set[str]:
    """The names of components of that kind that `part` refers to itself."""
    begin = f"#/components/{kind}/"
    return {
        each["$ref"].removeprefix(begin)
        for each in _objects(part)
        if isinstance(each.get("$ref"), str) and each["$ref"].startswith(begin)
    }


def _open(part: Any) -> None:
    for each in _objects(part):
        if each.get("additionalProperties") is False:
            del each["additionalProperties"]
        if isinstance(each.get("enum"), list):
            each["x-extensible-enum"] = known = each.pop("enum")
            listed = ", ".join(f"`{json.dumps(word).strip(chr(34))}`" for word in known)
            said = f"{each.get('description', '')} One of {listed}; there may be more one day."
            each["description"] = said.strip()


def _default_in_words(field: Document) -> None:
    if (default := field.pop("default", None)) is not None:
        shown = default if isinstance(default, str) else json.dumps(default)
        field["description"] = f"{field.get('description', '')} `{shown}` unless said.".strip()


def _objects(part: Any) -> Iterator[Document]:
    """Every object in `part`, itself included."""
    if isinstance(part, dict):
        yield part
        for inner in part.values():
            yield from _objects(inner)
    elif isinstance(part, list):
        for inner in part:
            yield from _objects(inner)

"""Whether an answer is one that the OpenAPI document describes."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask
from openapi_schema_validator import OAS31Validator
from werkzeug.exceptions import HTTPException
from werkzeug.test import TestResponse

from app import api, dialects
from app.web.openapi import api_of

# Refused before any operation is found, or whatever the operation is.
_ANY = {405, 500}
_PROBLEMS = "application/problem+json"


# It is completed while it is made, which two threads of a test cannot do at the same time.
_making = threading.Lock()


def document(app: Flask) -> dict[str, Any]:
    """The application's document, made once."""
    with _making:
        return _made(app)


@functools.cache
def _made(app: Flask) -> dict[str, Any]:
    return api_of(app).document()


@functools.cache
def bare_document() -> dict[str, Any]:
    """The document of an application that has no server behind it."""
    flask = Flask("described")
    api.register(flask)
    dialects.register(flask)
    return api_of(flask).document()


def check_described(app: Flask, answer: TestResponse) -> None:
    """Fail unless the answer's status, type and JSON are what the document says of its operation.

    What is not in the document, `/docs` for one, is not looked at.
    """
    operation = _operation(app, answer)
    if operation is None or answer.status_code in _ANY or answer.request.method == "OPTIONS":
        return
    described = operation["responses"].get(str(answer.status_code))
    name = operation["operationId"]
    assert described is not None, f"{name} is not said to answer {answer.status_code}"
    described = resolved(document(app), described)
    if answer.status_code in (204, 304):
        return
    content = described["content"]
    kind = answer.mimetype
    assert kind in content, f"{name} is not said to answer {answer.status_code} by {kind}"
    if kind in ("application/json", _PROBLEMS) and not answer.is_streamed:
        schema = {
            "allOf": [_with_known_words(content[kind]["schema"])],
            "components": _components(app),
        }
        OAS31Validator(schema).validate(answer.json)


@functools.cache
def _components(app: Flask) -> Any:
    return _with_known_words(document(app)["components"])


def _with_known_words(schema: Any) -> Any:
    """The schema, with no more words than today's: a new one has to get into the document."""
    if isinstance(schema, list):
        return [_with_known_words(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    renamed = {"x-extensible-enum": "enum"}
    return {renamed.get(name, name): _with_known_words(inner) for name, inner in schema.items()}


def operations_of(whole: dict[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """Each operation of a document, with its method and path."""
    for path, described in whole["paths"].items():
        for method, said in described.items():
            if method != "parameters":
                yield (method, path), said


def resolved(whole: dict[str, Any], described: dict[str, Any]) -> dict[str, Any]:
    """What is described, or what that refers to in the document."""
    if "$ref" not in described:
        return described
    found: Any = whole
    for part in described["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def _operation(app: Flask, answer: TestResponse) -> dict[str, Any] | None:
    """What the document says of the operation that the request was for; None if of none."""
    request = answer.request
    try:
        rule, _ = app.url_map.bind_to_environ(request.environ).match(return_rule=True)
    except HTTPException:
        return None
    path = path_of(rule.rule)
    found: dict[str, Any] | None = document(app)["paths"].get(path, {}).get(request.method.lower())
    return found


def path_of(rule: str) -> str:
    """A rule of the application as the document writes paths."""
    return re.sub(r"<(?:[^:<>]+:)?([^<>]+)>", r"{\1}", rule)

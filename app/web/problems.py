"""Every error as a problem (RFC 9457), by one handler for all of them.

A dialect has its own shape of error: it registers a renderer for the prefix of its paths, which
then also renders the 404, 405 and 500 under that prefix.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import marshmallow
import structlog
from flask import Flask, Response, current_app, request
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from app.core.errors import (
    BatchlineError,
    FieldError,
    Invalid,
    Malformed,
    OverQuota,
    Unauthenticated,
    Unavailable,
)
from app.db import is_away
from app.db.engine import busy
from app.web.prefixes import of_longest
from app.web.request_log import shown_path
from app.web.responses import encode

log = structlog.get_logger(__name__)

CONTENT_TYPE = "application/problem+json"
MOST_ERRORS = 100
"""Fields at fault that an answer names: one that named all could be many times what was sent."""
# Characters of what is told of a caller's own names and values, which may be a megabyte each.
_LONGEST_DETAIL = 4000
_LONGEST_MESSAGE, _LONGEST_POINTER = 1000, 300
_RENDERERS = "batchline.errors"
_URN = "urn:batchline:problem:"
# Of what goes wrong before a view is called.
_OF_STATUS = {404: f"{_URN}not-found", 405: f"{_URN}method-not-allowed"}
# In words for a program's author rather than for a browser's user.
_SAID = {404: "There is nothing at this path.", 405: "This path does not take this method."}


@dataclass(frozen=True, slots=True)
class ProblemDetails:
    """What went wrong, before it takes a shape on the wire. `headers` belong to the status.

    `quota`: the one that is used up.
    """

    status: int
    title: str
    detail: str
    type: str = "about:blank"
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    quota: str | None = None


Renderer = Callable[[ProblemDetails], Response]


def render(problem: ProblemDetails) -> Response:
    """The native shape: application/problem+json."""
    body: dict[str, Any] = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": problem.detail,
    }
    if problem.errors:
        body["errors"] = [
            {"pointer": error.pointer, "message": error.message} for error in problem.errors
        ]
    if problem.quota is not None:
        body["quota"] = problem.quota
    return Response(encode(body), problem.status, problem.headers, content_type=CONTENT_TYPE)


def register(flask: Flask) -> None:
    """Handle every exception that leaves a view, and those of routing."""
    flask.extensions[_RENDERERS] = {}
    flask.register_error_handler(Exception, _handle)


def render_errors_under(flask: Flask, prefix: str, renderer: Renderer) -> None:
    """Let `renderer` shape the errors of `prefix` and of every path below it."""
    flask.extensions[_RENDERERS]["/" + prefix.strip("/")] = renderer


def problem_of(error: Exception) -> ProblemDetails:
    """What `error` says to the caller; one not raised on purpose is a 500 that tells nothing."""
    if isinstance(error, BatchlineError) and error.status >= 400:
        return _of_ours(error)
    if isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, marshmallow.ValidationError):
        return _of_ours(invalid(error.messages))
    if isinstance(error, PoolTimeoutError):
        return _of_ours(busy())
    if is_away(error):
        return _of_ours(Unavailable("The database is not reachable just now.", retry_after=5))
    return ProblemDetails(
        500,
        "Internal error",
        "Something went wrong on our side; it has been logged.",
        f"{_URN}internal",
    )


def invalid(messages: Any) -> Invalid:
    """What marshmallow found, as one error with a pointer to each field."""
    found = islice(_pointers(messages, ""), MOST_ERRORS + 1)
    errors = [FieldError(pointer, message) for pointer, message in found]
    first = errors[0] if errors else FieldError("", "Not valid.")
    named = first.pointer.lstrip("/")
    return Invalid(f"{named}: {first.message}" if named else first.message, errors=errors)


def loaded(schema: marshmallow.Schema, fields: Mapping[str, Any]) -> dict[str, Any]:
    """`fields` as `schema` loads them. Raises Invalid naming each field at fault."""
    try:
        values: dict[str, Any] = schema.load(fields)
    except marshmallow.ValidationError as error:
        raise invalid(error.messages) from error
    return values


def pointer_to(*parts: str | int) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def type_of(error: type[BatchlineError]) -> str:
    """The `type` of problems of that kind, by which a program can tell them from others."""
    return _URN + (error.kind or re.sub(r"(?<!^)(?=[A-Z])", "-", error.__name__).lower())


def problem_types() -> list[tuple[str, int, str]]:
    """Every `type` that a problem may have, by its status, with that and what it means."""
    found = [
        (type_of(kind), kind.status, (kind.__doc__ or "").split(".")[0].replace("\n   ", ""))
        for kind in _kinds(BatchlineError)
    ]
    found.append((_OF_STATUS[405], 405, "The path does not take this method"))
    found.append((f"{_URN}internal", 500, "A fault of ours, which has been logged"))
    return sorted(found, key=lambda each: (each[1], each[0]))


def _kinds(base: type[BatchlineError]) -> Iterator[type[BatchlineError]]:
    """The errors below `base` that reach callers: they have a status of their own or a parent's."""
    for kind in base.__subclasses__():
        if kind.status != BatchlineError.status:
            yield kind
        yield from _kinds(kind)


def _handle(error: Exception) -> Response | HTTPException:
    if isinstance(error, HTTPException) and (error.response is not None or error.code is None):
        return error
    problem = problem_of(error)
    if problem.status >= 500:
        note = log.error if problem.status == 500 else log.warning
        note(
            "request.failed",
            method=request.method,
            path=shown_path(),
            status=problem.status,
            type=problem.type,
            exc_info=error if problem.status == 500 else None,
            error=str(error),
        )
    return _renderer_for(request.path)(problem)


def _renderer_for(path: str) -> Renderer:
    renderers: Mapping[str, Renderer] = current_app.extensions[_RENDERERS]
    return of_longest(renderers, path, render)


def _of_ours(error: BatchlineError) -> ProblemDetails:
    headers: dict[str, str] = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthenticated):
        headers["WWW-Authenticate"] = 'Bearer realm="batchline"'
    quota = error.quota if isinstance(error, OverQuota) else None
    return ProblemDetails(
        error.status,
        error.title,
        _short(error.detail, _LONGEST_DETAIL),
        type_of(type(error)),
        _named(error.errors),
        headers,
        quota,
    )


def _named(errors: tuple[FieldError, ...]) -> tuple[FieldError, ...]:
    """Those that an answer names; the last one says so where there are others."""
    named = tuple(
        FieldError(_short(each.pointer, _LONGEST_POINTER), _short(each.message, _LONGEST_MESSAGE))
        for each in errors[:MOST_ERRORS]
    )
    if len(errors) <= MOST_ERRORS:
        return named
    return (*named, FieldError("", "More is wrong than is named here."))


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


def _of_werkzeug(error: HTTPException) -> ProblemDetails:
    messages = (getattr(error, "data", None) or {}).get("messages")
    if error.code == 422 and isinstance(messages, dict):
        # webargs: by where the values were looked for (query, json), then by field.
        inner: dict[Any, Any] = {}
        for found in messages.values():
            inner.update(found if isinstance(found, dict) else {"_schema": found})
        return _of_ours(invalid(inner))
    if error.code == 400:
        return _of_ours(Malformed(error.description or "The request cannot be read."))
    status = error.code or 500
    headers = {
        name: value
        for name, value in error.get_headers()
        if name.lower() not in ("content-type", "content-length")
    }
    title = HTTP_STATUS_CODES.get(status, error.name)
    detail = _SAID.get(status) or error.description or title
    kind = _OF_STATUS.get(status, "about:blank")
    return ProblemDetails(status, title, detail, kind, headers=headers)


def _pointers(messages: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(messages, Mapping):
        for name, inner in messages.items():
            yield from _pointers(
                inner, pointer if name == "_schema" else pointer + pointer_to(name)
            )
    elif isinstance(messages, (list, tuple)):
        for inner in messages:
            yield from _pointers(inner, pointer)
    else:
        yield pointer, str(messages)

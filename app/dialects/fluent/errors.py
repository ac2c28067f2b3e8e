"""Fluent's shape of an error."""

from __future__ import annotations

from http import HTTPStatus

import marshmallow as ma
from flask import Response

from app.dialects.common.errors import bad_request
from app.web.problems import ProblemDetails
from app.web.responses import answer

# The document's words for the codes it has.
_ERRORS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    500: "Status 500 Error",
}


class FluentError(ma.Schema):
    """One thing that is wrong."""

    message = ma.fields.String(required=True)
    code = ma.fields.String(required=True, metadata={"example": "404"})


class FluentErrors(ma.Schema):
    """Every error of this API."""

    error = ma.fields.List(ma.fields.Nested(FluentError), required=True)


def render(problem: ProblemDetails) -> Response:
    """The document's shape of an error: its word for the code, and what is wrong."""
    problem = bad_request(problem)
    word = _ERRORS.get(problem.status) or HTTPStatus(problem.status).phrase
    message = word if problem.status in (401, 500) else f"{word}: {problem.detail}"
    body = {"error": [{"message": message, "code": str(problem.status)}]}
    return answer(body, problem.status, problem.headers)

"""The OpenAPI document, and the object that blueprints are registered with."""

from __future__ import annotations

import http
import json
from decimal import Decimal
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, request
from flask_smorest.utils import prepare_response

from app.web import problems
from app.web.prepared import Prepared


class FieldErrorSchema(ma.Schema):
    """A field at fault."""

    pointer = ma.fields.String(required=True, metadata={"example": "/items/3/sku"})
    message = ma.fields.String(required=True)


class ProblemSchema(ma.Schema):
    """A problem (RFC 9457)."""

    type = ma.fields.String(
        required=True,
        metadata={
            "description": "What kind of problem it is; there may be more of them one day.\n\n"
            + "\n".join(
                f"- `{name}` ({status}): {means}."
                for name, status, means in problems.problem_types()
            ),
            "example": "urn:batchline:problem:invalid",
        },
    )
    title = ma.fields.String(required=True)
    status = ma.fields.Integer(required=True)
    detail = ma.fields.String(required=True)
    errors = ma.fields.List(ma.fields.Nested(FieldErrorSchema))
    quota = ma.fields.String(
        metadata={
            "description": "The quota that is used up, of a problem of the type "
            "`urn:batchline:problem:quota`.",
            "example": "pendingItems",
        }
    )


class Api(flask_smorest.Api):
    """flask-smorest's Api, whose errors are problems."""

    ERROR_SCHEMA = ProblemSchema
    _document: Prepared | None = None

    def _register_error_handlers(self) -> None:
        problems.register(self._app)

    def _register_responses(self) -> None:
        for status in http.HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase}
            if status >= 400:
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, problems.CONTENT_TYPE)
            self.spec.components.response(status.name, response, lazy=True)
        response = {"description": "A problem.", "schema": self.ERROR_SCHEMA}
        prepare_response(response, self.spec, problems.CONTENT_TYPE)
        self.spec.components.response("DEFAULT_ERROR", response, lazy=True)

    def _openapi_json(self) -> Response:
        """The document: made when it is first asked for, as all blueprints are there by then."""
        if self._document is None:
            text = json.dumps(self.spec.to_dict(), indent=2)
            self._document = Prepared(text.encode(), "application/json")
        return self._document.answer(request)


def make_api(flask: Flask) -> Api:
    """The Api of `flask`, which serves the document at /openapi.json."""
    flask.config.update(
        API_TITLE="Batchline",
        API_VERSION="v1",
        OPENAPI_VERSION="3.0.3",
        OPENAPI_URL_PREFIX="/",
    )
    api = Api(flask)
    api.ma_plugin.converter.add_attribute_function(_numeric_bounds)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    return api


def _numeric_bounds(_: Any, __: Any, ret: dict[str, Any]) -> dict[str, Any]:
    """The bounds of a decimal field as numbers; they would be written as strings."""
    bounds = {name: ret[name] for name in ("minimum", "maximum") if name in ret}
    return {
        name: int(bound) if bound == bound.to_integral_value() else float(bound)
        for name, bound in bounds.items()
        if isinstance(bound, Decimal)
    }


def api_of(flask: Flask) -> Api:
    """The Api that `make_api` gave `flask`: where a dialect registers its blueprint."""
    found: Api = flask.extensions["flask-smorest"]["apis"][""]["ext_obj"]
    return found

"""The OpenAPI document, and the object that blueprints are registered with."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Flask, Response, request
from flask_smorest.utils import prepare_response

from app.core.errors import FieldError, Invalid
from app.web import problems
from app.web.document import finished, without
from app.web.openapi_forms import style_of_parameter
from app.web.prepared import Prepared

_ABOUT = """Batch operations: thousands of items in one request, each processed exactly once.

Submit a batch, wait for it or follow it, read what failed and why, and retry just that. Every
answer may have more fields one day than are described here. The page `/docs` tries it out.
"""


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


_OWN_OPERATION: dict[str, Any] = {
    "operationId": "getDocument",
    "tags": ["document"],
    "summary": "Get this document",
    "parameters": [
        {
            "in": "query",
            "name": "only",
            "description": "`native` leaves the dialects out.",
            "schema": {"type": "string", "enum": ["native"]},
        },
        {"in": "header", "name": "If-None-Match", "schema": {"type": "string"}},
    ],
    "responses": {
        "200": {
            "description": "OpenAPI 3.1.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        },
        "304": {"description": "It is what `If-None-Match` names."},
        "422": HTTPStatus.UNPROCESSABLE_ENTITY.name,
        "default": "DEFAULT_ERROR",
    },
}


class Api(flask_smorest.Api):
    """flask-smorest's Api, whose errors are problems."""

    ERROR_SCHEMA = ProblemSchema

    def __init__(self, *args: Any, **options: Any) -> None:
        self.dialects: set[str] = set()
        self._documents: dict[bool, Prepared] = {}
        self._making = threading.Lock()
        super().__init__(*args, **options)

    def _register_error_handlers(self) -> None:
        problems.register(self._app)

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            response: dict[str, Any] = {"description": status.phrase}
            if status >= 400:
                response["schema"] = self.ERROR_SCHEMA
            prepare_response(response, self.spec, problems.CONTENT_TYPE)
            self.spec.components.response(status.name, response, lazy=True)
        response = {"description": "A problem.", "schema": self.ERROR_SCHEMA}
        prepare_response(response, self.spec, problems.CONTENT_TYPE)
        self.spec.components.response("DEFAULT_ERROR", response, lazy=True)

    def _openapi_json(self) -> Response:
        """The document: made when it is first asked for, as all blueprints are there by then.

        `?only=native` leaves the dialects out.
        """
        given = request.args.to_dict(flat=False)
        if given not in ({}, {"only": ["native"]}):
            name = next(iter(given))
            message = "Must be `native`." if name == "only" else "Unknown field."
            raise Invalid(f"{name}: {message}", errors=[FieldError(f"/{name}", message)])
        return self._made(only_native=bool(given)).answer(request)

    def _made(self, *, only_native: bool) -> Prepared:
        """The document, by whoever asks first; others wait for it, a good part of a second.

        What it is made of is completed on the way, which two cannot do at the same time.
        """
        if only_native not in self._documents:
            with self._making:
                if only_native not in self._documents:
                    document = self.document(only_native=only_native)
                    text = json.dumps(document, indent=2, ensure_ascii=False)
                    self._documents[only_native] = Prepared(text.encode(), "application/json")
        return self._documents[only_native]

    def document(self, *, only_native: bool = False) -> dict[str, Any]:
        """The document as it is now. `only_native`: without the dialects."""
        found = finished(self.spec.to_dict())
        return without(found, self.dialects) if only_native else found


def make_api(flask: Flask) -> Api:
    """The Api of `flask`, which serves the document at /openapi.json."""
    flask.config.update(
        API_TITLE="Batchline",
        API_VERSION="v1",
        OPENAPI_VERSION="3.1.0",
        API_SPEC_OPTIONS={"info": {"description": _ABOUT}},
        OPENAPI_URL_PREFIX="/",
    )
    api = Api(flask)
    api.ma_plugin.converter.add_attribute_function(_numeric_bounds)
    api.ma_plugin.converter.add_parameter_attribute_function(style_of_parameter)
    api.spec.components.security_scheme("bearer", {"type": "http", "scheme": "bearer"})
    api.spec.tag({"name": "document", "description": "What this document is read from."})
    [rule] = flask.url_map.iter_rules("api-docs.openapi_json")
    api.spec.path(rule=rule, operations={"get": _OWN_OPERATION})
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

"""The blueprints that every route is registered on: flask-smorest's, described as a whole.

The OpenAPI document says of each operation what a caller has to know who has only that: each of its
parameters, and each status that it may be answered with. What follows from the kind of a request
is added here, so that no view has to say it.
"""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Request, request
from webargs.flaskparser import FlaskParser

_IDEMPOTENCY_KEY = "Idempotency-Key"
Doc = dict[Any, Any]


class _Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 (as webargs has it)
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        # A filter with a slip in its name would otherwise filter nothing, and say nothing.
        "query": ma.RAISE,
    }

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._of_no_query: dict[Any, dict[str, Any]] = {}

    def parse(
        self,
        argmap: Any,
        req: Request | None = None,
        *,
        location: str | None = None,
        **options: Any,
    ) -> Any:
        """As webargs has it. What a schema makes of no query at all is found out only once."""
        if location != "query" or (req or request).query_string:
            return super().parse(argmap, req, location=location, **options)
        if argmap not in self._of_no_query:
            self._of_no_query[argmap] = super().parse(argmap, req, location=location, **options)
        return dict(self._of_no_query[argmap])


class DescribedBlueprint(flask_smorest.Blueprint):
    """A blueprint whose operations are described with all their parameters and answers."""

    OF_QUERIES: tuple[int, ...] = (400,)
    """What a query that is not right is answered with."""
    OF_BODIES: tuple[int, ...] = (400,)
    """What a body that is not right is answered with."""

    def __init__(self, *args: Any, errors: type[ma.Schema] | None = None, **options: Any) -> None:
        """`errors`: the JSON of every error; problem+json if there is none."""
        super().__init__(*args, **options)
        self._errors = errors
        self._prepare_doc_cbks += [self._all_parameters, self._all_errors]

    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None:
        """As flask-smorest has it."""
        super().add_url_rule(rule, *args, **options)
        for described in self._docs[self._endpoints[-1]].values():
            if isinstance(described, dict):
                described["of_something"] = "<" in f"{self.url_prefix or ''}{rule}"

    def _all_parameters(self, doc: Doc, doc_info: Doc, **_: Any) -> Doc:
        """Those that a view describes itself, beside those of its schema, not in their place."""
        own = doc_info.get("manual_doc", {}).pop("parameters", [])
        if own:
            doc["parameters"] = [*doc.get("parameters", []), *own]
        return doc

    def _all_errors(self, doc: Doc, doc_info: Doc, *, method: str, **_: Any) -> Doc:
        """The statuses of errors that any such request may be answered with."""
        responses: Doc = doc.setdefault("responses", {})
        if "arguments" in doc_info:
            responses.pop(422, None)  # it is what flask-smorest supposes
        said = {str(status) for status in responses}
        for status in sorted(set(self._statuses(doc, doc_info, method))):
            if str(status) not in said:
                responses[status] = self._error(status)
        if self._errors is not None:
            responses["default"] = self._error(None)
        return doc

    def _statuses(self, doc: Doc, doc_info: Doc, method: str) -> Iterator[int]:
        manual = doc_info.get("manual_doc", {})
        if {} not in manual.get("security", [{}]):
            yield from (401, 403, 429, 503)
        if doc_info["of_something"]:
            yield 404
        if "arguments" in doc_info:
            yield from self.OF_QUERIES
        if method != "get":
            yield 400  # for one, an Idempotency-Key where none is taken
            yield 412  # for an If-Match that does not hold
            yield from self.OF_QUERIES if method == "delete" else self.OF_BODIES
        if any(each.get("name") == _IDEMPOTENCY_KEY for each in doc.get("parameters", [])):
            yield from (409, 422)

    def _error(self, status: int | None) -> Any:
        if self._errors is None:
            return HTTPStatus(status or 500).name
        phrase = "An error." if status is None else HTTPStatus(status).phrase
        content = {"application/json": {"schema": self._errors}}
        return {"description": phrase, "content": content}


class Blueprint(DescribedBlueprint):
    """One that refuses query parameters that its schema does not know, as it does fields."""

    ARGUMENTS_PARSER = _Parser()
    OF_QUERIES = (422,)
    OF_BODIES = (400, 413, 415, 422)

"""The blueprint that every route is registered on: flask-smorest's, strict about its parameters."""

from __future__ import annotations

from typing import Any

import flask_smorest
import marshmallow as ma
from flask import Request, request
from webargs.flaskparser import FlaskParser


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


class Blueprint(flask_smorest.Blueprint):
    """A query parameter that its schema does not know is refused, as a field would be."""

    ARGUMENTS_PARSER = _Parser()

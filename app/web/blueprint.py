"""The blueprint that every route is registered on: flask-smorest's, strict about its parameters."""

from __future__ import annotations

import flask_smorest
import marshmallow as ma
from webargs.flaskparser import FlaskParser


class _Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {  # noqa: RUF012 (as webargs has it)
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        # A filter with a slip in its name would otherwise filter nothing, and say nothing.
        "query": ma.RAISE,
    }


class Blueprint(flask_smorest.Blueprint):
    """A query parameter that its schema does not know is refused, as a field would be."""

    ARGUMENTS_PARSER = _Parser()

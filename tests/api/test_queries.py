"""A query that is empty is not read again and again, and nobody spoils what was made of it."""

from __future__ import annotations

from typing import Any

import marshmallow as ma
import pytest
from flask import Flask
from werkzeug.exceptions import UnprocessableEntity

from app.web.blueprint import Blueprint

parser = Blueprint.ARGUMENTS_PARSER


class Query(ma.Schema):
    """How often it is loaded is counted."""

    seen: list[Any] = []  # noqa: RUF012

    number = ma.fields.Integer(load_default=7)

    @ma.pre_load
    def _note(self, data: Any, **_: Any) -> Any:
        self.seen.append(data)
        return data


class Wanting(ma.Schema):
    """One that cannot be empty."""

    number = ma.fields.Integer(required=True)


def parsed(schema: Any, path: str) -> Any:
    with Flask("here").test_request_context(path):
        return parser.parse(schema, location="query")


def test_an_empty_query_is_read_once() -> None:
    first = parsed(Query, "/")
    assert first == {"number": 7}
    first.pop("number")  # as some views do
    assert parsed(Query, "/") == {"number": 7}
    assert parsed(Query, "/?") == {"number": 7}
    assert len(Query.seen) == 1
    assert parsed(Query, "/?number=8") == {"number": 8}
    assert parsed(Query, "/") == {"number": 7}


def test_one_that_must_not_be_empty_is_refused_each_time() -> None:
    for _ in range(2):
        with pytest.raises(UnprocessableEntity):
            parsed(Wanting, "/")
    with pytest.raises(UnprocessableEntity):
        parsed(Query, "/?nmber=8")

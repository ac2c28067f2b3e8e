"""The types of as much of flask-smorest as is used here; the library has none of its own."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import flask
import marshmallow as ma
from flask import Flask
from webargs.core import Parser

_View = TypeVar("_View", bound=Callable[..., Any])
_Schema = ma.Schema | type[ma.Schema] | Mapping[str, Any]

class Blueprint(flask.Blueprint):
    ARGUMENTS_PARSER: Parser[Any]
    _docs: dict[str, dict[str, Any]]
    _endpoints: list[str]
    _prepare_doc_cbks: list[Callable[..., dict[Any, Any]]]
    def __init__(
        self,
        name: str,
        import_name: str,
        *,
        description: str = "",
        url_prefix: str | None = None,
    ) -> None: ...
    def add_url_rule(self, rule: str, *args: Any, **options: Any) -> None: ...
    def route(
        self,
        rule: str,
        *,
        parameters: Sequence[Any] | None = None,
        tags: Sequence[str] | None = None,
        **options: Any,
    ) -> Callable[[_View], _View]: ...
    def arguments(
        self, schema: _Schema, *, location: str = "json", **options: Any
    ) -> Callable[[_View], _View]: ...
    def response(
        self,
        status_code: int | str,
        schema: _Schema | None = None,
        *,
        content_type: str | None = None,
        description: str | None = None,
        example: Any = None,
        examples: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
    ) -> Callable[[_View], _View]: ...
    def alt_response(
        self,
        status_code: int | str,
        response: str | None = None,
        *,
        schema: _Schema | None = None,
        content_type: str | None = None,
        description: str | None = None,
        example: Any = None,
        examples: Mapping[str, Any] | None = None,
        headers: Mapping[str, Any] | None = None,
        success: bool = False,
    ) -> Callable[[_View], _View]: ...
    def doc(self, **kwargs: Any) -> Callable[[_View], _View]: ...

class Api:
    ERROR_SCHEMA: type[ma.Schema]
    spec: Any
    ma_plugin: Any
    _app: Flask
    def __init__(self, app: Flask | None = None) -> None: ...
    def register_blueprint(self, blp: Blueprint, **options: Any) -> None: ...

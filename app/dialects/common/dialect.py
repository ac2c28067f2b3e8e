"""What makes up a dialect, and how it is added to the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import Flask

from app.core.settings import Settings
from app.dialects.common.errors import render
from app.dialects.common.status_map import Words
from app.web import nowhere
from app.web.auth import BEARER, Extract, View, bearer, require
from app.web.blueprint import DescribedBlueprint
from app.web.item_limits import Limit, limit_items
from app.web.openapi import api_of
from app.web.problems import Renderer, render_errors_under


def _as_in_json(settings: Settings) -> int:
    return settings.max_items_json


@dataclass(frozen=True)
class Dialect:
    """One other system's API.

    `name`: as `batches.dialect` and the OpenAPI tag have it. `blueprint`: its routes. `words`: its
    word for each state of a batch, and `item_words` for those of an item, where it shows any.
    `examples`: of what is sent and answered, JSON values by a name of the dialect's own, which its
    routes show in the OpenAPI document. `prefixes`: the paths below which its `renderer` shapes
    every error. `extract`: finds the credentials of a request. `security`: the OpenAPI security
    schemes that describe them, by name, all of them needed; the native bearer secret if there are
    none. `most_items`: of a batch, by the settings, however it is filled.
    """

    name: str
    blueprint: DescribedBlueprint
    words: Words
    prefixes: tuple[str, ...]
    item_words: Words | None = None
    examples: Mapping[str, Any] = field(default_factory=dict)
    extract: Extract = bearer
    security: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    renderer: Renderer = render
    most_items: Limit = _as_in_json

    def require(self, scope: str) -> Callable[[View], View]:
        """Let the view be called only for a client that has `scope`, by this dialect's headers."""
        guard = require(scope, extract=self.extract)
        described = self.blueprint.doc(security=[{name: [] for name in self.security or (BEARER,)}])

        def decorate(view: View) -> View:
            guarded: View = described(guard(view))
            return guarded

        return decorate

    def register(self, flask: Flask) -> None:
        """Serve the dialect from `flask` and describe it in the OpenAPI document."""
        api = api_of(flask)
        api.dialects.add(self.blueprint.name)
        for name, scheme in self.security.items():
            api.spec.components.security_scheme(name, dict(scheme))
        api.register_blueprint(self.blueprint)
        limit_items(flask, self.name, self.most_items)
        for prefix in self.prefixes:
            render_errors_under(flask, prefix, self.renderer)
            nowhere.recognize_under(flask, prefix, nowhere.by(self.extract))


def in_header(name: str) -> dict[str, str]:
    """An OpenAPI security scheme: a value in the header `name`."""
    return {"type": "apiKey", "in": "header", "name": name}

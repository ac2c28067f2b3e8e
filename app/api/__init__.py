"""The native HTTP API. Views here are thin: the work is in `app.batches`."""

from __future__ import annotations

from flask import Flask

from app.api import health
from app.api.openapi import make_api

_BLUEPRINTS = (health.blueprint,)


def register(flask: Flask) -> None:
    """Serve the API, its errors and its OpenAPI document from `flask`."""
    api = make_api(flask)
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint)

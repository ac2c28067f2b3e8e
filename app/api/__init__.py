"""The native HTTP API. Views here are thin: the work is in `app.batches`."""

from __future__ import annotations

from flask import Flask

from app.api import (
    actions,
    audit,
    batches,
    breakers,
    catalogue,
    clients,
    docs,
    events,
    failures,
    health,
    item_actions,
    item_edits,
    items,
    me,
    metrics,
    records,
    results,
    webhooks,
)
from app.web import nowhere, rates
from app.web import request_log as requests
from app.web.openapi import make_api

_BLUEPRINTS = (
    batches.blueprint,
    items.blueprint,
    failures.blueprint,
    item_actions.blueprint,
    item_edits.blueprint,
    actions.blueprint,
    catalogue.blueprint,
    breakers.blueprint,
    records.blueprint,
    results.blueprint,
    events.blueprint,
    audit.blueprint,
    webhooks.blueprint,
    me.blueprint,
    clients.blueprint,
    health.blueprint,
    metrics.blueprint,
)


def register(flask: Flask) -> None:
    """Serve the API, its errors, its OpenAPI document and the page that shows it from `flask`."""
    requests.register(flask)
    rates.register(flask)
    nowhere.register(flask)
    api = make_api(flask)
    records.register_converter(flask)
    for blueprint in _BLUEPRINTS:
        api.register_blueprint(blueprint)
    flask.register_blueprint(docs.blueprint)

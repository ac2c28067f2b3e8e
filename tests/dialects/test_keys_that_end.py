"""A dialect's long answer ends with the key that it was asked for by, as a download does."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import Engine

from app.clients.credentials import ClientSecret
from app.clients.keys import create_key, revoke_key
from app.core.errors import Unauthenticated
from app.web import still_good as looking
from tests.dialects.conftest import Hold
from tests.dialects.speaking import Speaker

PATHS = {
    "nilo": ("catalog.price", "/batch/{}/detail"),
    "kibo": ("catalog.product.add", "/platform/data/batchJob/items/{}?pageSize=1000"),
}


@pytest.mark.parametrize("dialect", PATHS)
def test_a_long_list_breaks_off(
    dialect: str,
    application: Flask,
    engine: Engine,
    client: ClientSecret,
    hold: Hold,
    speak: Callable[..., Speaker],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(looking, "LOOK_EVERY", 0.0)
    monkeypatch.setattr("app.clients.recent_callers.KEPT_SECONDS", 0.0)
    operation, path = PATHS[dialect]
    reference = hold(dialect, operation, [json.dumps({"x": "y" * 50_000})] * 200)
    key = create_key(engine, client.client_id)
    answer = speak(dialect, key).get(path.format(reference))
    pieces = answer.iter_encoded()
    assert next(pieces)
    revoke_key(engine, key.key_id)
    with pytest.raises(Unauthenticated):
        list(pieces)
    answer.close()

"""The demo client stays the same, also where two folders use one database."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from sqlalchemy import Engine

from app.clients.credentials import find_caller
from app.core.settings import Settings
from app.local.serve.demo import demo_client


def test_another_folder_gets_another_key_of_it(
    settings: Settings, engine: Engine, tmp_path: Path
) -> None:
    found = []
    for folder in ("one", "one", "other"):
        home = tmp_path / folder
        home.mkdir(exist_ok=True)
        secret = demo_client(replace(settings, batchline_home=home)).secret
        with engine.connect() as connection:
            found.append(find_caller(connection, secret))
    first, again, other = found
    assert first is not None
    assert again == first
    assert other is not None
    assert other.client_id == first.client_id
    assert other.key_id != first.key_id

"""The demo client: made once, and remembered, so that every start prints the same curl."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from app.clients.credentials import ClientSecret, create_client, find_caller
from app.clients.keys import create_key, find_client
from app.core.errors import Invalid
from app.core.settings import Settings
from app.db import make_engine


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo client's credentials."""

    api_key: str
    secret: str


def demo_client(settings: Settings) -> Demo:
    """The demo client of this database; made if there is none, or the one known is revoked."""
    path = settings.batchline_home / "demo-client.json"
    engine = make_engine(settings.database_url or "", name="batchline-serve", pool_size=1)
    try:
        with contextlib.suppress(OSError, ValueError, KeyError):
            known = json.loads(path.read_text())
            with engine.connect() as connection:
                caller = find_caller(connection, known["secret"])
            if caller is not None:
                return Demo(caller.api_key, known["secret"])
        made = _made(engine)
    finally:
        engine.dispose()
    _write(path, {"apiKey": made.api_key, "secret": made.secret})
    return Demo(made.api_key, made.secret)


def _made(engine: Engine) -> ClientSecret:
    try:
        return create_client(engine, "demo")
    except Invalid:  # made by a `serve` whose folder is another, or gone: its secret is not known
        return create_key(engine, find_client(engine, "demo"), name="demo")


def _write(path: Path, content: dict[str, str]) -> None:
    new = path.with_suffix(".new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w") as file:
        json.dump(content, file)
    new.replace(path)
